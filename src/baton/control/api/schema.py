"""Heroku's published schema: read once, and asked what a path is for that Baton does not serve."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

FILE = Path(__file__).with_name("platform-schema.json")
_PLACE = re.compile(r"\{\([^)]*\)\}")


@cache
def document() -> dict[str, Any]:
    """The schema; shared, not to be changed."""
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


@cache
def _links() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """(method, pattern of the path, what it is for) of every link in the schema."""
    found = []
    for resource in document()["definitions"].values():
        for link in resource.get("links", []):
            if "method" in link:
                pattern = "[^/]+".join(re.escape(part) for part in _PLACE.split(unquote(link["href"])))
                found.append((link["method"], re.compile(pattern), link.get("description") or link["title"]))
    return tuple(found)


def purpose(method: str, path: str) -> str | None:
    """What Heroku's API does there, in its own words; None when it has no such endpoint."""
    for known, pattern, description in _links():
        if known == method and pattern.fullmatch(path):
            return description.strip().rstrip(".")
    return None
