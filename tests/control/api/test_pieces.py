"""The pure parts of the frame: what is accepted, what is read, what slows a caller down."""

from __future__ import annotations

import base64
import json
import uuid

import pytest

from baton.control.api import accepts, auth, blobs, bodies, links
from baton.control.api.errors import BadRequest, InvalidParams, NotAcceptable, TooLarge, Unauthorized
from baton.control.api.limits import Bucket, Throttle


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "*/*",
        "application/json",
        "application/*",
        "text/html, */*;q=0.8",
        "application/vnd.heroku+json",
        "application/vnd.heroku+json; version=3",
        "application/vnd.heroku+json;version=3.sdk",
        'application/vnd.heroku+json; version="3"',
        "application/vnd.heroku+json; version=3.webhooks; charset=utf-8",
        "APPLICATION/VND.HEROKU+JSON; VERSION=3",
    ],
)
def test_version_3_is_accepted_with_any_suffix_and_so_is_plain_json(header: str | None) -> None:
    accepts.check(header)


@pytest.mark.parametrize(
    "header",
    [
        "application/vnd.heroku+json; version=2",
        "application/vnd.heroku+json; version=33",
        "text/html",
        "nonsense",
    ],
)
def test_another_version_or_type_is_not_acceptable(header: str) -> None:
    with pytest.raises(NotAcceptable):
        accepts.check(header)


@pytest.mark.parametrize(
    ("raw", "expected"), [(b"", {}), (b" \n", {}), (b"{}", {}), (b'{"a": [1, null]}', {"a": [1, None]})]
)
def test_a_body_is_a_json_object_or_nothing(raw: bytes, expected: dict[str, object]) -> None:
    assert bodies.parse(raw) == expected


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", "line 1 column 2"),
        (b"[]", "a list"),
        (b'"x"', "a text"),
        (b"null", "null"),
        (b"true", "true or false"),
        (b'{"a": NaN}', "can't be read"),
        (b'{"a": Infinity}', "can't be read"),
        (b"\xff\xfe", "can't be read"),
        (b"[" * 100_000, "too deeply"),
        (b'{"a":' * 30 + b"1" + b"}" * 30, "nested more than 20"),
        (b'{"a": "\\ud800"}', "surrogate"),
        (b'{"a\\u0000": 1}', "NUL"),
        (b'{"a": ' + b"9" * 5000 + b"}", "can't be read"),
        (b"a=b&c=d", "line 1 column 1"),
    ],
)
def test_any_other_body_is_refused_with_a_reason(raw: bytes, said: str) -> None:
    with pytest.raises(BadRequest, match=said):
        bodies.parse(raw)


def test_a_body_is_bounded_in_size() -> None:
    with pytest.raises(TooLarge):
        bodies.parse(b" " * (bodies.MAX_BYTES + 1))


def test_members_are_read_by_their_kind_and_named_when_they_are_of_another() -> None:
    fields = bodies.Members(
        {"text": "x", "flag": False, "number": 7, "null": None, "list": [1], "map": {"a": "b"}}
    )
    assert (fields.text("text"), fields.flag("flag"), fields.whole("number", 0, 9)) == ("x", False, 7)
    assert bodies.Members({"flag": 0}).flag("flag") is False
    assert fields.text("null") is None and fields.text("absent") is None
    assert fields.texts("map") == {"a": "b"}
    refusals = [
        lambda: fields.text("number"),
        lambda: fields.whole("flag", 0, 9),
        lambda: fields.whole("number", 0, 6),
        lambda: fields.flag("text"),
        lambda: fields.items("map", 9),
        lambda: fields.items("list", 0),
        lambda: fields.object("list"),
        lambda: fields.need(None, "absent"),
        lambda: fields.text("text", limit=0),
    ]
    for refusal in refusals:
        with pytest.raises(InvalidParams, match=r"text|flag|number|map|list|absent"):
            refusal()


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Bearer abc", ("bearer", "", "abc")),
        ("bearer   abc ", ("bearer", "", "abc")),
        (basic(":abc"), ("basic", "", "abc")),
        (basic("anyone:abc"), ("basic", "anyone", "abc")),
        (basic("ada@example.com:a:b:c"), ("basic", "ada@example.com", "a:b:c")),
    ],
)
def test_the_secret_is_found_in_each_form_of_the_header(header: str, expected: tuple[str, str, str]) -> None:
    found = auth.read(header)
    assert (found.scheme, found.name, found.secret) == expected


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "abc",
        "Digest abc",
        "Basic !!!",
        basic("no-colon"),
        basic("a:"),
        "Basic /w==",
        "Bearer " + "x" * 10_000,
        basic("a:b\0"),
    ],
)
def test_a_header_without_a_secret_is_unauthorized(header: str | None) -> None:
    with pytest.raises(Unauthorized):
        auth.read(header)


def test_a_bucket_gives_its_requests_and_fills_up_within_an_hour() -> None:
    clock = Clock()
    bucket = Bucket(3, clock)
    assert [bucket.take("ada") for _ in range(5)] == [2, 1, 0, -1, -1]
    assert bucket.take("eve") == 2
    clock.now += 1200
    assert [bucket.take("ada") for _ in range(2)] == [0, -1]
    clock.now += 36000
    assert bucket.take("ada") == 2


def test_failures_are_free_at_first_then_the_wait_doubles_up_to_a_bound() -> None:
    clock = Clock()
    throttle = Throttle(clock)
    waits = []
    for _ in range(14):
        throttle.failed("ada")
        waits.append(throttle.wait("ada"))
    assert waits == [0, 0, 0, 0, 1, 2, 4, 8, 16, 32, 60, 60, 60, 60]
    assert throttle.wait("eve") == 0
    clock.now += 60
    assert throttle.wait("ada") == 0
    throttle.succeeded("ada")
    throttle.failed("ada")
    assert throttle.wait("ada") == 0


def test_a_secret_url_opens_only_what_it_was_made_for() -> None:
    record = uuid.uuid4()
    part = links.seal("build", record)
    assert links.open_("build", part) == record
    assert links.open_("release", part) is None
    for broken in (part[:-1], part + "x", part.replace(".", "", 1), "", ".", "a.b.c", json.dumps(part)):
        assert links.open_("build", broken) is None


def test_a_secret_url_for_an_upload_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    part = links.seal("source", uuid.uuid4())
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert links.open_("source", part) is None


def test_checksums_are_compared_with_and_without_their_prefix() -> None:
    one = "ab" * 32
    assert blobs.same_checksum(f"SHA256:{one.upper()}", one)
    assert not blobs.same_checksum(f"SHA256:{one}", "cd" * 32)
    assert not blobs.same_checksum("md5:1", "md5:1")
