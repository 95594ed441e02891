"""Each way in which an app can fail has its H-code, a page in the form asked for, and a router line."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable

import pytest

from tests.route.conftest import HOST, Running, answering, read_request


def silent(connection: socket.socket) -> None:
    read_request(connection)
    connection.recv(1)


def closing(connection: socket.socket) -> None:
    read_request(connection)


def bad_header(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nno header at all\r\n\r\n")


def endless_header(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 40_000 + b"\r\n\r\n")


def half_a_head(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Le")


FAULTS: list[tuple[Callable[[socket.socket], None], str, str]] = [
    (silent, "H12", "This took too long"),
    (closing, "H13", "The answer broke off"),
    (bad_header, "H17", "The answer made no sense"),
    (endless_header, "H17", "The answer made no sense"),
    (half_a_head, "H17", "The answer made no sense"),
]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("serve", "code", "title"), FAULTS)
def test_an_app_that_fails_a_request_gets_its_code_and_page(
    door: Running, serve: Callable[[socket.socket], None], code: str, title: str, method: str
) -> None:
    door.app(serve)
    status, headers, body = door.get(method=method, body=b"some" if method == "POST" else b"")
    assert (status, headers["content-type"], headers["cache-control"]) == (
        503,
        "text/html; charset=utf-8",
        "no-store",
    )
    assert title in body.decode()
    line = door.router_line()
    assert line.startswith(f"at=error code={code} desc=")
    assert "dyno=web connect=" in line
    assert "status=503" in line


@pytest.mark.parametrize("accept", ["text/event-stream", "text/html"])
def test_a_socket_that_nobody_serves_or_that_is_missing_is_h21(door: Running, accept: str) -> None:
    door.app(answering()).close()
    for _ in range(2):
        status, _, body = door.get(Accept=accept)
        assert (status, b"This app is not picking up" in body) == (503, True)
        assert 'at=error code=H21 desc="Backend connection refused"' in door.router_line()
        door.door.home.front_socket("0123456789ab").unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("code", "level", "title"),
    [
        ("H10", "error", "This app has stopped"),
        ("H14", "error", "This app is resting"),
        ("H80", "info", "Back soon"),
        ("H81", "info", "Nothing here yet"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_a_page_socket_answers_everything_with_its_page(
    door: Running, code: str, level: str, title: str, method: str
) -> None:
    door.point(door.door.home.page_socket(code))
    status, headers, body = door.get(
        "/any/path?x", method=method, body=b"x" * 100_000 if method == "POST" else b""
    )
    assert (status, title in body.decode(), "x-baton-code" in headers) == (503, True, False)
    line = door.router_line()
    assert line.startswith(f"at={level} code={code} desc=")
    assert "dyno= connect= service= status=503" in line


@pytest.mark.parametrize("code", ["H12", "H80"])
def test_a_page_comes_in_the_form_that_was_asked_for_with_the_request_s_id(door: Running, code: str) -> None:
    if code == "H80":
        door.point(door.door.home.page_socket("h80"))
    else:
        door.app(silent)
    given = "a-request-id-of-my-own"
    as_json = door.get(Accept="application/json", X_Request_ID=given)
    assert as_json[1]["content-type"].startswith("application/json")
    assert json.loads(as_json[2])["id"] == code.lower()
    assert json.loads(as_json[2])["request_id"] == given
    versioned = door.get(Accept="application/vnd.heroku+json; version=3")
    assert json.loads(versioned[2])["id"] == code.lower()
    as_text = door.get(Accept="text/plain", X_Request_ID=given)
    assert as_text[1]["content-type"] == "text/plain; charset=utf-8"
    assert given in as_text[2].decode()
    as_html = door.get(
        Accept="text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8", X_Request_ID=given
    )
    assert given in as_html[2].decode()
    assert "<!--#" not in as_html[2].decode()


def test_head_gets_the_page_s_status_without_a_body(door: Running) -> None:
    door.point(door.door.home.page_socket("h14"))
    status, _, body = door.get(method="HEAD")
    assert (status, body) == (503, b"")


def test_a_client_that_leaves_is_h27_and_the_app_is_told(door: Running) -> None:
    asked, told = threading.Event(), threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        asked.set()
        if connection.recv(1) == b"":
            told.set()

    door.app(serve)
    with door.connect() as connection:
        connection.sendall(f"GET /slow HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert asked.wait(10)
    assert told.wait(10)
    line = door.router_line()
    assert line.startswith('at=warning code=H27 desc="Client Request Interrupted" method=GET path="/slow"')
    assert "status=499 bytes=0" in line


def test_an_answer_without_a_status_line_is_h17(door: Running) -> None:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"this is no HTTP\r\n")

    door.app(serve)
    with door.connect() as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        assert connection.recv(4096) == b"this is no HTTP\r\n", "nginx passes it on as HTTP/0.9"
    assert 'at=error code=H17 desc="Poorly formatted HTTP response"' in door.router_line()


def test_an_answer_cut_short_by_the_app_is_h18_and_not_passed_off_as_whole(door: Running) -> None:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nonly this")

    door.app(serve)
    status, headers, body = door.get()
    assert (status, headers["content-length"], body) == (200, "1000", b"only this")
    assert 'at=error code=H18 desc="Server Request Interrupted"' in door.router_line()


def test_a_reset_by_the_app_before_its_answer_is_h13(door: Running) -> None:
    def serve(connection: socket.socket) -> None:
        connection.recv(10)  # the rest stays unread, so closing resets the connection
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    door.app(serve)
    assert door.get()[0] == 503
    assert "code=H13" in door.router_line()


def test_a_request_is_never_sent_to_the_app_twice(door: Running) -> None:
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        seen.append(read_request(connection)[0])

    door.app(serve)
    assert door.get()[0] == 503
    assert door.get(Accept="text/event-stream")[0] == 503
    assert len(seen) == 2
