"""Heroku's published schema: given out as it is, and asked which of its paths Baton does not serve."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from django.http import HttpRequest

from baton.control.api.errors import Missing, NotServed
from baton.control.api.frame import Answer

FILE = Path(__file__).with_name("platform-schema.json")
_PLACE = re.compile(r"\{\([^)]*\)\}")


@cache
def document() -> dict[str, Any]:
    """The schema, read once."""
    found: dict[str, Any] = json.loads(FILE.read_text())
    return found


def show(request: HttpRequest) -> Answer:
    """GET /schema, with this server in the place of Heroku's."""
    here = request.build_absolute_uri("/").rstrip("/")
    links = [
        {**link, "href": here if link["rel"] == "self" and "method" not in link else link["href"]}
        for link in document()["links"]
    ]
    return Answer({**document(), "links": links})


@cache
def _paths() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    """(method, pattern of the path, what it is for) of every link in the schema."""
    found = []
    for resource in document()["definitions"].values():
        for link in resource.get("links", []):
            if "method" in link:
                pattern = "[^/]+".join(re.escape(part) for part in _PLACE.split(unquote(link["href"])))
                found.append((link["method"], re.compile(pattern), link.get("description") or link["title"]))
    return tuple(found)


def not_served(method: str, path: str) -> Exception:
    """What to answer to a path that no route has."""
    for known, pattern, description in _paths():
        if known == method and pattern.fullmatch(path):
            purpose = description.strip().rstrip(".")
            return NotServed(f"Baton does not serve {method} {path[:200]} ({purpose}).")
    return Missing("endpoint", f"There is no {method} {path[:200]} in this API.")
