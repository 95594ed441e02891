"""Builds: list, show, their output, cancel."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import typer

from baton.cli import streams
from baton.cli.api import Record
from baton.cli.errors import NotFound
from baton.cli.output import Line, ago, app_name, header, join, pairs, table
from baton.cli.registry import Registry
from baton.cli.session import Session

commands = Registry("Deploys")

_STATUS_STYLES = {"failed": "bold red", "pending": "yellow", "succeeded": "green"}
Identity = Annotated[
    str | None,
    typer.Argument(metavar="BUILD", help="Its id; the newest one without it.", show_default=False),
]


@commands.command(
    "builds",
    needs="app",
    shape="[build, ...]",
    examples=(("baton builds -a shop", "the last ten, and what became of them"),),
)
def builds(
    session: Session,
    num: Annotated[int, typer.Option("-n", "--num", min=1, max=1000, help="How many.")] = 10,
) -> None:
    """List an app's builds, newest first."""
    found = newest(session.api.every(session.at("builds")), num)
    session.out.show(found, build_lines(session.app, found))


def newest(found: list[Record], count: int) -> list[Record]:
    return sorted(found, key=lambda build: str(build["created_at"]), reverse=True)[:count]


def build_lines(app: str, found: list[Record], now: datetime | None = None) -> Iterable[Line]:
    if not found:
        return [join(app_name(app), " has no builds.")]
    return [header(join(app_name(app), " Builds")), "", *table([_row(build, now) for build in found])]


def _row(build: Record, now: datetime | None) -> list[Line]:
    status = (build["status"], _STATUS_STYLES.get(build["status"], ""))
    return [
        build["id"],
        _commit(build)[:10],
        join(status),
        build["user"]["email"],
        ago(build["created_at"], now),
    ]


def _commit(build: Record) -> str:
    return (build.get("source_blob") or {}).get("version") or ""


@commands.command(
    "builds:info",
    needs="app",
    shape="build",
    examples=(("baton builds:info -a shop", "the newest build"),),
)
def info(session: Session, build: Identity = None) -> None:
    """Show a build."""
    found = _find(session, build)
    session.out.show(found, info_lines(found))


def info_lines(build: Record, now: datetime | None = None) -> list[Line]:
    shown = {
        "Status": build["status"],
        "Commit": _commit(build),
        "By": build["user"]["email"],
        "When": ago(build["created_at"], now),
        "Stack": build.get("stack") or "",
        "Buildpacks": ", ".join(entry.get("name") or entry["url"] for entry in build.get("buildpacks") or ()),
        "Release": (build.get("release") or {}).get("id", ""),
        "Slug": (build.get("slug") or {}).get("id", ""),
    }
    return [header(f"Build {build['id']}"), "", *pairs({key: value for key, value in shown.items() if value})]


@commands.command(
    "builds:output",
    needs="app",
    shape='{"build", "output"}',
    examples=(("baton builds:output -a shop", "what the newest build printed, or is printing"),),
)
def output(session: Session, build: Identity = None) -> None:
    """Show what a build printed."""
    found = _find(session, build)
    session.out.program({"build": found}, streams.output_lines(session.api, found["output_stream_url"]))


@commands.command(
    "builds:cancel",
    needs="app",
    shape="build",
    examples=(("baton builds:cancel -a shop", "ends the build under way; what is served stays"),),
)
def cancel(session: Session, build: Identity = None) -> None:
    """Cancel a build that is under way."""
    found = _find(session, build, pending=not build)
    with session.out.action(join("Stopping build ", found["id"], " on ", app_name(session.app))):
        ended = session.api.delete(session.at("builds", found["id"]))
    session.out.show(ended or found)


def _find(session: Session, identity: str | None, *, pending: bool = False) -> Record:
    if identity:
        found: Record = session.api.get(session.at("builds", identity))
        return found
    every = session.api.every(session.at("builds"))
    chosen = newest([build for build in every if not pending or build["status"] == "pending"], 1)
    if not chosen:
        raise NotFound(
            f"{session.app} has no build{' under way' if pending else 's'}.",
            "Type baton builds to see what there is.",
        )
    return chosen[0]
