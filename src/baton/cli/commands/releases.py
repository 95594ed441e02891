"""Releases: list, show, their output; and going back to an earlier one."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from textwrap import shorten
from typing import Annotated

import typer

from baton.cli import changes, streams
from baton.cli.api import Record
from baton.cli.errors import NotFound
from baton.cli.output import Line, ago, app_name, header, join, pairs, table
from baton.cli.registry import Registry
from baton.cli.session import Session

commands = Registry("Deploys")
DESCRIPTION_WIDTH = 60  # releases:info has all of it

_STATUS_STYLES = {"failed": "bold red", "expired": "bold red", "pending": "yellow"}
Version = Annotated[
    str | None,
    typer.Argument(metavar="RELEASE", help="Like v12; the newest one without it.", show_default=False),
]


@commands.command(
    "releases",
    needs="app",
    shape="[release, ...]",
    examples=(("baton releases -a shop", "the last 15"), ("baton releases -n 50", "the last 50")),
)
def releases(
    session: Session,
    num: Annotated[int, typer.Option("-n", "--num", min=1, max=1000, help="How many.")] = 15,
) -> None:
    """List an app's releases, newest first."""
    found = changes.newest(session, num)
    session.out.show(found, release_lines(session.app, found))


def release_lines(app: str, found: list[Record], now: datetime | None = None) -> Iterable[Line]:
    if not found:
        return [join(app_name(app), " has no releases.")]
    current = next((release["version"] for release in found if release.get("current")), None)
    title = join(app_name(app), " Releases", f" - Current: v{current}" if current else "")
    return [header(title), "", *table([_row(release, now) for release in found])]


def _row(release: Record, now: datetime | None) -> list[Line]:
    version = (
        f"v{release['version']}",
        "green" if release.get("current") else _STATUS_STYLES.get(release["status"], ""),
    )
    status = _status(release)
    return [
        join(version),
        join(shorten(release["description"], DESCRIPTION_WIDTH, placeholder=" …"), *status),
        release["user"]["email"],
        ago(release["created_at"], now),
    ]


def _status(release: Record) -> list[tuple[str, str]]:
    style = _STATUS_STYLES.get(release["status"])
    return [(f" release command {release['status']}", style)] if style else []


@commands.command(
    "releases:info",
    needs="app",
    shape='{"release", "config_vars"}',
    examples=(("baton releases:info v12 -a shop", "who, when, what, and its config vars"),),
)
def info(session: Session, version: Version = None) -> None:
    """Show a release and the config vars it runs with."""
    release = _find(session, version)
    config = session.api.get(session.at("releases", release["version"], "config-vars"))
    session.out.show({"release": release, "config_vars": config}, info_lines(release, config))


def info_lines(release: Record, config: dict[str, str], now: datetime | None = None) -> list[Line]:
    title = f"v{release['version']}"
    shown = {
        "Add-ons": ", ".join(release["addon_plan_names"] or ()),
        "By": release["user"]["email"],
        "Change": release["description"],
        "Status": "" if release["status"] == "succeeded" else release["status"],
        "When": ago(release["created_at"], now),
    }
    lines: list[Line] = [
        header(f"Release {title}"),
        "",
        *pairs({key: value for key, value in shown.items() if value}),
        "",
    ]
    return [*lines, header(f"{title} Config vars"), "", *pairs(dict(sorted(config.items())))]


@commands.command(
    "releases:output",
    needs="app",
    shape='{"release", "output"}',
    examples=(("baton releases:output v12 -a shop", "what its release command printed"),),
)
def output(session: Session, version: Version = None) -> None:
    """Show what a release's command printed."""
    release = _find(session, version)
    url = release.get("output_stream_url")
    if not url:
        raise NotFound(f"Release v{release['version']} has no output: the app has no release command.")
    session.out.program({"release": release}, streams.output_lines(session.api, url))


@commands.command(
    "rollback",
    needs="app",
    aliases=("releases:rollback",),
    shape="release",
    examples=(
        ("baton rollback -a shop", "to the release before the current one"),
        ("baton rollback v7 -a shop", "to this one; code and config vars, not data"),
    ),
)
def rollback(session: Session, version: Version = None) -> None:
    """Go back to an earlier release, as a new release."""
    goal = _find(session, version) if version else _previous(changes.newest(session, 50), session.app)
    before = next(
        (release["version"] for release in changes.newest(session, 50) if release.get("current")), None
    )
    label = join("Rolling back ", app_name(session.app), " to ", (f"v{goal['version']}", "green"))
    with session.out.action(label) as step:
        made = session.api.post(session.at("releases"), {"release": goal["id"]})
        step.done(f"v{made['version']}")
    made = changes.settle(session, made)
    session.out.warn(
        "Rollback affects code and config vars; it doesn't add or remove add-ons, nor change data."
    )
    if before is not None:
        session.out.warn(f"To undo, run: baton rollback v{before} --app {session.app}")
    session.out.show(made)


def _previous(found: list[Record], app: str) -> Record:
    """The newest release that can be gone back to, before the current one. Raises NotFound."""
    current = next((release["version"] for release in found if release.get("current")), None)
    for release in found:
        if release.get("eligible_for_rollback") and (current is None or release["version"] < current):
            return release
    raise NotFound(
        f"{app} has no earlier release to go back to.", "Type baton releases to see what there is."
    )


def _find(session: Session, version: str | None) -> Record:
    if version:
        found: Record = session.api.get(session.at("releases", version.removeprefix("v")))
        return found
    newest = changes.newest(session, 1)
    if not newest:
        raise NotFound(f"{session.app} has no releases.", "Push some code: git push baton main")
    return newest[0]
