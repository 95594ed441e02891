"""The OAuth 2.0 code flow with PKCE, as the API speaks it. oauthlib makes the protocol's documents."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from oauthlib.oauth2 import WebApplicationClient

from .errors import ApiUnreadable
from .transport import Transport

TOKEN_PATH = "/token/"  # noqa: S105 (an address)
_TOKEN = re.compile(r"[\x21-\x7e]{8,4096}\Z")


@dataclass(frozen=True)
class TokenPair:
    """``expires_in`` counts seconds from the moment of the answer. The tokens stay out of ``repr``."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    scope: str


class OAuthClient:
    """One registered application at one API."""

    def __init__(self, transport: Transport, client_id: str, client_secret: str, scope: str) -> None:
        self._transport, self._scope = transport, scope
        self._client = (client_id, client_secret)
        self._documents = WebApplicationClient(client_id)

    def authorize_url(self, redirect_uri: str, state: str, verifier: str) -> str:
        """Where to send a browser so that its user may grant access."""
        query = {
            "response_type": "code",
            "client_id": self._client[0],
            "redirect_uri": redirect_uri,
            "scope": self._scope,
            "state": state,
            "code_challenge": WebApplicationClient(self._client[0]).create_code_challenge(verifier, "S256"),
            "code_challenge_method": "S256",
            "skip_buy_page": "1",
        }
        return f"{self._transport.url('/authorize/')}?{urlencode(query)}"

    def logout_url(self, redirect_uri: str) -> str:
        """Where a browser ends its session at the API's own site, and comes back from."""
        return f"{self._transport.url('/logout/')}?{urlencode({'redirect_uri': redirect_uri})}"

    def exchange(self, code: str, redirect_uri: str, verifier: str) -> TokenPair:
        """The tokens that a code stands for. Raises ``InvalidGrant`` for a spent or foreign code."""
        body = self._documents.prepare_request_body(
            code=code,
            redirect_uri=redirect_uri,
            code_verifier=verifier,
            include_client_id=False,
            scope=self._scope,
        )
        return self._ask(body)

    def refresh(self, refresh_token: str, scope: str) -> TokenPair:
        """A new pair; the old refresh token is spent. The API wants the whole scope again."""
        return self._ask(self._documents.prepare_refresh_body(refresh_token=refresh_token, scope=scope))

    def _ask(self, body: str) -> TokenPair:
        return read_tokens(self._transport.post_form(TOKEN_PATH, body, self._client))


def read_tokens(document: Any) -> TokenPair:
    """Check an answer of the token endpoint, whose tokens go into headers later."""
    if not isinstance(document, dict):
        raise ApiUnreadable(TOKEN_PATH, "an object", type(document).__name__)
    if str(document.get("token_type", "")).lower() != "bearer":
        raise ApiUnreadable(TOKEN_PATH, "a bearer token", "another type")
    lifetime = document.get("expires_in")
    if type(lifetime) is not int or not 0 < lifetime < 10**9:
        raise ApiUnreadable(TOKEN_PATH, "“expires_in” in seconds", type(lifetime).__name__)
    return TokenPair(
        access_token=_token(document, "access_token"),
        refresh_token=_token(document, "refresh_token"),
        expires_in=lifetime,
        scope=str(document.get("scope") or ""),
    )


def _token(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not _TOKEN.match(value):
        raise ApiUnreadable(TOKEN_PATH, f"“{name}”", "none that could be used")
    return value
