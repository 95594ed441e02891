from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.cli.errors import BadAnswer
from baton.cli.streams import LONGEST_LINE, Event, events, lines


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """`data` in pieces, as a network may deliver it."""
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(st.lists(st.integers(min_value=0)))
def test_lines_are_the_same_however_the_network_cuts_them(places: list[int]) -> None:
    text = "2013-10-11 app[web.1]: Grüße 🎼\r\nu2028 \u2028 stays\n\nlast"
    assert list(lines(cut(text.encode(), places))) == [
        "2013-10-11 app[web.1]: Grüße 🎼",
        "u2028 \u2028 stays",
        "",
        "last",
    ]


def test_bytes_that_are_no_text_do_not_end_the_stream() -> None:
    assert list(lines([b"a\xff\xfeb\nnext\n"])) == ["a\ufffd\ufffdb", "next"]


def test_a_line_without_an_end_is_refused() -> None:
    with pytest.raises(BadAnswer, match="longer"):
        list(lines(b"x" * 65536 for _ in range(LONGEST_LINE // 65536 + 2)))


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        ("id: 1\ndata: one\n\nid: 2\ndata: two\n\n", [Event("1", "one"), Event("2", "two")]),
        (": keepalive\n\nid:7\ndata:  spaced\n\n", [Event("7", " spaced")]),
        ("id: 1\ndata: a\ndata: b\n\n", [Event("1", "a\nb")]),
        ("data: no id\n\n", [Event("", "no id")]),
        ("id: 1\ndata: whole\n\nid: 2\ndata: cut off", [Event("1", "whole")]),
        ("event: x\nretry: 5\nid: 3\ndata:\n\n", [Event("3", "")]),
    ],
)
def test_events_are_read_as_the_standard_says(stream: str, expected: list[Event]) -> None:
    assert list(events(lines([stream.encode()]))) == expected
