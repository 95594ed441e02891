"""Which app is meant: --app, --remote, BATON_APP, HEROKU_APP, then the remotes of the git repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from baton.cli import servers
from baton.cli.errors import NoApp, SeveralApps, UsageError

_PATH = re.compile(r"^https?://[^/]+/([^/]+?)(?:\.git)?/?$")
_APP = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]{0,63}$")


@dataclass(frozen=True)
class Remote:
    name: str
    url: str


@dataclass(frozen=True)
class Target:
    """An app, and the server it was found to live on (None: whichever the command speaks to)."""

    app: str
    server: str | None = None


def remote_target(remote: Remote, known: Set[str]) -> Target | None:
    """The app that a remote pushes to, when it is on one of the `known` servers."""
    server = servers.of_url(remote.url)
    match = _PATH.match(remote.url)
    return Target(match[1], server) if match and server in known else None


def find(
    *,
    app: str | None,
    remote: str | None,
    environ: Mapping[str, str],
    remotes: Iterable[Remote] | None,
    known: Set[str],
    preferred: str | None = None,
) -> Target:
    """The app meant. `remotes`: None outside a repository; `preferred`: git's `baton.remote`.

    Raises UsageError.
    """
    named = app or (None if remote else environ.get("BATON_APP") or environ.get("HEROKU_APP"))
    if named:
        return Target(checked(named))
    if remotes is None:
        raise NoApp("this directory is not in a git repository")
    candidates = [(entry.name, target) for entry in remotes if (target := remote_target(entry, known))]
    if remote or preferred:
        candidates = _chosen(candidates, remote or preferred or "", remotes, known, required=bool(remote))
    if not candidates:
        raise NoApp(f"no git remote here points to {' or '.join(sorted(known))}")
    if len({target for _, target in candidates}) > 1:
        raise SeveralApps((name, target.app) for name, target in candidates)
    return candidates[0][1]


def checked(name: str) -> str:
    """An app's name or UUID as the API takes it. Raises UsageError."""
    if _APP.match(name):
        return name
    raise UsageError(
        f"{name!r} can't be an app's name.",
        "Names have 3 to 30 characters: lower-case letters, digits and dashes.",
    )


def _chosen(
    candidates: list[tuple[str, Target]],
    name: str,
    remotes: Iterable[Remote],
    known: Set[str],
    *,
    required: bool,
) -> list[tuple[str, Target]]:
    chosen = [pair for pair in candidates if pair[0] == name]
    if chosen or not required:
        return chosen or candidates
    url = next((entry.url for entry in remotes if entry.name == name), None)
    if url is None:
        raise UsageError(
            f"This repository has no git remote {name!r}.", "Type git remote -v to see those it has."
        )
    raise UsageError(
        f"The git remote {name!r} ({_without_secret(url)}) is not on {' or '.join(sorted(known))}.",
        "Sign in to its server with baton login --host, or name the app with --app.",
    )


def _without_secret(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url)
