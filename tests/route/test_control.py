"""Control's own host: streams pass at once in both directions, and a push is not gathered on disk first."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from baton.base.paths import Home
from baton.route.front import Nginx
from tests.route.conftest import Running, a_door, headers, listen_on, plain_door, read_request

CONTROL = "baton.localhost"


class Control:
    """A TCP server whose behaviour a test sets."""

    def __init__(self) -> None:
        self.socket = listen_on("tcp:127.0.0.1:0")
        self.socket.setblocking(True)
        self.serve: Callable[[socket.socket], None] = lambda connection: None
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                self.serve(connection)


@pytest.fixture
def control() -> Iterator[Control]:
    server = Control()
    yield server
    server.close()


@pytest.fixture
def managed(home: Home, nginx: Nginx, control: Control) -> Iterator[Running]:
    wanted = replace(
        plain_door(home),
        control_hosts=(CONTROL,),
        control_address=control.address,
        largest_body=1000,
        largest_push=200_000,
    )
    with a_door(wanted, nginx) as running:
        yield running


def test_control_is_reached_by_its_host_and_hears_who_asks(managed: Running, control: Control) -> None:
    seen: list[bytes] = []

    def serve(connection: socket.socket) -> None:
        seen.append(read_request(connection)[0])
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]")

    control.serve = serve
    assert managed.get("/apps", host=CONTROL, Authorization="Bearer x", Range="name ..; max=10")[2] == b"[]"
    found = headers(seen[0])
    assert (found["host"], found["authorization"], found["range"]) == (CONTROL, "Bearer x", "name ..; max=10")
    assert found["x-forwarded-for"] == "127.0.0.1"


def test_a_log_may_pause_longer_than_an_app_s_answer_may(managed: Running, control: Control) -> None:
    pause = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\none\n")
        pause.wait(managed.door.first_byte * 2)
        connection.sendall(b"two\n")

    control.serve = serve
    assert managed.get("/logs", host=CONTROL)[2] == b"one\ntwo\n"


def test_a_push_reaches_control_while_it_is_still_being_sent(managed: Running, control: Control) -> None:
    arrived = threading.Event()

    def serve(connection: socket.socket) -> None:
        data = b""
        while b"0\r\n\r\n" not in data:
            data += connection.recv(65536)
            if b"first" in data:
                arrived.set()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    control.serve = serve
    with managed.connect() as connection:
        head = f"POST /shop.git/git-receive-pack HTTP/1.1\r\nHost: {CONTROL}\r\n"
        head += "Transfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode() + b"5\r\nfirst\r\n")
        assert arrived.wait(10)
        connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")
        assert b"200 OK" in connection.recv(4096)


@pytest.mark.parametrize(
    ("path", "length", "status"),
    [
        ("/apps", 2000, 413),
        ("/shop.git/git-receive-pack", 100_000, 200),
        ("/shop.git/git-receive-pack", 300_000, 413),
    ],
)
def test_a_push_may_be_larger_than_other_requests_and_is_bounded_too(
    managed: Running, control: Control, path: str, length: int, status: int
) -> None:
    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    control.serve = serve
    with managed.connect() as connection:
        connection.sendall(
            f"POST {path} HTTP/1.1\r\nHost: {CONTROL}\r\nContent-Length: {length}\r\n\r\n".encode()
        )
        if status == 200:
            connection.sendall(b"x" * length)
        assert int(connection.recv(4096).split()[1]) == status


def test_a_control_that_does_not_run_has_a_page(managed: Running, control: Control) -> None:
    control.close()
    status, _, body = managed.get("/apps", host=CONTROL, Accept="application/vnd.heroku+json; version=3")
    assert status == 503
    assert b'"id": "h99"' in body
