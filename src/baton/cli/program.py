"""One command line from words to exit code. Whatever goes wrong ends here as a message, a hint and a code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import typer

from baton import __version__
from baton.cli.argv import canonical
from baton.cli.commands import COMMANDS
from baton.cli.errors import CliError, Code, UsageError
from baton.cli.output import Output
from baton.cli.registry import application, grammar


def run(words: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; see baton.cli.errors.Code."""
    out = Output(json="--json" in words)
    try:
        return _ended(_dispatch(words))
    except CliError as error:
        out.error(error)
        return int(error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return Code.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone (`| head`); the interpreter must not fail again when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Code.FAILED


def _dispatch(words: Sequence[str]) -> object:
    app = application(COMMANDS)
    line = canonical(words, grammar(app, COMMANDS))
    if line == ["--version"]:
        return _version()
    try:
        return app(line or ["--help"], prog_name="baton", standalone_mode=False)
    except typer.TyperException as error:
        hint = f"baton {line[0]} --help shows what it takes." if line and not line[0].startswith("-") else ""
        raise UsageError(error.format_message(), hint) from error


def _version() -> int:
    sys.stdout.write(f"baton/{__version__} python-{sys.version.split()[0]}\n")
    return Code.OK


def _ended(result: object) -> int:
    return result if isinstance(result, int) else Code.OK
