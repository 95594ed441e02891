"""Dynos: show, scale, restart, stop."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import groupby
from typing import Annotated

import typer

from baton.cli.api import Record
from baton.cli.errors import UsageError
from baton.cli.output import Line, ago, app_name, header, join
from baton.cli.registry import Registry
from baton.cli.rendezvous import without_exit_code
from baton.cli.session import Session

commands = Registry("Dynos")

_CHANGE = re.compile(r"^(?P<type>[\w-]+)(?:=(?P<exact>\d+)|(?P<relative>[+-]\d+))(?::(?P<size>[\w-]+))?$")
_STATE_STYLES = {"up": "green", "starting": "yellow", "idle": "dim", "crashed": "bold red"}
Dyno = Annotated[
    str | None, typer.Argument(metavar="DYNO", help="A dyno (web.1) or a type (web).", show_default=False)
]
DynoName = Annotated[
    str | None, typer.Option("-d", "--dyno-name", metavar="DYNO", help="One dyno, like web.1.")
]
ProcessType = Annotated[
    str | None, typer.Option("-p", "--process-type", metavar="TYPE", help="All dynos of a type.")
]


@commands.command(
    "ps",
    needs="app",
    shape="[dyno, ...]",
    examples=(
        ("baton ps --app shop", "each dyno, its state and since when"),
        ("baton ps web -a shop", "the web dynos"),
    ),
)
def ps(
    session: Session,
    kind: Annotated[
        str | None, typer.Argument(metavar="TYPE", help="Only this type.", show_default=False)
    ] = None,
) -> None:
    """Show an app's dynos."""
    found = session.api.every(session.at("dynos"))
    chosen = [dyno for dyno in found if kind in (None, dyno["type"])]
    session.out.show(chosen, dyno_lines(session.app, chosen))


def dyno_lines(app: str, dynos: list[Record], now: datetime | None = None) -> Iterable[Line]:
    if not dynos:
        return [join("No dynos on ", app_name(app))]
    lines: list[Line] = []
    for kind, members in groupby(sorted(dynos, key=_order), key=lambda dyno: dyno["type"]):
        found = list(members)
        lines += [_group(kind, found), "", *(_dyno(dyno, now) for dyno in found), ""]
    return lines


def _order(dyno: Record) -> tuple[str, int, str]:
    number = dyno["name"].rpartition(".")[2]
    return dyno["type"], int(number) if number.isdigit() else 0, dyno["name"]


def _group(kind: str, dynos: list[Record]) -> Line:
    if kind == "run":
        return header("run: one-off dynos")
    first = dynos[0]
    return header(join((kind, "green"), f" ({first['size']}): {first['command']} ({len(dynos)})"))


def _dyno(dyno: Record, now: datetime | None) -> Line:
    state = (dyno["state"], _STATE_STYLES.get(dyno["state"], ""))
    command = f": {without_exit_code(dyno['command'])}" if dyno["type"] == "run" else ""
    return join(f"{dyno['name']}: ", state, f" {ago(dyno['updated_at'], now)}{command}")


@commands.command(
    "ps:scale",
    needs="app",
    aliases=("dyno:scale", "scale"),
    shape="[formation, ...]",
    examples=(
        ("baton ps:scale -a shop", "how many dynos of which size"),
        ("baton ps:scale web=2 worker=1", "two web dynos and one worker"),
        ("baton ps:scale web+1", "one more"),
        ("baton ps:scale web=2:Standard-2X", "with 1 GB of memory each"),
    ),
)
def scale(
    session: Session,
    typed: Annotated[
        list[str] | None,
        typer.Argument(metavar="TYPE=N[:SIZE]", help="Also TYPE+N and TYPE-N.", show_default=False),
    ] = None,
) -> None:
    """Change how many dynos run; without words, show it."""
    if not typed:
        found = session.api.every(session.at("formation"))
        session.out.show(
            found, [formation_line(found)] if found else [join("No process types on ", app_name(session.app))]
        )
        return
    updates = [parse_change(word) for word in typed]
    with session.out.action("Scaling dynos") as step:
        found = session.api.patch(session.at("formation"), {"updates": updates})
        changed = [entry for entry in found if entry["type"] in {update["type"] for update in updates}]
        step.done(
            "now running "
            + ", ".join(f"{entry['type']} at {entry['quantity']}:{entry['size']}" for entry in changed)
        )
    session.out.show(found)


def parse_change(word: str) -> Mapping[str, str]:
    """`web=2`, `web+1`, `web-1`, `web=2:Standard-1X` as the API's update. Raises UsageError."""
    match = _CHANGE.match(word)
    if match is None:
        raise UsageError(
            f"{word!r} is not a change of scale.", "Type something like web=2, web+1 or web=2:Standard-1X."
        )
    size = {"size": match["size"]} if match["size"] else {}
    return {"type": match["type"], "quantity": match["exact"] or match["relative"], **size}


def formation_line(formation: list[Record]) -> Line:
    ordered = sorted(formation, key=lambda entry: str(entry["type"]))
    return " ".join(f"{entry['type']}={entry['quantity']}:{entry['size']}" for entry in ordered)


@commands.command(
    "ps:restart",
    needs="app",
    aliases=("dyno:restart", "restart"),
    shape='{"restarted"}',
    examples=(
        ("baton ps:restart -a shop", "every dyno; web dynos hand over and lose nothing"),
        ("baton ps:restart web", "the web dynos"),
        ("baton ps:restart worker.2", "one dyno"),
    ),
)
def restart(
    session: Session, dyno: Dyno = None, dyno_name: DynoName = None, process_type: ProcessType = None
) -> None:
    """Restart dynos."""
    target = chosen(dyno, dyno_name, process_type)
    with session.out.action(join("Restarting ", described(target), " on ", app_name(session.app))):
        session.api.delete(session.at(*dyno_path(target)))
    session.out.show({"restarted": target or "all"})


@commands.command(
    "ps:stop",
    needs="app",
    aliases=("dyno:stop", "dyno:kill", "ps:kill"),
    shape='{"stopped"}',
    examples=(
        ("baton ps:stop run.4321 -a shop", "ends a one-off dyno"),
        ("baton ps:stop worker", "stops the workers until the next restart or release"),
    ),
)
def stop(
    session: Session, dyno: Dyno = None, dyno_name: DynoName = None, process_type: ProcessType = None
) -> None:
    """Stop dynos."""
    target = chosen(dyno, dyno_name, process_type)
    if target is None:
        raise UsageError(
            "Which dyno? Expected a name or a type, found neither.", "Type baton ps to see them."
        )
    with session.out.action(join("Stopping ", described(target), " on ", app_name(session.app))):
        session.api.post(session.at(*dyno_path(target), "actions", "stop"))
    session.out.show({"stopped": target})


def chosen(*given: str | None) -> str | None:
    """The one dyno or type that was named, however it was. Raises UsageError for several."""
    named = [name for name in given if name]
    if len(named) > 1:
        raise UsageError(f"Expected one dyno or type, found {' and '.join(named)}.", "Name one.")
    return named[0] if named else None


def dyno_path(target: str | None) -> tuple[str, ...]:
    if target is None:
        return ("dynos",)
    return ("dynos", target) if "." in target else ("formations", target)


def described(target: str | None) -> str:
    if target is None:
        return "all dynos"
    return f"dyno {target}" if "." in target else f"all {target} dynos"
