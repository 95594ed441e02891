"""The commands, each a function with what its help needs; and the Typer application made of them.

A command declares what it `needs`: an app, a server, or nothing at all. The options that follow from that
(--app, --remote, --host, --json) are added here, so that they are the same everywhere.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_type_hints

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text
from typer.core import TyperCommand

from baton.cli.argv import Grammar
from baton.cli.session import Options, Session

Needs = Literal["app", "server", "nothing"]
Example = tuple[str, str]

_COMMON: dict[str, tuple[Any, Any]] = {
    "app": (Annotated[str | None, typer.Option("-a", "--app", metavar="NAME", help="The app.")], None),
    "remote": (
        Annotated[
            str | None, typer.Option("-r", "--remote", metavar="NAME", help="The git remote of the app.")
        ],
        None,
    ),
    "host": (
        Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="The Baton server.")],
        None,
    ),
    "json": (Annotated[bool, typer.Option("--json", help="Print the API's objects as JSON.")], False),
}
_OPTIONS_OF: dict[str, tuple[str, ...]] = {
    "app": ("app", "remote", "host", "json"),
    "server": ("host", "json"),
    "nothing": ("json",),
}


@dataclass(frozen=True)
class Command:
    """One command. `examples`: what to type and what it does. `program`: its words are another program's."""

    name: str
    group: str
    function: Callable[..., int | None]
    needs: Needs
    examples: tuple[Example, ...]
    aliases: tuple[str, ...] = ()
    shape: str = ""  # what --json prints; empty: the command has no --json
    program: bool = False
    hidden: bool = False

    @property
    def help(self) -> str:
        return inspect.getdoc(self.function) or ""


class Registry:
    """The commands of one module, in the order in which the help lists them."""

    def __init__(self, group: str) -> None:
        self.group = group
        self.commands: list[Command] = []

    def command(
        self,
        name: str,
        *,
        needs: Needs,
        examples: Iterable[Example],
        aliases: Iterable[str] = (),
        shape: str = "",
        program: bool = False,
        hidden: bool = False,
    ) -> Callable[[Callable[..., int | None]], Callable[..., int | None]]:
        """Registers a function `(session, ...own arguments in Typer's words) -> exit code or None`."""

        def add(function: Callable[..., int | None]) -> Callable[..., int | None]:
            record = Command(
                name, self.group, function, needs, tuple(examples), tuple(aliases), shape, program, hidden
            )
            self.commands.append(record)
            return function

        return add


def application(commands: Iterable[Command]) -> typer.Typer:
    app = typer.Typer(
        name="baton",
        help=_ABOUT,
        epilog=_EPILOG,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings=_HELP_OPTIONS,
    )
    for command in commands:
        app.command(
            command.name,
            cls=_parser(command),
            help=escape(command.help),
            hidden=command.hidden,
            rich_help_panel=command.group,
            context_settings=_HELP_OPTIONS,
        )(_callback(command))
    return app


def common_options(command: Command) -> tuple[str, ...]:
    """The shared options that `command` has, but for those it declares itself."""
    own = inspect.signature(command.function).parameters
    wanted = [name for name in _OPTIONS_OF[command.needs] if name != "json" or command.shape]
    return tuple(name for name in wanted if name not in own)


def _callback(command: Command) -> Callable[..., int | None]:
    """The function with the shared options behind its own, as Typer reads it."""
    hints = get_type_hints(command.function, include_extras=True)
    own = [
        parameter.replace(annotation=hints[name])
        for name, parameter in inspect.signature(command.function).parameters.items()
        if name != "session"
    ]
    shared = common_options(command)
    added = [
        inspect.Parameter(name, _KEYWORD, default=_COMMON[name][1], annotation=_COMMON[name][0])
        for name in shared
    ]

    def call(**arguments: Any) -> int | None:
        options = Options(**{name: arguments.pop(name) for name in shared})
        with Session.begin(options, about_app=command.needs == "app") as session:
            session.make_ready()
            return command.function(session, **arguments)

    keywords = [parameter.replace(kind=_KEYWORD) for parameter in own]
    call.__signature__ = inspect.Signature([*keywords, *added])  # type: ignore[attr-defined]
    return call


def _parser(command: Command) -> type[TyperCommand]:
    class WithExamples(TyperCommand):
        """Help that ends in lines to type."""

        def format_help(self, ctx: Any, formatter: Any) -> None:
            super().format_help(ctx, formatter)
            console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
            console.print(Text(" Examples", style="bold"))
            for line in example_lines(command):
                console.print(line)
            console.print()

    return WithExamples


def example_lines(command: Command) -> list[Text]:
    width = max((len(typed) for typed, _ in command.examples), default=0)
    return [
        Text.assemble("   ", (f"$ {typed}".ljust(width + 4), "cyan"), (meaning, "dim"))
        for typed, meaning in command.examples
    ]


def grammar(app: typer.Typer, commands: Iterable[Command]) -> Grammar:
    """What argv.canonical has to know, read from the parsers themselves."""
    known = list(commands)
    parsers = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    parameters = {command.name: parsers[command.name].params for command in known}
    return Grammar(
        names={spelling: command.name for command in known for spelling in (command.name, *command.aliases)},
        values={name: frozenset(_value_options(params)) for name, params in parameters.items()},
        without_words=frozenset(
            name for name, params in parameters.items() if not any(map(_is_argument, params))
        ),
        programs=frozenset(command.name for command in known if command.program),
    )


def _value_options(parameters: Iterable[Any]) -> Iterable[str]:
    for parameter in parameters:
        if not _is_argument(parameter) and not parameter.is_flag:
            yield from parameter.opts


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


_KEYWORD = inspect.Parameter.KEYWORD_ONLY
_HELP_OPTIONS = {"help_option_names": ["-h", "--help"]}
_ABOUT = "git push puts a Django application into production and drops nothing. The words are Heroku's."
_EPILOG = (
    "Colons and spaces are the same: baton config:set A=b, baton config set A=b. Each command has examples: "
    "baton help config:set.\n\n"
    "Exit codes: 0 done, 1 refused or failed, 2 usage, 3 not signed in, 4 not found, 5 no server answers; "
    "run ends with the program's own."
)
