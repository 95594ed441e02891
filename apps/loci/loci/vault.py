"""Encryption of what is stored about a signed-in person, with keys derived from DJANGO_SECRET_KEY.

A key that is being replaced goes to DJANGO_SECRET_KEY_FALLBACKS: what it encrypted can still be read,
and is encrypted with the new key when it is next written.
"""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_PURPOSE = b"loci: access tokens at rest, version 1"


class Unreadable(Exception):
    """Stored text that none of the present keys can open: the key was changed without a fallback."""


@lru_cache(maxsize=32)
def _fernet(secret: str) -> Fernet:
    key = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(secret.encode())
    return Fernet(base64.urlsafe_b64encode(key))


def _keys() -> MultiFernet:
    return MultiFernet([_fernet(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def seal(text: str) -> str:
    return _keys().encrypt(text.encode()).decode()


def unseal(sealed: str) -> str:
    """Raises ``Unreadable``."""
    try:
        return _keys().decrypt(sealed.encode()).decode()
    except InvalidToken as error:
        raise Unreadable("A stored token cannot be opened with the present DJANGO_SECRET_KEY.") from error
