"""Secret URLs, for clients that send no token with them: uploads, log sessions, output streams.

The secret is the record's id with a signature, so nothing secret is stored and none can be guessed.
"""

from __future__ import annotations

import uuid

from django.core import signing

UPLOAD_SECONDS = 3600
SESSION_SECONDS = 24 * 3600
# Seconds that a URL of each kind lives; that of an output lives as long as its record.
KINDS: dict[str, int | None] = {
    "source": UPLOAD_SECONDS,
    "slug": UPLOAD_SECONDS,
    "logs": SESSION_SECONDS,
    "build": None,
    "release": None,
}


def seal(kind: str, record: uuid.UUID) -> str:
    """The last part of a secret URL of that kind."""
    return _signer(kind).sign(record.hex)


def open_(kind: str, part: str) -> uuid.UUID | None:
    """The record's id, or None when the part was not made by `seal` or has expired."""
    try:
        return uuid.UUID(hex=_signer(kind).unsign(part, max_age=KINDS[kind]))
    except (signing.BadSignature, ValueError):
        return None


def _signer(kind: str) -> signing.TimestampSigner:
    return signing.TimestampSigner(sep=".", salt=f"baton.{kind}")
