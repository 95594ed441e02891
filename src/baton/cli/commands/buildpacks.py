"""Buildpacks: which ones build an app, and in what order."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Annotated

import typer

from baton.cli.api import Record
from baton.cli.errors import NotFound, UsageError
from baton.cli.output import Line, app_name, header, join
from baton.cli.registry import Registry
from baton.cli.session import Session

commands = Registry("Deploys")

_REGISTRY = re.compile(r"^https://buildpack-registry\.s3\.amazonaws\.com/buildpacks/([^/]+/[^/]+)\.tgz$")
Url = Annotated[
    str, typer.Argument(metavar="BUILDPACK", help="heroku/python, heroku/nodejs, or a git or archive URL.")
]
Index = Annotated[int | None, typer.Option("-i", "--index", min=1, metavar="N", help="Its place, from 1.")]


@commands.command(
    "buildpacks",
    needs="app",
    shape="[buildpack-installation, ...]",
    examples=(("baton buildpacks -a shop", "those that build it, in order"),),
)
def buildpacks(session: Session) -> None:
    """Show an app's buildpacks."""
    found = _installed(session)
    session.out.show(found, buildpack_lines(session.app, found))


def buildpack_lines(app: str, found: list[Record]) -> Iterable[Line]:
    if not found:
        return [join(app_name(app), " has no buildpacks set: they are chosen by what the code holds.")]
    return [
        header(join(app_name(app), " Buildpacks")),
        "",
        *_numbered([short_name(entry["buildpack"]["url"]) for entry in found]),
    ]


def _numbered(names: Sequence[str]) -> list[str]:
    return list(names) if len(names) == 1 else [f"{place}. {name}" for place, name in enumerate(names, 1)]


def short_name(url: str) -> str:
    """`heroku/python` for its address at Heroku's registry; any other URL as it is."""
    match = _REGISTRY.match(url)
    return match[1] if match else url


@commands.command(
    "buildpacks:add",
    needs="app",
    shape="[buildpack-installation, ...]",
    examples=(
        (
            "baton buildpacks:add --index 1 heroku/nodejs -a shop",
            "Node first, so that Python finds its files",
        ),
        (
            "baton buildpacks:add https://github.com/example/pack.git",
            "a classic buildpack, behind the others",
        ),
    ),
)
def add(session: Session, buildpack: Url, index: Index = None) -> None:
    """Add a buildpack, at the end or at a place."""
    _change(session, "added", lambda urls: added(urls, buildpack, index))


@commands.command(
    "buildpacks:set",
    needs="app",
    shape="[buildpack-installation, ...]",
    examples=(
        ("baton buildpacks:set heroku/python -a shop", "the first one; the others stay"),
        ("baton buildpacks:set heroku/nodejs --index 2", "the second one"),
    ),
)
def set_(session: Session, buildpack: Url, index: Index = None) -> None:
    """Put a buildpack in another's place."""
    _change(session, "set", lambda urls: replaced(urls, buildpack, index or 1))


@commands.command(
    "buildpacks:remove",
    needs="app",
    shape="[buildpack-installation, ...]",
    examples=(
        ("baton buildpacks:remove heroku/nodejs -a shop", "by its name"),
        ("baton buildpacks:remove --index 1", "by its place"),
    ),
)
def remove(
    session: Session,
    buildpack: Annotated[
        str | None, typer.Argument(metavar="BUILDPACK", help="Its name or URL.", show_default=False)
    ] = None,
    index: Index = None,
) -> None:
    """Remove a buildpack."""
    _change(session, "removed", lambda urls: removed(urls, buildpack, index))


@commands.command(
    "buildpacks:clear",
    needs="app",
    shape="[buildpack-installation, ...]",
    examples=(("baton buildpacks:clear -a shop", "they are chosen by what the code holds again"),),
)
def clear(session: Session) -> None:
    """Remove all buildpacks."""
    found = _put(session, [])
    session.out.show(found, ["Buildpacks cleared. Next release on the app will detect buildpacks normally."])


def added(urls: Sequence[str], url: str, index: int | None) -> list[str]:
    if short_name(url) in map(short_name, urls):
        raise UsageError(
            f"{url} is among the app's buildpacks already.", "Type baton buildpacks to see them."
        )
    place = len(urls) if index is None else min(index - 1, len(urls))
    return [*urls[:place], url, *urls[place:]]


def replaced(urls: Sequence[str], url: str, index: int) -> list[str]:
    """One place behind the last appends."""
    if index > len(urls) + 1:
        raise UsageError(
            f"There is no place {index}: the app has {len(urls)} buildpacks.",
            "Type baton buildpacks to see them.",
        )
    return [*urls[: index - 1], url, *urls[index:]]


def removed(urls: Sequence[str], url: str | None, index: int | None) -> list[str]:
    if (url is None) == (index is None):
        raise UsageError(
            "Expected either a buildpack or --index, found both or neither.",
            "Type baton buildpacks to see them.",
        )
    if index is not None:
        gone = index - 1
    else:
        gone = next(
            (place for place, other in enumerate(urls) if short_name(other) == short_name(url or "")),
            len(urls),
        )
    if gone >= len(urls):
        raise NotFound(f"The app has no buildpack {url or index}.", "Type baton buildpacks to see them.")
    return [*urls[:gone], *urls[gone + 1 :]]


def _installed(session: Session) -> list[Record]:
    found = session.api.every(session.at("buildpack-installations"))
    return sorted(found, key=lambda entry: int(entry["ordinal"]))


def _put(session: Session, urls: Sequence[str]) -> list[Record]:
    updates = {"updates": [{"buildpack": short_name(url)} for url in urls]}
    found: list[Record] = session.api.put(session.at("buildpack-installations"), updates)
    return found


def _change(session: Session, what: str, plan: Callable[[list[str]], list[str]]) -> None:
    found = _put(session, plan([entry["buildpack"]["url"] for entry in _installed(session)]))
    names = [short_name(entry["buildpack"]["url"]) for entry in found]
    if not names:
        lines: list[Line] = [f"Buildpack {what}. Next release on the app will detect buildpacks normally."]
    else:
        users = "this buildpack" if len(names) == 1 else "these buildpacks"
        heading = join(f"Buildpack {what}. Next release on ", app_name(session.app), " will use:")
        lines = [heading, *(f"  {place}. {name}" for place, name in enumerate(names, 1))]
        lines.append(f"Run git push to create a new release using {users}.")
    session.out.show(found, lines)
