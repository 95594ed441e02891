"""Who is calling. Every form that Heroku's clients use means the same token.

`Authorization: Bearer TOKEN`, Basic with an empty or any user and the token as the password; and for creating
an authorization only, Basic with e-mail and password.
"""

from __future__ import annotations

import base64
import binascii
import threading
from dataclasses import dataclass
from datetime import timedelta

from django.contrib.auth.hashers import make_password
from django.db.models import Q
from django.utils import timezone

from baton.base.secrets import digest
from baton.control.api.errors import TooMany, Unauthorized
from baton.control.api.limits import Throttle
from baton.control.models import Token, User

LONGEST_SECRET = 4096
USE_NOTED_EVERY = timedelta(minutes=10)
throttle = Throttle()
_hashing = threading.Semaphore(2)  # a password costs a third of a second of a processor


@dataclass(frozen=True)
class Identity:
    """The caller. `token` is None when a password was given; `secret` is the token's text, never stored."""

    user: User
    token: Token | None
    secret: str


@dataclass(frozen=True)
class Credentials:
    scheme: str  # bearer | basic
    name: str
    secret: str


def read(header: str | None) -> Credentials:
    """The two texts in an Authorization header. Raises Unauthorized."""
    scheme, _, rest = (header or "").strip().partition(" ")
    rest = rest.strip()
    if not rest or len(rest) > 2 * LONGEST_SECRET:
        raise Unauthorized()
    if scheme.lower() == "bearer":
        return Credentials("bearer", "", rest)
    if scheme.lower() != "basic":
        raise Unauthorized()
    try:
        text = base64.b64decode(rest, validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Unauthorized() from error
    name, colon, secret = text.partition(":")
    if not colon or not secret or len(secret) > LONGEST_SECRET or "\0" in text:
        raise Unauthorized()
    return Credentials("basic", name, secret)


def by_token(header: str | None) -> Identity:
    """The caller by a token in any of its forms. Raises Unauthorized."""
    return _by_secret(read(header).secret)


def by_token_or_password(header: str | None) -> Identity:
    """As `by_token`, and by Basic e-mail and password too. Raises Unauthorized, TooMany."""
    credentials = read(header)
    try:
        return _by_secret(credentials.secret)
    except Unauthorized:
        if credentials.scheme == "bearer" or "@" not in credentials.name:
            raise
    return Identity(_by_password(credentials.name, credentials.secret), None, "")


def _by_secret(secret: str) -> Identity:
    now = timezone.now()
    alive = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    token = Token.objects.filter(alive, digest=digest(secret)).select_related("user").first()
    if token is None:
        raise Unauthorized()
    if token.last_used_at is None or now - token.last_used_at > USE_NOTED_EVERY:
        Token.objects.filter(pk=token.pk).update(last_used_at=now)
    return Identity(token.user, token, secret)


def _by_password(email: str, password: str) -> User:
    who = email.strip().lower()[:254]
    wait = throttle.wait(who)
    if wait > 0:
        raise TooMany("Too many failed logins for this account; wait before the next try.", int(wait) + 1)
    with _hashing:
        user = User.objects.filter(email__iexact=who).first()
        if user is None:
            make_password(password)  # the same time as for a known address
        elif user.check_password(password):
            throttle.succeeded(who)
            return user
    throttle.failed(who)
    raise Unauthorized()
