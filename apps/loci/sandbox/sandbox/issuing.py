"""Issuing and spending codes and tokens. Each spending is one conditional UPDATE, so it happens once."""

from __future__ import annotations

import secrets
from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.utils import timezone

from . import pkce, scopes
from .authorization import AuthorizationRequest
from .errors import OAuthError
from .models import Access, Code, Token


def digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def new_code(asked: AuthorizationRequest, persona: str, profile_id: str) -> str:
    """A code for what ``persona`` has just granted; ``profile_id`` is empty for all profiles."""
    code = secrets.token_hex(16)
    Code.objects.create(
        digest=digest(code),
        client_id=asked.client_id,
        persona=persona,
        profile_id=profile_id,
        scope=asked.scope,
        redirect_uri=asked.redirect_uri,
        challenge=asked.challenge,
        expires_at=timezone.now() + timedelta(seconds=settings.CODE_LIFETIME),
    )
    return code


def spend_code(client_id: str, code: str, redirect_uri: str, verifier: str) -> dict[str, object]:
    """A token pair for a code. A code that comes twice has leaked: what the first use gave is revoked."""
    found = Code.objects.filter(digest=digest(code), client_id=client_id).first()
    if found is None or found.expires_at <= timezone.now():
        raise OAuthError("invalid_grant", "The code is unknown or has expired.")
    if found.redirect_uri != redirect_uri:
        raise OAuthError("invalid_grant", "redirect_uri differs from the one that the code was issued for.")
    if not pkce.proves(verifier, found.challenge):
        raise OAuthError("invalid_grant", "code_verifier does not match code_challenge.")
    if not Code.objects.filter(pk=found.pk, used_at=None).update(used_at=timezone.now()):
        Token.objects.filter(code=found).update(revoked_at=timezone.now())
        raise OAuthError("invalid_grant", "The code has been used.")
    return _new_pair(found, found.scope, found)


def spend_refresh_token(client_id: str, refresh_token: str, scope: str) -> dict[str, object]:
    """A new pair for a refresh token. A narrower scope narrows the new pair."""
    token = Token.objects.filter(
        refresh_digest=digest(refresh_token), client_id=client_id, revoked_at=None
    ).first()
    if token is None:
        raise OAuthError("invalid_grant", "The refresh token is unknown, spent or revoked.")
    granted, wanted = scopes.parse(token.scope), scopes.parse(scope or token.scope)
    if not set(wanted) <= set(granted):
        raise OAuthError("invalid_scope", "The scope is wider than what was granted.")
    if not Token.objects.filter(pk=token.pk, refreshed_at=None).update(refreshed_at=timezone.now()):
        raise OAuthError("invalid_grant", "The refresh token is unknown, spent or revoked.")
    return _new_pair(token, " ".join(name for name in granted if name in wanted), token.code)


def _new_pair(access: Access, scope: str, code: Code | None) -> dict[str, object]:
    access_token, refresh_token = secrets.token_hex(16), secrets.token_hex(16)
    Token.objects.create(
        access_digest=digest(access_token),
        refresh_digest=digest(refresh_token),
        client_id=access.client_id,
        persona=access.persona,
        profile_id=access.profile_id,
        scope=scope,
        code=code,
        expires_at=timezone.now() + timedelta(seconds=settings.TOKEN_LIFETIME),
    )
    return {
        "access_token": access_token,
        "token_type": "bearer",
        "expires_in": settings.TOKEN_LIFETIME,
        "refresh_token": refresh_token,
        "scope": scope,
    }
