"""Request bodies: JSON objects, bounded in size and depth, and the reading of their members."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from baton.control.api.errors import BadRequest, InvalidParams, TooLarge

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 20
Json = Any
T = TypeVar("T")


def parse(raw: bytes) -> dict[str, Json]:
    """The JSON object in `raw`; nothing is an empty object. Raises BadRequest, TooLarge."""
    if len(raw) > MAX_BYTES:
        raise TooLarge(f"A request body holds at most {MAX_BYTES} bytes; found {len(raw)}.")
    if not raw.strip():
        return {}
    try:
        found = json.loads(raw, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, an endless number
        raise BadRequest(f"The request body should be JSON; it can't be read ({_reason(error)}).") from error
    _check(found)
    if not isinstance(found, dict):
        raise BadRequest(f"The request body should be a JSON object; found {_kind(found)}.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _reason(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno} column {error.colno}"
    return "nested too deeply" if isinstance(error, RecursionError) else type(error).__name__


def _check(found: Json) -> None:
    """Refuse what is nested too deeply, and text that no database or process could hold."""
    level = [found]
    for _ in range(MAX_DEPTH):
        level = [inner for value in level for inner in _inside(value)]
        if not level:
            return
    raise BadRequest(f"The request body is nested more than {MAX_DEPTH} levels deep.")


def _inside(value: Json) -> list[Json]:
    if isinstance(value, str) and not _sound(value):
        raise BadRequest("A text in the request body has half of a surrogate pair, or a NUL character.")
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return value if isinstance(value, list) else []


def _sound(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


_KINDS = {
    bool: "true or false",
    str: "a text",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "an object",
}


def _kind(value: Json) -> str:
    return _KINDS.get(type(value), "null")


class Members:
    """The members of a JSON object, read one by one. Each reader raises InvalidParams naming the member."""

    def __init__(self, found: Mapping[str, Json], where: str = "") -> None:
        self.found = found
        self.where = where

    def __contains__(self, name: str) -> bool:
        return self.found.get(name) is not None

    def text(
        self, name: str, *, limit: int = 1000, pattern: re.Pattern[str] | None = None, like: str = ""
    ) -> str | None:
        """The text, or None when it is absent or null. `like` says in words what `pattern` asks for."""
        value = self.found.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self._refuse(name, "a text", value)
        if len(value) > limit:
            raise InvalidParams(f"{self.where}{name} holds at most {limit} characters; found {len(value)}.")
        if pattern and not pattern.fullmatch(value):
            raise InvalidParams(f"{self.where}{name} should be {like}; found {value[:100]!r}.")
        return value

    def flag(self, name: str) -> bool | None:
        """0 and 1 are understood too: some clients send them."""
        value = self.found.get(name)
        if value is not None and value not in (False, True):
            self._refuse(name, "true or false", value)
        return None if value is None else bool(value)

    def whole(self, name: str, low: int, high: int) -> int | None:
        value = self.found.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self._refuse(name, "a whole number", value)
        if not low <= value <= high:
            found = str(value)[:30]
            raise InvalidParams(f"{self.where}{name} should be from {low} to {high}; found {found}.")
        return value

    def object(self, name: str) -> dict[str, Json] | None:
        value = self.found.get(name)
        if value is not None and not isinstance(value, dict):
            self._refuse(name, "an object", value)
        return value

    def items(self, name: str, limit: int) -> list[Json] | None:
        value = self.found.get(name)
        if value is None:
            return None
        if not isinstance(value, list):
            self._refuse(name, "a list", value)
        if len(value) > limit:
            raise InvalidParams(f"{self.where}{name} holds at most {limit} entries; found {len(value)}.")
        return value

    def texts(self, name: str, keys: int = 500, limit: int = 64 * 1024) -> dict[str, str] | None:
        """An object whose values are all texts, such as process types."""
        value = self.object(name)
        if value is None:
            return None
        if len(value) > keys:
            raise InvalidParams(f"{self.where}{name} holds at most {keys} entries; found {len(value)}.")
        inner = Members(value, f"{self.where}{name}.")
        return {key: inner.need(inner.text(key, limit=limit), key) for key in value}

    def need(self, value: T | None, name: str) -> T:
        if value is None:
            raise InvalidParams(f"{self.where}{name} is missing.")
        return value

    def _refuse(self, name: str, wanted: str, value: Json) -> NoReturn:
        raise InvalidParams(f"{self.where}{name} should be {wanted}; found {_kind(value)}.")
