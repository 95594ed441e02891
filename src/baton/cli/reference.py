"""The reference of all commands, written from the commands themselves: `python -m baton.cli.reference`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any

import typer

from baton.cli.commands import COMMANDS
from baton.cli.errors import Code
from baton.cli.registry import Command, application, common_options

_INTRODUCTION = """\
# Commands

The words are Heroku's. A colon and a space are the same: `baton config:set A=b`, `baton config set A=b`.
Options may stand anywhere. `baton help COMMAND` prints what stands here.

This page is written by `python -m baton.cli.reference`.
"""
_APP = """\
## Which app

Commands about an app take the first of these that there is:

1. `--app NAME` (`-a`)
2. the app of the git remote that `--remote NAME` (`-r`) names
3. the environment variables `BATON_APP`, then `HEROKU_APP`
4. the git remotes of this repository that lead to a known server; when they name several apps, the remote
   that `git config baton.remote NAME` chooses

A remote looks like `http://127.0.0.1:5100/shop.git`. Known are the server in use and those signed in to.
"""
_SERVER = """\
## Which server

`--host ADDRESS`, else `BATON_HOST`, else the server that the git remote leads to, else the one of the last
`baton login`, else `http://127.0.0.1:5100`. Plain http is spoken to this machine only.

A token is shown only to the server it was made for. `BATON_API_KEY` belongs to the server that `BATON_HOST`
names, or to the default one; `HEROKU_API_KEY` is used only where `HEROKU_HOST` names this very server.
"""
_VARIABLES = {
    "BATON_HOST": "the server's address",
    "BATON_API_KEY": "a token, in place of `baton login`",
    "HEROKU_API_KEY": "the same, if `HEROKU_HOST` names the server",
    "BATON_APP": "the app; `HEROKU_APP` is read too",
    "BATON_CA_FILE": "a PEM file with one more certificate authority to trust",
    "XDG_CONFIG_HOME": "where `baton/credentials.toml` lies, in place of `~/.config`",
    "NO_COLOR": "set to anything: no colours",
}
_CODES = {
    Code.OK: "done",
    Code.FAILED: "refused or failed",
    Code.USAGE: "the words typed can't be used",
    Code.NOT_SIGNED_IN: "no token for this server, or one it does not take",
    Code.NOT_FOUND: "no such app, release, config var ...",
    Code.UNREACHABLE: "no server answers",
    Code.INTERRUPTED: "ended by Ctrl-C",
}
_JSON = """\
## JSON

With `--json` a command prints one document on stdout, made of the API's objects; each command below says
which. Progress stays on stderr, and so do errors: one line `{"id", "message", "hint", "exit_code"}`.
"""


def page() -> str:
    parsers = typer.main.get_command(application(COMMANDS)).commands  # type: ignore[attr-defined]
    shown = [command for command in COMMANDS if not command.hidden]
    parts = [
        _INTRODUCTION,
        _APP,
        _SERVER,
        _table("Environment", "Variable", _VARIABLES),
        _exit_codes(),
        _JSON,
    ]
    for group, members in groupby(sorted(shown, key=_place(shown)), key=lambda command: command.group):
        parts.append(f"## {group}\n")
        parts += [_section(command, parsers[command.name]) for command in members]
    return "\n".join(parts)


def _place(commands: Iterable[Command]) -> Any:
    """A group stands where its first command does."""
    order = list(dict.fromkeys(command.group for command in commands))
    return lambda command: order.index(command.group)


def _table(title: str, head: str, rows: dict[str, str]) -> str:
    lines = [f"## {title}", "", f"| {head} | Meaning |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {meaning} |" for name, meaning in rows.items()), ""])


def _exit_codes() -> str:
    table = _table("Exit codes", "Code", {str(int(code)): meaning for code, meaning in _CODES.items()})
    return f"{table}\n`baton run` ends with the program's own exit code.\n"


def _section(command: Command, parser: Any) -> str:
    lines = [f"### baton {command.name}", "", command.help, "", f"    {_usage(command, parser)}", ""]
    options = list(_parameters(command, parser))
    if options:
        lines += [*options, ""]
    if command.aliases:
        lines += [f"Also: {', '.join(f'`baton {alias}`' for alias in command.aliases)}.", ""]
    if command.shape:
        lines += [f"JSON: `{command.shape}`", ""]
    return "\n".join([*lines, *_examples(command), ""])


def _usage(command: Command, parser: Any) -> str:
    words = [_word(parameter) for parameter in parser.params if parameter.param_type_name == "argument"]
    shared = {"app": " [--app APP]", "server": "", "nothing": ""}[command.needs]
    return f"baton {command.name}{shared}{''.join(f' {word}' for word in words)}"


def _word(parameter: Any) -> str:
    name = f"{parameter.metavar or parameter.name}{'...' if parameter.nargs == -1 else ''}"
    return name if parameter.required else f"[{name}]"


def _parameters(command: Command, parser: Any) -> Iterator[str]:
    """Its own arguments and options; those that all share are told once, above."""
    shared = {f"--{name}" for name in common_options(command)}
    for parameter in parser.params:
        if parameter.param_type_name == "argument":
            yield f"- `{_word(parameter)}`: {parameter.help}"
        elif not shared & set(parameter.opts) and "--help" not in parameter.opts:
            spelled = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
            value = "" if parameter.is_flag else f" `{parameter.metavar or 'N'}`"
            yield f"- {spelled}{value}: {parameter.help}{_default(parameter)}"


def _default(parameter: Any) -> str:
    return "" if parameter.is_flag or parameter.default is None else f" Default: `{parameter.default}`."


def _examples(command: Command) -> Iterator[str]:
    yield "```console"
    for typed, meaning in command.examples:
        yield f"$ {typed}  # {meaning}"
    yield "```"


if __name__ == "__main__":
    sys.stdout.write(page())
