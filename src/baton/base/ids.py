"""Identifiers: Heroku's UUIDs, the short key that names an app's directories, app names."""

from __future__ import annotations

import re
import secrets
import uuid

APP_NAME = re.compile(r"^[a-z][a-z0-9-]{1,28}[a-z0-9]$")

_ADJECTIVES = (
    "amber autumn brisk calm clear crimson damp early fair gentle hidden lively mellow misty northern "
    "patient quiet restless silent silver still sturdy swift tidal upland vivid warm wild winter young"
).split()
_NOUNS = (
    "anchor basin beacon bridge canyon cedar cliff comet delta dune ember fjord forest garden glacier "
    "harbor island lagoon lantern meadow mesa orchard peak prairie reef ridge river shore spruce summit"
).split()


def new_key() -> str:
    """12 hex digits: the name of an app's directories and sockets, for life."""
    return uuid.uuid4().hex[:12]


def new_token() -> str:
    """A bearer token in Heroku's present form, 256 bits of randomness."""
    return f"HRKU-{secrets.token_urlsafe(32)}"


def random_app_name() -> str:
    """A name like `quiet-harbor-48213`, as `create` gives to an app without one."""
    number = secrets.randbelow(90000) + 10000
    return f"{secrets.choice(_ADJECTIVES)}-{secrets.choice(_NOUNS)}-{number}"


def is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text.lower()
    except ValueError:
        return False
