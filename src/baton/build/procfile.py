"""The Procfile: process types and their commands."""

from __future__ import annotations

import re

from baton.build.errors import ProcfileError

LIMIT = 100_000  # bytes
LONGEST_TYPE = 63
_LINE = re.compile(r"^([A-Za-z0-9_-]+)\s*:\s*(.*)$")


def parse(text: str) -> dict[str, str]:
    """`type: command` lines to {type: command}, in order. Raises ProcfileError naming the line."""
    types: dict[str, str] = {}
    for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, command = _parse_line(number, line)
        if name in types:
            raise ProcfileError(number, line, f"the process type {name!r} is there twice.")
        types[name] = command
    return types


def _parse_line(number: int, line: str) -> tuple[str, str]:
    found = _LINE.match(line)
    if found is None:
        problem = (
            "a process type has letters, digits, - and _ only."
            if ":" in line
            else "the colon between process type and command is missing."
        )
        raise ProcfileError(number, line[:200], problem)
    name, command = found.groups()
    if not command:
        raise ProcfileError(number, line[:200], f"the process type {name!r} has no command.")
    if len(name) > LONGEST_TYPE:
        raise ProcfileError(number, line[:200], f"a process type has at most {LONGEST_TYPE} characters.")
    if "\0" in command:
        raise ProcfileError(number, line[:200], "a command can't hold a NUL byte.")
    return name, command
