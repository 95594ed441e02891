"""The Accept header: version 3 of the API, with any suffix, as JSON. Pure."""

from __future__ import annotations

import re

from baton.control.api.errors import NotAcceptable

_VERSION = re.compile(r";\s*version\s*=\s*\"?(\d+)(?:\.[\w-]+)?\"?\s*(?:;|$)", re.IGNORECASE)


def check(header: str | None) -> None:
    """Pass when JSON of version 3 is among what `header` asks for; no header asks for anything.

    Heroku's clients send `version=3`, `version=3.sdk`, `version=3.filters` and more: the suffix is ignored.
    Raises NotAcceptable.
    """
    if header is None or not header.strip():
        return
    if not any(_fits(part.strip()) for part in header.split(",")):
        raise NotAcceptable(
            f"This is version 3 of the Platform API, as JSON; the Accept header asks for {header[:200]!r}.",
            "Send `Accept: application/vnd.heroku+json; version=3`.",
        )


def _fits(part: str) -> bool:
    kind, _, parameters = part.partition(";")
    version = _VERSION.search(f";{parameters}") if parameters else None
    if version and version[1] != "3":
        return False
    kind = kind.strip().lower()
    return kind in {"*/*", "application/*", "application/json"} or (
        kind.startswith("application/") and kind.endswith("+json")
    )
