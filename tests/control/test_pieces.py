"""What goes through a rendezvous in one piece, and its secrets."""

from __future__ import annotations

import asyncio
import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.base.settings import Settings
from baton.control.oneoffs import Ticket, Tickets, attach_url
from baton.control.rendezvous import CHUNK, MARKER, Pieces, read_secret
from baton.run.specs import AppSpec, Health

SPEC = AppSpec("k", "n", "i", 1, "r", None, (), {}, (), 1, 1, Health("h"))


def ticket(seconds: float = 60) -> Ticket:
    return Ticket(SPEC, "run.1", "ls", {}, True, 24, 80, time.monotonic() + seconds)


@given(st.lists(st.text(alphabet="aé→😀\r\n\uffff0", max_size=30), max_size=8), st.integers(1, 7))
def test_pieces_together_are_the_output_and_none_ends_inside_a_character_or_crlf(
    texts: list[str], step: int
) -> None:
    data = "".join(texts).encode()
    pieces, sent = Pieces(), []
    for start in range(0, len(data), step):
        sent += pieces.feed(data[start : start + step])
    last = pieces.flush()
    assert b"".join(sent) + last == data
    for piece, following in itertools.pairwise([*sent, last]):
        piece.decode()
        assert not (piece.endswith(b"\r") and following.startswith(b"\n"))


def test_the_exit_marker_is_one_piece_however_it_arrives() -> None:
    line = MARKER + b" heroku-command-exit-status: 127\n"
    pieces = Pieces()
    sent = [piece for byte in b"output\r\n" + line for piece in pieces.feed(bytes([byte]))]
    assert line in sent


def test_the_exit_marker_behind_much_output_is_a_piece_of_its_own() -> None:
    line = MARKER + b" heroku-command-exit-status: 0\n"
    sent = Pieces().feed(b"x" * (3 * CHUNK) + line)
    assert sent[-1] == line
    assert max(map(len, sent)) <= CHUNK


@pytest.mark.parametrize(
    ("sent", "rest"), [(b"S" * 43 + b"\r\n", b""), (b"S" * 43, b""), (b"S" * 43 + b"?x=1\r\nhello", b"hello")]
)
def test_a_secret_ends_with_a_newline_or_with_nothing(sent: bytes, rest: bytes) -> None:
    async def read() -> tuple[str, bytes]:
        reader = asyncio.StreamReader()
        reader.feed_data(sent)
        return await read_secret(reader)

    assert asyncio.run(read()) == ("S" * 43, rest)


def test_a_secret_is_for_one_use() -> None:
    tickets = Tickets()
    secret = tickets.issue(ticket())
    assert tickets.take("wrong") is None
    assert tickets.take(secret) is not None
    assert tickets.take(secret) is None


def test_a_secret_does_not_outlast_its_minute() -> None:
    tickets = Tickets()
    assert tickets.take(tickets.issue(ticket(seconds=-1))) is None


def test_an_attach_url_leads_to_where_the_client_reached_the_api() -> None:
    settings = Settings(rendezvous_port=5101, domain="example.com", bind="0.0.0.0")
    assert attach_url(settings, "S") == "rendezvous://example.com:5101/S"
    assert attach_url(settings, "S", "127.0.0.1") == "rendezvous://127.0.0.1:5101/S"
    assert attach_url(Settings(), "S") == "rendezvous://127.0.0.1:5101/S"
