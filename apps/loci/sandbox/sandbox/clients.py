"""The application that is registered here, and how it proves who it is."""

from __future__ import annotations

import base64
import binascii
import hmac
from dataclasses import dataclass
from urllib.parse import unquote_plus

from django.conf import settings

from .errors import OAuthError


@dataclass(frozen=True)
class Client:
    id: str
    secret: str
    name: str
    redirect_uris: tuple[str, ...]


def registered() -> Client:
    return Client(
        settings.SANDBOX_CLIENT_ID,
        settings.SANDBOX_CLIENT_SECRET,
        settings.SANDBOX_CLIENT_NAME,
        tuple(settings.SANDBOX_REDIRECT_URIS),
    )


def find(client_id: str) -> Client | None:
    client = registered()
    return client if client.id and hmac.compare_digest(client.id.encode(), client_id.encode()) else None


def authenticate(authorization: str, client_id: str, client_secret: str) -> Client:
    """The client behind a token request, by HTTP Basic or by the form's fields. Raises ``invalid_client``."""
    if authorization:
        basic_id, basic_secret = _basic(authorization)
        if client_id not in ("", basic_id) or client_secret not in ("", basic_secret):
            raise OAuthError("invalid_request", "The header and the form name different clients.")
        client_id, client_secret = basic_id, basic_secret
    client = find(client_id)
    expected = client.secret if client else ""
    matches = hmac.compare_digest(expected.encode(), client_secret.encode())
    if client is None or not expected or not matches:
        raise OAuthError("invalid_client", "Unknown client, or wrong secret.", 401)
    return client


def _basic(authorization: str) -> tuple[str, str]:
    scheme, _, encoded = authorization.partition(" ")
    try:
        if scheme.lower() != "basic":
            raise ValueError(scheme)
        client_id, separator, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        if not separator:
            raise ValueError("no colon")
    except (ValueError, binascii.Error) as error:
        raise OAuthError("invalid_client", "The Authorization header is not HTTP Basic.", 401) from error
    return unquote_plus(client_id), unquote_plus(secret)
