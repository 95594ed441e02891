"""app.json: what an app is made of when it is created from its source. Not read on later pushes.

Fields as https://devcenter.heroku.com/articles/app-json-schema has them; unknown ones are left alone, as
Heroku does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from baton.build.errors import AppJsonError

LIMIT = 1_000_000  # bytes
_TYPE = re.compile(r"^[A-Za-z0-9_-]+$")
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


@dataclass(frozen=True)
class EnvVar:
    """`generator` is "secret" or None; a required one without value is asked of who creates the app."""

    name: str
    value: str | None = None
    description: str = ""
    required: bool = True
    generator: str | None = None


@dataclass(frozen=True)
class AddOn:
    """`plan` as "service:plan" or "service"; `alias`: the name it is attached as."""

    plan: str
    alias: str | None = None
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Formation:
    quantity: int = 1
    size: str | None = None


@dataclass(frozen=True)
class AppJson:
    name: str = ""
    description: str = ""
    repository: str = ""
    website: str = ""
    logo: str = ""
    success_url: str = ""
    stack: str | None = None
    keywords: tuple[str, ...] = ()
    env: tuple[EnvVar, ...] = ()
    formation: tuple[tuple[str, Formation], ...] = ()
    addons: tuple[AddOn, ...] = ()
    buildpacks: tuple[str, ...] = ()
    scripts: tuple[tuple[str, str], ...] = ()


def parse(text: str, environment: str | None = None) -> AppJson:
    """The document, with the part of `environments` of that name laid over it. Raises AppJsonError."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AppJsonError("the file", f"it should be JSON; {error}.") from error
    if not isinstance(document, dict):
        raise AppJsonError("the file", "it should be a JSON object.")
    over = _object(document, "environments").get(environment, {}) if environment else {}
    if not isinstance(over, dict):
        raise AppJsonError(f"environments.{environment}", "it should be an object.")
    return _read({**document, **over})


def _read(document: Mapping[str, Any]) -> AppJson:
    texts = {
        field: _text(document, field)
        for field in ("name", "description", "repository", "website", "logo", "success_url")
    }
    return AppJson(
        **texts,
        stack=_text(document, "stack") or None,
        keywords=tuple(_string("keywords", word) for word in _list(document, "keywords")),
        env=tuple(_env(name, value) for name, value in _object(document, "env").items()),
        formation=tuple(
            (_type(name), _formation(name, value)) for name, value in _object(document, "formation").items()
        ),
        addons=tuple(_addon(value) for value in _list(document, "addons")),
        buildpacks=tuple(_buildpack(value) for value in _list(document, "buildpacks")),
        scripts=tuple((name, _script(name, value)) for name, value in _object(document, "scripts").items()),
    )


def _env(name: str, value: object) -> EnvVar:
    where = f"env.{name}"
    if not _NAME.match(name):
        raise AppJsonError(where, "a config var has letters, digits and _, and no digit first.")
    if isinstance(value, str):
        return EnvVar(name, value)
    if not isinstance(value, dict):
        raise AppJsonError(where, "it should be a string or an object.")
    generator = value.get("generator")
    if generator not in (None, "secret"):
        raise AppJsonError(f"{where}.generator", f'it should be "secret"; found {generator!r}.')
    required = value.get("required", True)
    if not isinstance(required, bool):
        raise AppJsonError(f"{where}.required", f"it should be true or false; found {required!r}.")
    given = value.get("value")
    return EnvVar(
        name,
        None if given is None else _string(f"{where}.value", given),
        _string(f"{where}.description", value.get("description", "")),
        required,
        generator,
    )


def _formation(name: str, value: object) -> Formation:
    if not isinstance(value, dict):
        raise AppJsonError(f"formation.{name}", "it should be an object with quantity and size.")
    quantity = value.get("quantity", 1)
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 0 <= quantity <= 100:
        raise AppJsonError(
            f"formation.{name}.quantity", f"it should be a number from 0 to 100; found {quantity!r}."
        )
    size = value.get("size")
    return Formation(quantity, None if size is None else _string(f"formation.{name}.size", size))


def _addon(value: object) -> AddOn:
    if isinstance(value, str):
        return AddOn(value)
    if not isinstance(value, dict) or not isinstance(value.get("plan"), str):
        raise AppJsonError("addons", f"each should be a plan, or an object with one; found {value!r}.")
    options = _object(value, "options")
    alias = value.get("as")
    return AddOn(
        value["plan"],
        None if alias is None else _string("addons.as", alias),
        tuple((name, str(option)) for name, option in options.items()),
    )


def _buildpack(value: object) -> str:
    if isinstance(value, dict) and isinstance(value.get("url"), str):
        return str(value["url"])
    raise AppJsonError("buildpacks", f'each should be an object with "url"; found {value!r}.')


def _script(name: str, value: object) -> str:
    if isinstance(value, dict):
        value = value.get("command")
    return _string(f"scripts.{name}", value)


def _type(name: str) -> str:
    if not _TYPE.match(name):
        raise AppJsonError(f"formation.{name}", "a process type has letters, digits, - and _ only.")
    return name


def _text(document: Mapping[str, Any], field: str) -> str:
    return _string(field, document.get(field, ""))


def _string(where: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise AppJsonError(where, f"it should be a string; found {value!r}.")
    return str(value)


def _list(document: Mapping[str, Any], field: str) -> list[Any]:
    value = document.get(field, [])
    if not isinstance(value, list):
        raise AppJsonError(field, "it should be a list.")
    return value


def _object(document: Mapping[str, Any], field: str) -> dict[str, Any]:
    value = document.get(field, {})
    if not isinstance(value, dict):
        raise AppJsonError(field, "it should be an object.")
    return value
