"""Router lines in Heroku's words, from what nginx sends."""

from __future__ import annotations

import json

import pytest

from baton.route.routerlog import FIELDS, LARGEST_DATAGRAM, heroku_line, parse

REQUEST = {
    "app": "0123456789ab",
    "code": "",
    "method": "GET",
    "path": "/",
    "host": "shop.localhost",
    "id": "7d1e",
    "fwd": "1.2.3.4",
    "connect": "0.001",
    "service": "0.018",
    "status": "200",
    "bytes": "13",
    "protocol": "https",
    "promised": "",
    "received": "13",
}


def datagram(**changes: str) -> bytes:
    return b"<190>Nov 22 15:15:53 baton: " + json.dumps({**REQUEST, **changes}).encode()


def line(**changes: str) -> str:
    found = heroku_line(datagram(**changes))
    assert found
    return found[1]


def test_the_fields_of_the_test_are_those_of_the_log() -> None:
    assert set(REQUEST) == set(FIELDS)


def test_a_request_served_reads_as_heroku_s_router_says_it() -> None:
    assert heroku_line(datagram(), lambda key: "web.1") == (
        "0123456789ab",
        'at=info method=GET path="/" host=shop.localhost request_id=7d1e fwd="1.2.3.4" '
        "dyno=web.1 connect=1ms service=18ms status=200 bytes=13 protocol=https",
    )


def test_a_page_names_no_dyno_and_no_times() -> None:
    assert line(code="H14", status="503", bytes="0") == (
        'at=error code=H14 desc="No web processes running" method=GET path="/" host=shop.localhost '
        'request_id=7d1e fwd="1.2.3.4" dyno= connect= service= status=503 bytes=0 protocol=https'
    )


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        (
            {"code": "H12", "service": "30.001", "status": "503"},
            'at=error code=H12 desc="Request timeout" method',
        ),
        ({"code": "H80", "status": "503"}, 'at=info code=H80 desc="Maintenance mode" method'),
        ({"status": "499"}, 'at=warning code=H27 desc="Client Request Interrupted" method'),
        ({"status": "009"}, 'at=error code=H17 desc="Poorly formatted HTTP response" method'),
        ({"status": "408", "service": ""}, 'at=warning code=H28 desc="Client Connection Idle" method'),
        ({"status": "400", "service": ""}, 'at=error code=H26 desc="Request Error" method'),
        ({"status": "400"}, "at=info method"),
        ({"promised": "14"}, 'at=error code=H18 desc="Server Request Interrupted" method'),
        ({"promised": "14", "method": "HEAD"}, "at=info method"),
        ({"promised": "14", "status": "304"}, "at=info method"),
        ({"code": "H123"}, "at=info method"),
    ],
)
def test_the_outcome_tells_level_and_code(changes: dict[str, str], start: str) -> None:
    assert line(**changes).startswith(start)


def test_the_last_of_several_upstream_times_counts() -> None:
    assert "connect=3ms service=20ms" in line(connect="-, 0.003", service="0.001 : 0.020")


def test_a_connection_that_was_not_made_has_no_connect_time() -> None:
    assert "connect= service=0ms" in line(code="H21", connect="-", service="0.000")


def test_what_a_client_sends_can_t_forge_a_field() -> None:
    text = line(path='/" status=200 x="\n', host="a b", fwd='1.2.3.4", "evil\r\n', id='x" at=info')
    assert 'path="/%22%20status=200%20x=%22%0A" host=a%20b' in text
    assert 'fwd="1.2.3.4%22, %22evil%0D%0A"' in text
    assert "\n" not in text


@pytest.mark.parametrize(
    "datagram_",
    [
        b"",
        b"<190>hello",
        b"{",
        b"{}",
        b"[1]",
        b'{"app":""}',
        b'{"app":"x"' + b" " * LARGEST_DATAGRAM + b"}",
        b"{" * 60000,
    ],
)
def test_what_is_no_router_record_is_none(datagram_: bytes) -> None:
    assert heroku_line(datagram_) is None


def test_bytes_that_are_no_text_are_kept_readable() -> None:
    found = parse(datagram(path="/@").replace(b"/@", b"/\xff"))
    assert found
    assert found.path == "/\ufffd"
