"""The Range header: its grammar, and the pages that follow each other."""

from __future__ import annotations

import pytest

from baton.control.api import ranges
from baton.control.api.errors import BadRange
from baton.control.api.ranges import Range
from baton.control.models import App
from tests.control.api.conftest import Caller, make_app, make_release

FIELDS = ("version", "id")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, Range("version")),
        ("", Range("version")),
        ("  ", Range("version")),
        ("bytes=0-99", Range("version")),
        ("version ..", Range("version")),
        ("version", Range("version")),
        ("id ..; max=1000", Range("id", most=1000)),
        ("id ..; max=5000", Range("id", most=1000)),
        ("id ..; ;", Range("id")),
        ("id ..;", Range("id")),
        ("domain ..; max=7", Range("version", most=7)),
        ("version ..; order=desc,max=1", Range("version", most=1, descending=True)),
        ("version ..; max=15, order=desc", Range("version", most=15, descending=True)),
        ("version ..;max=15;order=DESC", Range("version", most=15, descending=True)),
        ("version ..; order=asc", Range("version")),
        ("version 3..", Range("version", "3")),
        ("version ]3..9", Range("version", "3", after=True, last="9")),
        ("version [3..9]; max=2", Range("version", "3", last="9", most=2)),
    ],
)
def test_every_spelling_of_a_range_is_understood(header: str | None, expected: Range) -> None:
    assert ranges.parse(header, FIELDS) == expected


@pytest.mark.parametrize(
    "header",
    [
        "name a..",
        "name ..b",
        "version 3",
        "version ..; max=0",
        "version ..; max=-1",
        "version ..; max=x",
        "version ..; max=²",
        "version ..; max=",
        "version ..; order=up",
        "version ..; page=2",
        "version 3-5",
    ],
)
def test_a_range_that_can_not_be_met_is_refused_with_416(header: str) -> None:
    with pytest.raises(BadRange) as refused:
        ranges.parse(header, FIELDS)
    assert (refused.value.status, refused.value.code) == (416, "requested_range_not_satisfiable")


def test_a_range_is_written_as_it_is_read() -> None:
    for found in (Range("version", "3", after=True, descending=True, most=7), Range("id", "a", last="b")):
        assert ranges.parse(str(found), FIELDS) == found


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("field", ["version", "id", "created_at"])
def test_pages_follow_each_other_until_all_was_seen_once(api: Caller, order: str, field: str) -> None:
    app = make_app(api.user)
    for version in range(1, 8):
        make_release(app, version)
    header, seen, answers = f"{field} ..; order={order},max=3", [], []
    while header:
        answer = api.get(f"/apps/{app.name}/releases", Range=header)
        answers.append(answer.status_code)
        seen += [release["version"] for release in answer.json()]
        header = answer.headers.get("Next-Range", "")
    assert answers == [206, 206, 200]
    assert sorted(seen) == list(range(1, 8))
    if field != "id":
        assert seen == sorted(seen, reverse=order == "desc")


def test_first_and_last_bound_a_page(api: Caller) -> None:
    app = make_app(api.user)
    for version in range(1, 8):
        make_release(app, version)

    def versions(header: str) -> list[int]:
        return [found["version"] for found in api.get(f"/apps/{app.name}/releases", Range=header).json()]

    assert versions("version 3..5") == [3, 4, 5]
    assert versions("version ]3..5") == [4, 5]
    assert versions("version 5..3; order=desc") == [5, 4, 3]
    assert versions("version ..2") == [1, 2]
    assert versions("version 8..") == []


def test_lists_that_are_not_in_the_database_are_paged_in_the_same_way(api: Caller) -> None:
    answer = api.get("/dyno-sizes", Range="name ]Basic..Standard-1X; max=2")
    assert [size["name"] for size in answer.json()] == ["Eco", "Performance-L"]
    assert answer["Next-Range"] == "name ]Performance-L..Standard-1X; max=2"
    answer = api.get("/dyno-sizes", Range="name ..Performance-L; order=desc")
    assert [size["name"] for size in answer.json()][-1] == "Performance-L"


def test_a_list_says_by_what_it_can_be_ordered_and_what_it_holds(api: Caller, app: App) -> None:
    answer = api.get(f"/apps/{app.name}/releases")
    assert answer["Accept-Ranges"] == "version, id, created_at"
    assert answer["Content-Range"] == "version 1..3; max=200"
    assert api.get("/addons")["Content-Range"] == "id ..; max=200"


@pytest.mark.parametrize(
    "header", ["version x..", "version 99999999999..", "id 7..", "created_at yesterday..", "version ..\u00b2"]
)
def test_a_bound_of_the_wrong_kind_is_refused(api: Caller, app: App, header: str) -> None:
    assert api.get(f"/apps/{app.name}/releases", Range=header).status_code == 416
