""".slugignore: what is pushed but not deployed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from baton.build.errors import SlugIgnoreError

LIMIT = 100_000  # bytes
MOST_PATTERNS = 1_000


@dataclass(frozen=True)
class Pattern:
    """`directory`: it ends in a slash and so means directories only."""

    expression: re.Pattern[str]
    directory: bool

    def matches(self, path: str, *, is_directory: bool) -> bool:
        return (is_directory or not self.directory) and self.expression.match(path) is not None


def parse(text: str) -> tuple[Pattern, ...]:
    """One pattern a line, as in .gitignore but without negation. Raises SlugIgnoreError."""
    patterns = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("!"):
            raise SlugIgnoreError(number, line, "patterns that begin with ! are not supported.")
        if ".." in line.split("/"):
            raise SlugIgnoreError(number, line, "a pattern can't leave the tree.")
        patterns.append(_pattern(line))
        if len(patterns) > MOST_PATTERNS:
            raise SlugIgnoreError(number, line, f"there may be {MOST_PATTERNS} patterns.")
    return tuple(patterns)


def ignored(patterns: Iterable[Pattern], path: str, *, is_directory: bool) -> bool:
    """Whether `path`, relative to the root, is to be left out."""
    return any(pattern.matches(path, is_directory=is_directory) for pattern in patterns)


def _pattern(line: str) -> Pattern:
    directory = line.endswith("/")
    body = line.strip("/")
    anchored = line.startswith("/") or "/" in body
    expression = "".join(_translate(body))
    return Pattern(re.compile(rf"{'' if anchored else '(?:.*/)?'}{expression}\Z", re.DOTALL), directory)


def _translate(body: str) -> Iterable[str]:
    for piece in re.findall(r"\*\*/|\*+|\?|[^*?]+", body):
        if piece == "**/":
            yield "(?:.*/)?"
        elif piece == "**":
            yield ".*"
        elif piece.startswith("*"):
            yield "[^/]*"
        elif piece == "?":
            yield "[^/]"
        else:
            yield re.escape(piece)
