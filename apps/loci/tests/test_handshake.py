"""The state of a sign-in under way, without any network."""

from __future__ import annotations

import pytest
from django.contrib.sessions.backends.base import SessionBase
from loci import handshake


class Memory(SessionBase):
    def __init__(self) -> None:
        super().__init__()
        self._session_cache = {}


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/", "/"),
        ("/accession/NC_000001.10/?a=b", "/accession/NC_000001.10/?a=b"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("///evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("evil.example", "/"),
        ("", "/"),
        ("/" + "a" * 3000, "/"),
    ],
)
def test_a_sign_in_leads_to_a_path_of_this_site_only(asked: str, led_to: str) -> None:
    session = Memory()
    assert handshake.finish(session, handshake.begin(session, asked)) == led_to


def test_a_state_works_once_and_only_where_it_was_made() -> None:
    mine, theirs = Memory(), Memory()
    state = handshake.begin(mine, "/")
    assert handshake.finish(theirs, state) is None
    assert handshake.finish(mine, "") is None
    assert handshake.finish(mine, state) == "/"
    assert handshake.finish(mine, state) is None


def test_a_state_ends_after_a_quarter_of_an_hour() -> None:
    session = Memory()
    state = handshake.begin(session, "/", now=1000.0)
    assert handshake.finish(session, state, now=1000.0 + handshake.LIFETIME + 1) is None


def test_several_tabs_may_sign_in_at_once_but_not_without_end() -> None:
    session = Memory()
    states = [
        handshake.begin(session, "/", now=1000.0 + number) for number in range(handshake.MOST_AT_ONCE + 1)
    ]
    assert handshake.finish(session, states[0], now=1010.0) is None
    assert all(handshake.finish(session, state, now=1010.0) == "/" for state in states[1:])


def test_the_verifier_depends_on_the_servers_key(settings: object) -> None:
    first = handshake.verifier("state")
    assert len(first) == 43 and first == handshake.verifier("state") != handshake.verifier("another")
    settings.SECRET_KEY = "another key"  # type: ignore[attr-defined]
    assert handshake.verifier("state") != first
