"""The apps' bare git repositories.

Made, served with fixed settings, and checked out of. Argument lists, then effects.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from baton.base.paths import Home
from baton.control.errors import Invalid

LARGEST_PUSH = 1 << 30  # bytes received; Heroku's limit of a checkout is the same
LARGEST_TREE = 1 << 30  # bytes checked out
MOST_FILES = 200_000
CHECKOUT_SECONDS = 300

SETTINGS: Mapping[str, str] = {
    "transfer.fsckObjects": "true",
    # Old histories have these, and they harm nobody.
    "receive.fsck.zeroPaddedFilemode": "ignore",
    "receive.fsck.badTimezone": "ignore",
    "receive.maxInputSize": str(LARGEST_PUSH),
    "receive.denyDeleteCurrent": "refuse",
    "receive.denyCurrentBranch": "ignore",
    "receive.shallowUpdate": "true",
    "receive.advertisePushOptions": "false",
    "receive.keepAlive": "5",
    "gc.autoDetach": "true",
}


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What git runs with: no settings but ours, whoever's machine it is."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        **(extra or {}),
    }


def git(home: Home, *arguments: str) -> list[str]:
    """An argument list with our settings, which a repository's own file can't override."""
    settings = {**SETTINGS, "core.hooksPath": str(hooks(home))}
    return [
        "git",
        *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        *arguments,
    ]


def create(home: Home, key: str) -> None:
    """The app's repository, empty, `main` first.

    Made aside and renamed, so that it is there whole or not at all.
    """
    path = home.repository(key)
    if path.exists():
        return
    scratch = path.with_name(f"{path.name}.new")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _run(["git", "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(scratch)])
    scratch.rename(path)


def set_head(home: Home, key: str, ref: str) -> None:
    """Makes `ref` what a clone checks out."""
    head = home.repository(key) / "HEAD"
    wanted = f"ref: {ref}\n"
    if head.read_text() != wanted:
        scratch = head.with_name("HEAD.baton")
        scratch.write_text(wanted)
        scratch.replace(head)


def size(home: Home, key: str) -> int:
    """Bytes of all files in the repository."""
    total = 0
    for folder, _, names in os.walk(home.repository(key)):
        for name in names:
            try:
                total += os.lstat(os.path.join(folder, name)).st_size  # noqa: PTH118 - thousands of loose objects
            except FileNotFoundError:
                continue
    return total


def hooks(home: Home) -> Path:
    return home.root / "hooks"


def install_hook(home: Home) -> None:
    """Writes the hook program with the interpreter that runs Baton now; called at each start."""
    from baton.control import hook

    folder = hooks(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = folder / "pre-receive.new"
    source = Path(hook.__file__).read_text()
    scratch.write_text(f"#!{sys.executable} -IS\n{source}")
    scratch.chmod(0o700)
    scratch.replace(folder / "pre-receive")


@dataclass(frozen=True)
class Tree:
    """What a commit's tree holds, before anything of it is written."""

    files: int
    bytes: int
    submodules: tuple[str, ...]


def parse_tree(listing: bytes) -> Tree:
    """Pure: the answer of `git ls-tree -r -l -z`."""
    files, total, submodules = 0, 0, []
    for entry in filter(None, listing.split(b"\0")):
        fields, _, name = entry.partition(b"\t")
        _mode, kind, _object, length = fields.split()
        if kind == b"commit":
            submodules.append(name.decode(errors="replace"))
            continue
        files += 1
        total += int(length) if length.isdigit() else 0
    return Tree(files, total, tuple(submodules))


def inspect(home: Home, key: str, commit: str, quarantine: Mapping[str, str]) -> Tree:
    """Raises Invalid when the tree is larger than a checkout may be."""
    argv = ["git", "--git-dir", str(home.repository(key)), "ls-tree", "-r", "-l", "-z", "--full-tree", commit]
    tree = parse_tree(_run(argv, quarantine))
    if tree.files > MOST_FILES or tree.bytes > LARGEST_TREE:
        raise Invalid(
            f"The pushed tree has {tree.files} files of {tree.bytes >> 20} MB together; "
            f"at most {MOST_FILES} files and {LARGEST_TREE >> 20} MB can be deployed.",
            "Take large files out of the repository (git rm --cached), commit, and push again.",
        )
    return tree


def checkout(home: Home, key: str, commit: str, target: Path, quarantine: Mapping[str, str]) -> Tree:
    """Writes the commit's files below `target`, as a clone would.

    No export attributes, no filters, no submodules.
    """
    tree = inspect(home, key, commit, quarantine)
    target.mkdir(parents=True)
    index = target.with_name(f"{target.name}.index")
    argv = [
        "git",
        "--git-dir",
        str(home.repository(key)),
        "--work-tree",
        str(target),
        "read-tree",
        "--reset",
        "-u",
        commit,
    ]
    _run(argv, {**quarantine, "GIT_INDEX_FILE": str(index)})
    index.unlink(missing_ok=True)
    return tree


def kind_of(home: Home, key: str, commit: str, quarantine: Mapping[str, str]) -> str:
    """`commit` or `tag` or whatever the object is. Raises Invalid when it is not there."""
    argv = ["git", "--git-dir", str(home.repository(key)), "cat-file", "-t", commit]
    return _run(argv, quarantine).decode().strip()


def _run(argv: list[str], extra: Mapping[str, str] | None = None) -> bytes:
    done = subprocess.run(
        argv,
        env=environment(extra),
        capture_output=True,
        check=False,
        timeout=CHECKOUT_SECONDS,
        stdin=subprocess.DEVNULL,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()[-1000:]
        raise Invalid(
            f"git {argv[-2]} ended with status {done.returncode}: {said}", "Run git fsck in your repository."
        )
    return done.stdout
