"""Proof Key for Code Exchange (RFC 7636), S256 only."""

from __future__ import annotations

import base64
import hmac
import re
from hashlib import sha256

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}\Z")


def is_challenge(text: str) -> bool:
    return bool(_CHALLENGE.match(text))


def proves(verifier: str, challenge: str) -> bool:
    """Whether ``verifier`` is the secret behind ``challenge``; without a challenge there must be none."""
    if not challenge:
        return not verifier
    if not _VERIFIER.match(verifier):
        return False
    digest = base64.urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    return hmac.compare_digest(digest, challenge)
