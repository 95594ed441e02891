"""Heroku's published schema as a contract: the answer to each request has the shape that it promises."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any
from urllib.parse import unquote

import jsonschema

from baton.control.api.schema import FILE

# Pinned to Heroku's own hosts in the schema.
_FOREIGN = {("app", "git_url"), ("app", "web_url")}
# In the schema's list of a resource's members, but not of this machine: see baton.control.api.catalogue.
_LEFT_OUT = {("region", "provider")}
_PLACE = re.compile(r"\{\([^)]*\)\}")


@cache
def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text())
    for resource, member in _FOREIGN:
        found["definitions"][resource]["definitions"][member].pop("pattern")
    return found


@cache
def links() -> list[tuple[str, re.Pattern[str], dict[str, Any]]]:
    found = []
    for name, resource in schema()["definitions"].items():
        for link in resource.get("links", []):
            if "method" in link:
                pattern = "[^/]+".join(re.escape(part) for part in _PLACE.split(unquote(link["href"])))
                target = link.get("targetSchema") or {"$ref": f"#/definitions/{name}"}
                found.append((link["method"], re.compile(pattern), {"rel": link.get("rel"), **target}))
    return found


def target(method: str, path: str) -> dict[str, Any] | None:
    plain = path.partition("?")[0]
    return next(
        (found for known, pattern, found in links() if known == method and pattern.fullmatch(plain)), None
    )


def check(method: str, path: str, status: int, content: bytes) -> None:
    """Raises AssertionError or ValidationError when the answer breaks the contract."""
    if status >= 400:
        found = json.loads(content)
        assert set(found) >= {"id", "message"} and all(
            isinstance(found[name], str) for name in ("id", "message")
        )
        return
    promised = target(method, path)
    if promised is None or status in (202, 304) or method == "HEAD":
        return
    found = json.loads(content)
    rule = {name: value for name, value in promised.items() if name != "rel"}
    jsonschema.Draft4Validator({**rule, "definitions": schema()["definitions"]}).validate(found)
    name = _resource(rule)
    for record in found if isinstance(found, list) else [found]:
        _check_members(name, record)


def _resource(rule: dict[str, Any]) -> str | None:
    reference = rule.get("$ref") or rule.get("items", {}).get("$ref")
    return reference.removeprefix("#/definitions/") if reference else None


def _check_members(name: str | None, record: Any) -> None:
    """interagent's strictProperties: all of the members, whatever their values."""
    resource = schema()["definitions"].get(name, {})
    if resource.get("strictProperties") and "properties" in resource:
        missing = {
            member for member in set(resource["properties"]) - set(record) if (name, member) not in _LEFT_OUT
        }
        assert not missing, f"{name} lacks {sorted(missing)}"
