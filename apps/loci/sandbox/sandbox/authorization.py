"""Reading an authorization request: what may be shown, what is redirected with an error, what is refused."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from django.http import QueryDict

from . import clients, pkce, scopes
from .errors import OAuthError, RequestRefused
from .parameters import single


@dataclass(frozen=True)
class AuthorizationRequest:
    client_id: str
    redirect_uri: str
    scope: str
    state: str
    challenge: str
    select_profile: bool

    def as_dict(self) -> dict[str, str | bool]:
        return asdict(self)

    def answer(self, **parameters: str) -> str:
        """The redirect URI with an answer added to its query, and the state as it came."""
        return redirect_with(self.redirect_uri, self.state, **parameters)


def redirect_with(redirect_uri: str, state: str, **parameters: str) -> str:
    parts = urlsplit(redirect_uri)
    added = urlencode(parameters | ({"state": state} if state else {}))
    return urlunsplit(parts._replace(query=f"{parts.query}&{added}" if parts.query else added))


class RedirectedError(OAuthError):
    """An error that the client is told of by a redirect to ``location``."""

    def __init__(self, code: str, description: str, redirect_uri: str, state: str) -> None:
        super().__init__(code, description)
        self.location = redirect_with(redirect_uri, state, error=code, error_description=description)


def read(query: QueryDict) -> AuthorizationRequest:
    """Raises ``RequestRefused`` until client and address are known to be a pair, then ``RedirectedError``."""
    redirect_uri, client_id = _trusted_address(query)
    state = query.get("state", "")
    try:
        return AuthorizationRequest(
            client_id=client_id,
            redirect_uri=redirect_uri,
            scope=_scope(query),
            state=state,
            challenge=_challenge(query),
            select_profile=query.get("select_profile", "").lower() == "true",
        )
    except OAuthError as error:
        raise RedirectedError(error.code, error.description, redirect_uri, state) from error


def _trusted_address(query: QueryDict) -> tuple[str, str]:
    try:
        given = single(query, "client_id", "redirect_uri", "state")
    except OAuthError as error:
        raise RequestRefused(error.code, error.description) from error
    client = clients.find(given["client_id"])
    if client is None:
        raise RequestRefused("unauthorized_client", "No application with this client_id is registered here.")
    if given["redirect_uri"] not in client.redirect_uris:
        raise RequestRefused("invalid_request", "This redirect_uri is not registered for the application.")
    return given["redirect_uri"], client.id


def _scope(query: QueryDict) -> str:
    given = single(query, "response_type", "scope")
    if not given["response_type"]:
        raise OAuthError("invalid_request", "response_type is missing.")
    if given["response_type"] != "code":
        raise OAuthError("unsupported_response_type", "Only response_type=code is supported.")
    wanted = scopes.parse(given["scope"]) or ["basic"]
    unknown = [name for name in wanted if scopes.wording(name) is None]
    if unknown:
        raise OAuthError("invalid_scope", f"There is no scope {unknown[0][:60]!r}.")
    return " ".join(wanted)


def _challenge(query: QueryDict) -> str:
    given = single(query, "code_challenge", "code_challenge_method")
    challenge, method = given["code_challenge"], given["code_challenge_method"]
    if challenge and method not in ("", "S256"):
        raise OAuthError("invalid_request", "Only code_challenge_method=S256 is supported.")
    if (challenge and not pkce.is_challenge(challenge)) or (method and not challenge):
        raise OAuthError("invalid_request", "code_challenge has to be the base64url SHA-256 of the verifier.")
    return challenge
