"""Heroku's freedom of spelling, brought into one form before the parser sees it.

`config set A=b`, `config:set A=b` and `-a shop config:set A=b` all become `config:set -a shop A=b`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from difflib import get_close_matches

from baton.cli.errors import UnknownCommand

_LONGEST_NAME = 2
_APP_OPTIONS = frozenset({"-a", "--app", "-r", "--remote"})
_APP_NAME = re.compile(r"^[a-z0-9][a-z0-9-]*$")
_HELP = ("help", "--help", "-h")
_VERSION = ("version", "--version", "-V")


@dataclass(frozen=True)
class Grammar:
    """What has to be known of the commands to read a line.

    `names`: every spelling, aliases too, to the command's own name. `values`: the options that take a value.
    `without_words`: commands that take options only. `programs`: those whose words are another program's.
    """

    names: Mapping[str, str]
    values: Mapping[str, Set[str]]
    without_words: Set[str] = frozenset()
    programs: Set[str] = frozenset()


def canonical(words: Sequence[str], grammar: Grammar) -> list[str]:
    """The line in one form: the command's own name first. Raises UnknownCommand."""
    every = frozenset[str]().union(*grammar.values.values())
    before, rest = _leading_options(words, every, until=_HELP + _VERSION)
    if rest and rest[0] in _HELP:
        before, rest = [*before, "--help"], rest[1:]
    if rest and rest[0] in _VERSION:
        return ["--version"]
    if not rest:
        return before
    name, rest = _command(rest, grammar)
    if name in grammar.programs:
        rest = program_line(rest, grammar.values[name])
    return [name, *before, *rest]


def program_line(words: Sequence[str], values: Set[str]) -> list[str]:
    """Options first, then `--`, then the program as it was typed.

    Up to the program's first word every option is ours. Behind it only the app's are, and only with a value
    that can be a name: `manage.py dumpdata -a -o x` keeps its -a. After a `--` nothing is.
    """
    ours, program = _leading_options(words, values)
    if program[:1] == ["--"]:
        return [*ours, *program]
    kept: list[str] = []
    queue = list(program)
    while queue:
        word = queue.pop(0)
        if word == "--":
            kept += [word, *queue]
            break
        if word in _APP_OPTIONS and queue and _APP_NAME.match(queue[0]):
            ours += [word, queue.pop(0)]
        elif word.startswith(("--app=", "--remote=")):
            ours.append(word)
        else:
            kept.append(word)
    return [*ours, "--", *kept]


def similar(word: str, names: Iterable[str], limit: int = 3) -> list[str]:
    return get_close_matches(word.lower(), sorted(names), n=limit, cutoff=0.65)


def _leading_options(
    words: Sequence[str], values: Set[str], until: Sequence[str] = ()
) -> tuple[list[str], list[str]]:
    """Options with their values, and what follows from the first word that is none, or is in `until`."""
    options, rest = list[str](), list(words)
    while rest and rest[0].startswith("-") and rest[0] not in ("--", "-", *until):
        taken = 2 if rest[0] in values else 1
        options += rest[:taken]
        rest = rest[taken:]
    return options, rest


def _command(words: list[str], grammar: Grammar) -> tuple[str, list[str]]:
    for length in range(min(_LONGEST_NAME, len(words)), 0, -1):
        name = grammar.names.get(":".join(words[:length]).lower())
        if name:
            _refuse_misspelled(name, words[length:], grammar)
            return name, words[length:]
    spelling = ":".join(words[:2]) if len(words) > 1 and not words[1].startswith("-") else words[0]
    guesses = similar(words[0], grammar.names) or similar(spelling, grammar.names)
    raise UnknownCommand(words[0], dict.fromkeys(guesses))


def _refuse_misspelled(name: str, rest: list[str], grammar: Grammar) -> None:
    """`config sett A=b` is a misspelled `config:set`, not `config` with words it can't take."""
    if name in grammar.without_words and rest and not rest[0].startswith("-"):
        below = [other for other in grammar.names if other.startswith(f"{name}:")]
        raise UnknownCommand(f"{name} {rest[0]}", similar(f"{name}:{rest[0]}", below))
