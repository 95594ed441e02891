"""The words of a build as its user sees them: Heroku's look, and no secret in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit

from baton.build.errors import BuildError

INDENT = " " * 7
SHORTEST_SECRET = 8
LONGEST_LINE = 10_000

# Values that are names of things, which messages could not be understood without.
PLAIN = frozenset(
    "DJANGO_SETTINGS_MODULE DJANGO_CONFIGURATION PYTHONPATH NODE_ENV TZ LANG LC_ALL PATH STACK NODE_OPTIONS "
    "DJANGO_LOG_LEVEL LOG_LEVEL DEBUG".split()
)


class Output:
    """Lines for the user, each redacted."""

    def __init__(self, out: Callable[[str], None], env: Mapping[str, str]) -> None:
        self._out = out
        self._secrets = secrets_of(env)

    def title(self, text: str) -> None:
        self.line(f"-----> {text}")

    def detail(self, text: str) -> None:
        self.line(f"{INDENT}{text}")

    def warn(self, text: str) -> None:
        for line in text.splitlines():
            self.line(f" !     {line}")

    def line(self, text: str) -> None:
        self._out(self.redact(text))

    def error(self, error: BuildError) -> None:
        for line in error_lines(error):
            self.line(line)

    def redact(self, text: str) -> str:
        for value, name in self._secrets:
            if value in text:
                text = text.replace(value, f"[{name}]")
        return text


def error_lines(error: BuildError) -> list[str]:
    """What a person is shown of an error: its title, what was expected and found, what to type next, its
    code.
    """
    body = [
        f"Error: {error.title}.",
        "",
        *error.message.splitlines(),
        "",
        *error.hint.splitlines(),
        f"({error.code})",
    ]
    return ["", *(f" !     {line}".rstrip() for line in body), ""]


def secrets_of(env: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """(value, name) pairs to hide, longest first; of URLs also the password alone, of texts each line."""
    found: dict[str, str] = {}
    for name, value in env.items():
        if name in PLAIN:
            continue
        for part in (value, *value.splitlines(), *_password(value)):
            if len(part.strip()) >= SHORTEST_SECRET:
                found.setdefault(part.strip(), name)
    return tuple(sorted(found.items(), key=lambda pair: -len(pair[0])))


def _password(value: str) -> tuple[str, ...]:
    try:
        password = urlsplit(value).password or ""
    except ValueError:
        return ()
    return (password, unquote(password))


def indented(line: str) -> str:
    """A line of a program's output below its title; what is a title or a warning already stays as it is."""
    return line if line.startswith(("-----> ", " !     ")) else f"{INDENT}{line}"


class Lines:
    """Bytes to lines: bounded in length, the last state of a progress bar only, undecodable bytes shown."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            whole.append(self._rest)
            self._rest = b""
        return [_text(line) for line in whole]

    def end(self) -> list[str]:
        rest, self._rest = self._rest, b""
        return [_text(rest)] if rest else []


def _text(line: bytes) -> str:
    shown = line.rstrip(b"\r").rpartition(b"\r")[2]
    return shown[:LONGEST_LINE].decode("utf-8", "backslashreplace")
