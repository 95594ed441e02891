"""What a sign-in under way remembers in the browser's session, so that only this browser can finish it.

Each start makes a random ``state``, good once and for fifteen minutes. The PKCE verifier is derived
from it with the server's key, and the page to return to never leaves the server.
"""

from __future__ import annotations

import base64
import secrets
import time

from django.contrib.sessions.backends.base import SessionBase
from django.utils.crypto import salted_hmac
from django.utils.http import url_has_allowed_host_and_scheme

SESSION_KEY = "handshakes"
LIFETIME = 15 * 60
MOST_AT_ONCE = 6


def begin(session: SessionBase, next_url: str, now: float | None = None) -> str:
    """Remember a new sign-in that will lead to ``next_url``; its state."""
    now = time.time() if now is None else now
    state = secrets.token_urlsafe(32)
    waiting = {**_waiting(session, now), state: {"next": safe_path(next_url), "at": int(now)}}
    session[SESSION_KEY] = dict(sorted(waiting.items(), key=lambda item: item[1]["at"])[-MOST_AT_ONCE:])
    return state


def finish(session: SessionBase, state: str, now: float | None = None) -> str | None:
    """The path that the sign-in with this state leads to, once; None when this browser did not begin it."""
    waiting = _waiting(session, time.time() if now is None else now)
    found = waiting.pop(state, None)
    session[SESSION_KEY] = waiting
    return safe_path(found["next"]) if found else None


def verifier(state: str) -> str:
    """The PKCE verifier of a state: 43 letters."""
    digest = salted_hmac("loci.handshake.verifier", state, algorithm="sha256").digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def safe_path(url: str) -> str:
    """``url`` if it is a path of this site, else the start page."""
    is_path = url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
    return url if is_path and len(url) <= 2000 else "/"


def _waiting(session: SessionBase, now: float) -> dict[str, dict]:
    waiting = session.get(SESSION_KEY, {})
    return {state: entry for state, entry in waiting.items() if 0 <= now - entry["at"] <= LIFETIME}
