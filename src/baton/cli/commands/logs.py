"""Logs: what the app, the router and the platform say, in Heroku's format."""

from __future__ import annotations

import re
from typing import Annotated

import typer
from rich.text import Text

from baton.cli import streams
from baton.cli.output import harmless
from baton.cli.registry import Registry
from baton.cli.session import Session

commands = Registry("Dynos")

MOST_LINES = 1500
_LINE = re.compile(r"^(?P<time>\S+) (?P<source>[\w-]+)\[(?P<dyno>[\w.-]+)\]: ?(?P<message>.*)$", re.DOTALL)
_COLOURS = (
    "yellow",
    "green",
    "cyan",
    "magenta",
    "blue",
    "bright_green",
    "bright_cyan",
    "bright_magenta",
    "bright_blue",
)


@commands.command(
    "logs",
    needs="app",
    shape='one {"time", "source", "dyno", "message"} a line',
    examples=(
        ("baton logs -a shop", "the last 100 lines"),
        ("baton logs --tail -a shop", "and what comes, until Ctrl-C"),
        ("baton logs -n 500 --dyno web.1", "500 lines of one dyno"),
        ("baton logs --source heroku --dyno router", "the requests"),
    ),
)
def logs(
    session: Session,
    tail: Annotated[bool, typer.Option("-t", "--tail", help="Go on with new lines until Ctrl-C.")] = False,
    num: Annotated[
        int, typer.Option("-n", "--num", "--lines", min=1, max=MOST_LINES, help="How many past lines.")
    ] = 100,
    dyno: Annotated[
        str | None,
        typer.Option(
            "-d", "--dyno", "--dyno-name", "--ps", metavar="DYNO", help="Only this dyno: web.1, router."
        ),
    ] = None,
    source: Annotated[
        str | None, typer.Option("-s", "--source", metavar="NAME", help="Only app or only heroku.")
    ] = None,
) -> None:
    """Show an app's log."""
    wanted = {"lines": num, "tail": tail, "dyno": dyno, "source": source}
    opened = session.api.post(
        session.at("log-sessions"), {key: value for key, value in wanted.items() if value is not None}
    )
    for line in streams.log_lines(session.api, opened["logplex_url"], tail=tail):
        _show(session, line)


def _show(session: Session, line: str) -> None:
    if session.out.json:
        session.out.row(parsed(line))
    elif session.out.coloured:
        session.out.out.print(coloured(line))
    else:
        session.out.write(harmless(line, colours=False))


def parsed(line: str) -> dict[str, str]:
    match = _LINE.match(line)
    return match.groupdict() if match else {"time": "", "source": "", "dyno": "", "message": line}


def coloured(line: str) -> Text:
    """The line with its head in the colour of its dyno; colours of the program's own stay."""
    match = _LINE.match(line)
    if match is None:
        return Text.from_ansi(harmless(line, colours=True))
    head = line[: match.start("message")]
    return Text.assemble(
        (harmless(head, colours=False), colour_of(match["dyno"])), Text.from_ansi(_message(match["message"]))
    )


def _message(message: str) -> str:
    return harmless(message, colours=True)


def colour_of(dyno: str) -> str:
    """The same colour for the same dyno every time."""
    return _COLOURS[sum(dyno.encode()) % len(_COLOURS)]
