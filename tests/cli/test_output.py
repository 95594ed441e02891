from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from baton.cli.output import ago, file_size, harmless, pairs, parse_time, table

NOW = datetime(2026, 2, 3, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-02-03T11:59:58Z", "2026/02/03 11:59:58 +0000 (~ 2s ago)"),
        ("2026-02-03T11:00:00+00:00", "2026/02/03 11:00:00 +0000 (~ 1h ago)"),
        ("2026-02-03T11:54:59.900000Z", "2026/02/03 11:54:59 +0000 (~ 5m ago)"),
        ("2026-01-31T12:00:00", "2026/01/31 12:00:00 +0000 (~ 3d ago)"),
        ("2026-02-03T12:00:09Z", "2026/02/03 12:00:09 +0000 (~ 0s ago)"),
        ("whenever", "whenever"),
    ],
)
def test_times_say_when_and_how_long_ago(moment: str, expected: str) -> None:
    assert ago(moment, NOW) == expected


def test_a_time_without_a_zone_is_utc() -> None:
    assert parse_time("2026-02-03T12:00:00") == NOW


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (None, "0 B"),
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 KB"),
        (12_345, "12 KB"),
        (3_400_000, "3.4 MB"),
        (2_500_000_000, "2.5 GB"),
    ],
)
def test_sizes_are_in_decimal_units(size: int | None, expected: str) -> None:
    assert file_size(size) == expected


def test_pairs_and_tables_are_aligned() -> None:
    assert [line.plain for line in pairs({"A": "1", "LONGER": "2"})] == ["A:      1", "LONGER: 2"]
    assert pairs({}) == []
    lines = table([["a", "wide cell", "x"], ["bbb", "y", ""]], ("One", "Two", "Three"))
    assert [line.plain for line in lines] == [
        "One  Two        Three",
        "───  ─────────  ─────",
        "a    wide cell  x",
        "bbb  y",
    ]


@pytest.mark.parametrize(
    ("line", "plain", "coloured"),
    [
        ("hello", "hello", "hello"),
        ("\x1b[31mred\x1b[0m", "red", "\x1b[31mred\x1b[0m\x1b[0m"),
        ("\x1b]0;title\x07text", "text", "text"),
        ("\x1b[2Jgone\x1b[1;1H", "gone", "gone"),
        ("a\rb\x08\x9b31mc", "ab31mc", "ab31mc"),
        ("tab\tstays", "tab\tstays", "tab\tstays"),
    ],
)
def test_a_program_cannot_move_the_cursor_of_who_reads_its_log(line: str, plain: str, coloured: str) -> None:
    assert harmless(line, colours=False) == plain
    assert harmless(line, colours=True) == coloured


@given(st.text())
def test_no_escape_survives_where_there_are_no_colours(line: str) -> None:
    assert "\x1b" not in harmless(line, colours=False)
