"""One-off dynos: a program in the app's environment, attached to this terminal or on its own."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from baton.cli import rendezvous
from baton.cli.api import Record, tls_context
from baton.cli.errors import CliError, Code, Refused, StreamLost, UsageError
from baton.cli.output import app_name, join
from baton.cli.registry import Registry
from baton.cli.session import Session

commands = Registry("Dynos")

LARGEST_OUTPUT = 64 * 1024 * 1024
_NOT_READY = "conflict"
Program = Annotated[
    list[str] | None, typer.Argument(metavar="COMMAND", help="What to run.", show_default=False)
]
Size = Annotated[
    str | None, typer.Option("-s", "--size", metavar="SIZE", help="The dyno's size, like Standard-2X.")
]
Type = Annotated[
    str | None, typer.Option("--type", metavar="TYPE", help="The process type whose settings it has.")
]
Env = Annotated[
    list[str] | None,
    typer.Option("-e", "--env", metavar="NAME=VALUE", help="One more environment variable; repeatable."),
]


@dataclass(frozen=True)
class Terminal:
    """What the program is connected to. `interactive`: both ends are a terminal, so the dyno gets one too."""

    interactive: bool
    kind: str
    columns: int
    lines: int

    @classmethod
    def found(cls, *, no_tty: bool) -> Terminal:
        size = shutil.get_terminal_size()
        interactive = sys.stdin.isatty() and sys.stdout.isatty() and not no_tty
        return cls(interactive, os.environ.get("TERM", "dumb"), size.columns, size.lines)


@commands.command(
    "run",
    needs="app",
    program=True,
    shape='{"dyno", "output", "exit_code"}',
    examples=(
        ("baton run python manage.py migrate -a shop", "ends with the program's own exit code"),
        ("baton run bash", "a shell in the app's environment"),
        ("baton run python manage.py loaddata --format=json - < data.json", "stdin goes to the program"),
        ("baton run -a shop -- ls -a", "behind -- every word is the program's"),
    ),
)
def run(
    session: Session,
    *,
    command: Program = None,
    size: Size = None,
    type_: Type = None,
    env: Env = None,
    exit_code: Annotated[
        bool, typer.Option("-x/-X", "--exit-code/--no-exit-code", help="End with the program's exit code.")
    ] = True,
    no_tty: Annotated[bool, typer.Option("--no-tty", help="Give the program no terminal.")] = False,
) -> int:
    """Run a program in a one-off dyno, attached to this terminal.

    Its stdin, its output and its exit code are this command's own. Ctrl-C reaches the program.
    """
    line = _typed(command)
    terminal = Terminal.found(no_tty=no_tty or session.out.json)
    sent = rendezvous.with_exit_code(line) if exit_code else line
    body = dyno_request(sent, size=size, kind=type_, env=parse_env(env or ()), terminal=terminal)
    with session.out.action(join("Running ", (line, "bold"), " on ", app_name(session.app))) as step:
        dyno = _start(session, body)
        connection = rendezvous.connect(dyno["attach_url"], tls_context(extra=session.authority))
        step.ended("up, ", dyno["name"])
    captured = bytearray()
    sink = _collector(captured) if session.out.json else rendezvous.write_all(sys.stdout.fileno())
    code = _attached(
        session, dyno, rendezvous.Attachment(connection, sys.stdin.fileno(), sink, tty=terminal.interactive)
    )
    if exit_code and code is None:
        raise StreamLost(f"{dyno['name']} ended without telling its exit code.", "baton logs may say why.")
    if session.out.json:
        shown = {key: value for key, value in dyno.items() if key != "attach_url"}
        session.out.show({"dyno": shown, "output": captured.decode(errors="replace"), "exit_code": code})
    return code or Code.OK


def _attached(session: Session, dyno: Record, attachment: rendezvous.Attachment) -> int | None:
    """With a terminal Ctrl-C is a byte like any other; without one it ends the dyno."""
    interactive = attachment.tty
    try:
        with rendezvous.raw_terminal(sys.stdin.fileno()) if interactive else nullcontext():
            return attachment.run()
    except KeyboardInterrupt:
        session.out.note(f"Stopping {dyno['name']}")
        session.api.post(session.at("dynos", dyno["name"], "actions", "stop"))
        raise


def _start(session: Session, body: Record, *, wait: Callable[[float], None] = time.sleep) -> Record:
    """A dyno. A release that is only just coming about is given three seconds."""
    for attempt in range(3):
        try:
            dyno: Record = session.api.post(session.at("dynos"), body)
            return dyno
        except Refused as error:
            if error.id != _NOT_READY or attempt == 2:
                raise
            wait(1.0)
    raise AssertionError("unreachable")


def _collector(captured: bytearray) -> Callable[[bytes], None]:
    def collect(data: bytes) -> None:
        captured.extend(data)
        if len(captured) > LARGEST_OUTPUT:
            raise CliError(
                "The output is too long for --json.", "Leave --json away and it is passed on as it comes."
            )

    return collect


@commands.command(
    "run:detached",
    needs="app",
    program=True,
    shape="dyno",
    examples=(
        (
            "baton run:detached python manage.py rebuild_index -a shop",
            "goes on alone; its output is in the logs",
        ),
    ),
)
def run_detached(
    session: Session, command: Program = None, size: Size = None, type_: Type = None, env: Env = None
) -> None:
    """Run a program in a one-off dyno that goes on alone."""
    line = _typed(command)
    body = dyno_request(line, size=size, kind=type_, env=parse_env(env or ()), terminal=None)
    with session.out.action(join("Running ", (line, "bold"), " on ", app_name(session.app))) as step:
        dyno = _start(session, body)
        step.done(dyno["name"])
    session.out.show(dyno, [f"Run baton logs --app {session.app} --dyno {dyno['name']} to view the output."])


def dyno_request(
    command: str, *, size: str | None, kind: str | None, env: dict[str, str], terminal: Terminal | None
) -> dict[str, Any]:
    """The body of POST /apps/:app/dynos. `terminal` None: detached."""
    shape = {"TERM": terminal.kind, "COLUMNS": terminal.columns, "LINES": terminal.lines} if terminal else {}
    wanted: dict[str, Any] = {"attach": terminal is not None, "command": command, "env": {**shape, **env}}
    if terminal and not terminal.interactive:
        wanted["force_no_tty"] = True
    return wanted | ({"size": size} if size else {}) | ({"type": kind} if kind else {})


def parse_env(entries: Sequence[str]) -> dict[str, str]:
    """`A=1` entries; several in one are separated by semicolons. Raises UsageError."""
    found = {}
    for entry in filter(None, ";".join(entries).split(";")):
        name, sign, value = entry.partition("=")
        if not (sign and name):
            raise UsageError("Expected --env NAME=VALUE, found a word without an equals sign.")
        found[name] = value
    return found


def _typed(command: list[str] | None) -> str:
    if not command:
        raise UsageError("What should be run? Expected a command.", "Type something like baton run bash")
    return rendezvous.command_line(command)
