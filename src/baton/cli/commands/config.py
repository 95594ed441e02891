"""Config vars: show, get, set, unset."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Annotated

import typer

from baton.cli import changes
from baton.cli.errors import NotFound, UsageError
from baton.cli.output import Line, app_name, header, join, pairs
from baton.cli.registry import Registry
from baton.cli.session import Session

commands = Registry("Config vars")

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
Shell = Annotated[bool, typer.Option("-s", "--shell", help="Print NAME=value lines quoted for a shell.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME", help="Config vars.")]


@commands.command(
    "config",
    needs="app",
    shape='{"NAME": "value", ...}',
    examples=(
        ("baton config --app shop", "every config var and its value"),
        ("baton config -a shop --shell > .env", "as lines that a shell can read"),
    ),
)
def config(session: Session, shell: Shell = False) -> None:
    """Show an app's config vars."""
    found = session.api.get(session.at("config-vars"))
    session.out.show(found, shell_lines(found) if shell else config_lines(session.app, found))


def config_lines(app: str, found: Mapping[str, str]) -> list[Line]:
    if not found:
        return [join(app_name(app), " has no config vars.")]
    return [header(join(app_name(app), " Config Vars")), "", *pairs(dict(sorted(found.items())))]


def shell_lines(found: Mapping[str, str]) -> list[Line]:
    return [f"{name}={shlex.quote(value)}" for name, value in sorted(found.items())]


@commands.command(
    "config:get",
    needs="app",
    shape='{"NAME": "value", ...}',
    examples=(
        ("baton config:get DATABASE_URL -a shop", "the value alone; exit code 4 when it is not set"),
        ("baton config:get DEBUG DATABASE_URL -a shop --shell", "several, as NAME=value lines"),
    ),
)
def get(session: Session, names: Names, shell: Shell = False) -> None:
    """Print the values of config vars."""
    found = session.api.get(session.at("config-vars"))
    missing = [name for name in names if name not in found]
    chosen = {name: found[name] for name in names if name in found}
    session.out.show(chosen, shell_lines(chosen) if shell else list(chosen.values()))
    if missing:
        raise NotFound(
            f"{session.app} has no config var {', '.join(missing)}.", "Type baton config to see those it has."
        )


@commands.command(
    "config:set",
    needs="app",
    aliases=("config:add",),
    shape='{"NAME": "value", ...}',
    examples=(
        ("baton config:set DEBUG=false -a shop", "a new release; nothing is lost while it takes over"),
        ("baton config set API_URL=https://api.example.org LANG=C.UTF-8", "two in one release"),
    ),
)
def set_vars(
    session: Session,
    pairs_typed: Annotated[list[str], typer.Argument(metavar="NAME=VALUE", help="Config vars.")],
) -> None:
    """Set config vars and hand over to dynos that have them."""
    wanted = parse_pairs(pairs_typed)
    label = join("Setting ", ", ".join(wanted), " and restarting ", app_name(session.app))
    with session.out.action(label) as step:
        found = session.api.patch(session.at("config-vars"), wanted)
        step.done(changes.newest_version(session))
    changes.settle_newest(session)
    chosen = {name: found[name] for name in wanted if name in found}
    session.out.show(found, ["", *pairs(chosen)])


def parse_pairs(typed: Iterable[str]) -> dict[str, str]:
    """Raises UsageError; its message holds the name and never the value, which may be a secret."""
    found: dict[str, str] = {}
    for entry in typed:
        name, sign, value = entry.partition("=")
        if not sign:
            raise UsageError(
                "Expected NAME=VALUE, found a word without an equals sign.",
                "Type baton config:set DEBUG=false",
            )
        if not _NAME.match(name):
            raise UsageError(
                f"{name!r} can't be a config var's name.", "Use letters, digits and underscores."
            )
        found[name] = value
    return found


@commands.command(
    "config:unset",
    needs="app",
    aliases=("config:remove",),
    shape='{"NAME": "value", ...}',
    examples=(("baton config:unset DEBUG -a shop", "the app no longer has it"),),
)
def unset(session: Session, names: Names) -> None:
    """Remove config vars and hand over to dynos that lack them."""
    label = join("Unsetting ", ", ".join(names), " and restarting ", app_name(session.app))
    with session.out.action(label) as step:
        found = session.api.patch(session.at("config-vars"), dict.fromkeys(names))
        step.done(changes.newest_version(session))
    changes.settle_newest(session)
    session.out.show(found)
