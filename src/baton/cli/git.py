"""The few things asked of git: remotes, and the credential helper. Argument lists are pure; `run` acts."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from baton.cli.errors import GitError
from baton.cli.names import Remote


def parse_remotes(listing: str) -> tuple[Remote, ...]:
    """The remotes of `git remote -v`, by their push URL."""
    found = {}
    for line in listing.splitlines():
        name, _, rest = line.partition("\t")
        url, _, kind = rest.rpartition(" ")
        if kind == "(push)":
            found[name] = Remote(name, url)
    return tuple(found.values())


def remote_url(server: str, app: str) -> str:
    return f"{server}/{app}.git"


def helper_commands(server: str, executable: Sequence[str]) -> tuple[list[str], ...]:
    """What makes git ask `baton` for this server's password, and nobody else.

    The empty value first: it drops helpers set for every server, which would be offered the token to keep.
    """
    key = helper_key(server)
    value = f"!{shlex.join([*executable, 'git:credentials'])}"
    return (
        ["config", "--global", "--replace-all", key, ""],
        ["config", "--global", "--add", key, value],
    )


def helper_key(server: str) -> str:
    return f"credential.{server}.helper"


def executable() -> tuple[str, ...]:
    """How another program starts this very `baton`."""
    for candidate in (Path(sys.argv[0]), Path(sys.executable).parent / "baton"):
        if candidate.name == "baton" and candidate.is_file():
            return (str(candidate.absolute()),)
    found = shutil.which("baton")
    return (found,) if found else (sys.executable, "-m", "baton.cli")


def run(arguments: Sequence[str], *, accept: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
    """Raises GitError when git is missing or ends with a code not in `accept`."""
    try:
        done = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError as error:
        raise GitError("git is not installed.", "Install it: apt install git") from error
    if done.returncode not in accept:
        raise GitError(f"git {' '.join(arguments[:2])} failed: {done.stderr.strip() or done.returncode}")
    return done


def inside_repository() -> bool:
    return bool(shutil.which("git")) and run(["rev-parse", "--git-dir"], accept=(0, 128)).returncode == 0


def remotes() -> tuple[Remote, ...] | None:
    """None outside a repository."""
    return parse_remotes(run(["remote", "-v"]).stdout) if inside_repository() else None


def preferred_remote() -> str | None:
    """The remote that `git config baton.remote NAME` (or heroku.remote) chooses among several."""
    for key in ("baton.remote", "heroku.remote"):
        done = run(["config", "--get", key], accept=(0, 1))
        if done.returncode == 0:
            return done.stdout.strip()
    return None


def set_remote(name: str, url: str) -> None:
    exists = any(remote.name == name for remote in remotes() or ())
    run(["remote", "set-url" if exists else "add", "--", name, url])


def offer_password(server: str) -> None:
    """Sets up the credential helper for `server` in the user's global git configuration."""
    for command in helper_commands(server, executable()):
        run(command)


def withdraw_password(server: str) -> None:
    run(["config", "--global", "--unset-all", helper_key(server)], accept=(0, 5))
