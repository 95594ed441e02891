"""From a session to a working access token, and back to nothing when a person signs out."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest
from django.middleware.csrf import rotate_token
from django.utils import timezone

from . import vault
from .api import TokenPair
from .api.errors import InvalidGrant, Unauthenticated
from .gateway import gateway
from .models import Grant

T = TypeVar("T")

SESSION_KEY = "grant"
# A grant this young has come straight from signing in: going there again would not help.
YOUNG = timedelta(minutes=5)
_USE_IS_NOTED_EVERY = timedelta(minutes=5)


class SignInEnded(Exception):
    """The API no longer honours a grant, and renewing it failed. ``was_young``: it was just made."""

    def __init__(self, was_young: bool) -> None:
        self.was_young = was_young
        super().__init__("The API no longer honours this sign-in.")


def open_session(request: HttpRequest, pair: TokenPair, account_id: str) -> Grant:
    """Store ``pair`` and make it this session's, under a new session key."""
    forget(request)
    _sweep()
    grant = Grant.of(pair)
    grant.account_id = account_id
    grant.save()
    request.session.cycle_key()
    rotate_token(request)
    request.session[SESSION_KEY] = str(grant.id)
    return grant


def current(request: HttpRequest) -> Grant | None:
    """The grant of this session, unless there is none or its row is gone."""
    try:
        grant_id = uuid.UUID(request.session.get(SESSION_KEY, ""))
    except (ValueError, TypeError, AttributeError):
        return None
    grant = Grant.objects.filter(pk=grant_id).first()
    if grant and grant.used_at < timezone.now() - _USE_IS_NOTED_EVERY:
        Grant.objects.filter(pk=grant_id).update(used_at=timezone.now())
    return grant


def forget(request: HttpRequest) -> None:
    """Delete the row of this session's grant, tokens included."""
    grant = current(request)
    if grant:
        grant.delete()
    request.session.pop(SESSION_KEY, None)


def call(grant: Grant, ask: Callable[[str], T]) -> T:
    """``ask(access_token)``, with the token renewed when its time is over or the API says so. At most once.

    Raises ``SignInEnded`` when the API honours neither token; any other ``ApiError`` passes through.
    """
    was_young = timezone.now() - grant.created_at < YOUNG
    try:
        if grant.needs_renewal(timezone.now()):
            return ask(renew(grant))
        try:
            return ask(grant.access_token)
        except Unauthenticated:
            return ask(renew(grant))
    except (InvalidGrant, Unauthenticated, vault.Unreadable, Grant.DoesNotExist) as error:
        Grant.objects.filter(pk=grant.pk).delete()
        raise SignInEnded(was_young) from error


def renew(grant: Grant) -> str:
    """A new access token. A refresh token works once, so the row is locked while it is spent:
    whoever waited for the lock finds the new pair there and uses it."""
    with transaction.atomic():
        row = Grant.objects.select_for_update().get(pk=grant.pk)
        if row.access_token_sealed == grant.access_token_sealed:
            row.hold(gateway().oauth.refresh(row.refresh_token, row.scope))
            row.save(update_fields=["access_token_sealed", "refresh_token_sealed", "expires_at", "scope"])
    grant.access_token_sealed, grant.refresh_token_sealed = row.access_token_sealed, row.refresh_token_sealed
    grant.expires_at = row.expires_at
    return row.access_token


def _sweep() -> None:
    """Grants outlive no session: those that nobody has used for a session's length go."""
    Grant.objects.filter(used_at__lt=timezone.now() - timedelta(seconds=settings.SESSION_COOKIE_AGE)).delete()
