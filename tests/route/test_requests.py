"""What an app sees of a request, and what a client sees of an answer."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time

import pytest
import websockets
from websockets.asyncio.server import unix_serve

from tests.route.conftest import HOST, Running, answering, headers, read_request, wait_for

POST = f"POST / HTTP/1.1\r\nHost: {HOST}\r\n"


def sent_to_app(door: Running, **extra: str) -> dict[str, str]:
    seen: list[bytes] = []
    door.app(answering(seen=seen))
    assert door.get(**extra)[0] == 200
    return headers(seen[0])


def test_an_app_gets_the_headers_that_heroku_gives(door: Running) -> None:
    before = time.time() * 1000
    found = sent_to_app(door)
    assert found["x-forwarded-for"] == "127.0.0.1"
    assert found["x-forwarded-proto"] == "http"
    assert found["x-forwarded-port"] == str(door.port)
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-a[0-9a-f]{3}-[0-9a-f]{12}", found["x-request-id"]
    )
    assert before - 1000 < int(found["x-request-start"]) < time.time() * 1000 + 1000
    assert found["via"] == "1.1 baton"
    assert found["host"] == HOST
    assert found["connection"] == "close"


def test_what_a_client_says_of_itself_is_added_to_or_replaced(door: Running) -> None:
    found = sent_to_app(
        door, X_Forwarded_For="6.6.6.6", X_Forwarded_Proto="https", X_Forwarded_Port="443",
        X_Request_Start="1", Via="1.0 fred", Proxy="evil:1", Upgrade="h2c",
    )  # fmt: skip
    assert found["x-forwarded-for"] == "6.6.6.6, 127.0.0.1"
    assert found["x-forwarded-proto"] == "http"
    assert found["x-forwarded-port"] == str(door.port)
    assert found["x-request-start"] != "1"
    assert found["via"] == "1.0 fred, 1.1 baton"
    assert "proxy" not in found
    assert "upgrade" not in found


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("a" * 20, True),
        ("A1+/=-" * 30, True),
        ("a" * 200, True),
        ("a" * 19, False),
        ("a" * 201, False),
        ("a b" * 10, False),
        ('x"' * 20, False),
    ],
)
def test_a_request_id_of_heroku_s_form_is_kept_and_others_replaced(
    door: Running, given: str, kept: bool
) -> None:
    found = sent_to_app(door, X_Request_ID=given)["x-request-id"]
    assert (found == given) is kept
    assert f"request_id={found}" in door.router_line()


def test_the_host_header_keeps_its_port_and_can_t_differ_from_the_routed_host(door: Running) -> None:
    seen: list[bytes] = []
    door.app(answering(seen=seen))
    door.get(host=f"{HOST}:{door.port}")
    door.ask(f"GET http://{HOST}/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n")
    assert [headers(head)["host"] for head in seen] == [f"{HOST}:{door.port}", HOST]


@pytest.mark.parametrize("path", ["/a%2Fb/../c//d?x=%00&y=1", "/%C3%A4;v=1?q", "/?a=b?c"])
def test_a_path_arrives_as_it_was_sent(door: Running, path: str) -> None:
    seen: list[bytes] = []
    door.app(answering(seen=seen))
    assert door.get(path)[0] == 200
    assert seen[0].split()[1].decode() == path


def test_the_app_s_own_answer_passes_unchanged(door: Running) -> None:
    door.app(
        answering(
            b"gone fishing",
            "Server: gunicorn\r\nX-Accel-Redirect: /.baton-pages/h10.html\r\nX-Baton-Code: H14\r\n",
            "502 Bad Gateway",
        )
    )
    status, found, body = door.get()
    assert (status, found["server"], body) == (502, "gunicorn", b"gone fishing")
    assert "x-baton-code" not in found
    line = door.router_line()
    assert line.startswith("at=info method=GET")
    assert re.search(r"dyno=web connect=\d+ms service=\d+ms status=502 bytes=12 protocol=http$", line)


def test_every_host_of_an_app_leads_to_it_and_others_are_told_so(door: Running) -> None:
    door.app(answering())
    for host in (HOST, "www.shop.example", "a.wild.example", "SHOP.localhost"):
        assert door.get(host=host)[2] == b"hello", host
    for host in ("wild.example", "other.localhost", "127.0.0.1"):
        status, _, body = door.get(host=host)
        assert (status, b"No app at this address" in body, host.encode() in body) == (404, True, True)
    assert b"<script" not in door.get(host="<script>")[2]


def test_an_answer_arrives_piece_by_piece_as_the_app_sends_it(door: Running) -> None:
    step = threading.Semaphore(0)

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        for number in range(3):
            step.acquire(timeout=10)
            connection.sendall(b"data: %d\n\n" % number)

    door.app(serve)
    with door.connect() as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nAccept: text/event-stream\r\n\r\n".encode())
        got = b""
        for number in range(3):
            step.release()
            while b"data: %d" % number not in got:
                part = connection.recv(4096)
                assert part, got
                got += part


def test_an_event_stream_may_pause_longer_than_a_first_byte_may_take(door: Running) -> None:
    pause = threading.Event()

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\ndata: 1\n\n"
        )
        pause.wait(door.door.first_byte * 2)
        connection.sendall(b"data: 2\n\n")

    door.app(serve)
    assert b"data: 2" in door.get(Accept="text/event-stream")[2]


def test_a_slow_upload_does_not_reach_the_app_before_it_is_whole(door: Running) -> None:
    accepted = threading.Event()

    def serve(connection: socket.socket) -> None:
        accepted.set()
        _, body = read_request(connection)
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" if len(body) == 100_000 else b"bad"
        )

    door.app(serve)
    with door.connect() as connection:
        connection.sendall(
            f"POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n".encode()
        )
        for _ in range(99):
            connection.sendall(b"x" * 1000)
            assert not accepted.is_set()
        connection.sendall(b"x" * 1000)
        assert b"200 OK" in connection.recv(4096)
    assert accepted.is_set()


def test_a_slow_reader_does_not_hold_the_app_for_answers_up_to_a_quarter_of_a_megabyte(door: Running) -> None:
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        answering(b"x" * 250_000)(connection)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)
        done.set()

    door.app(serve)
    with door.connect() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
        wait_for(done.is_set, "the app to be free again")


def test_a_websocket_is_spoken_both_ways(door: Running) -> None:
    path = door.door.home.run / "ws.sock"

    async def echo(connection: websockets.asyncio.server.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def talk() -> list[str | bytes]:
        async with unix_serve(echo, str(path)):
            path.chmod(0o666)
            door.point(path)
            async with websockets.connect(f"ws://{HOST}:{door.port}/chat", host="127.0.0.1") as client:
                await client.send("one")
                first = await client.recv()
                await asyncio.sleep(door.door.first_byte * 1.5)
                await client.send(b"two" * 100_000)
                return [first, await client.recv()]

    assert asyncio.run(talk()) == ["one", b"two" * 100_000]
    assert 'at=info method=GET path="/chat"' in door.router_line("status=101")


def test_keep_alive_works_to_the_client_and_is_not_used_to_the_app(door: Running) -> None:
    upstream_connections: list[int] = []

    def serve(connection: socket.socket) -> None:
        upstream_connections.append(1)
        answering()(connection)

    door.app(serve)
    with door.connect() as connection:
        for _ in range(3):
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
            answer = b""
            while not answer.endswith(b"hello"):
                answer += connection.recv(4096)
    assert len(upstream_connections) == 3


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/1.1\r\n\r\n", 400),
        ("NONSENSE\r\n\r\n", 400),
        (f"GET / HTTP/1.1\r\nHost: {HOST}\r\nHost: other\r\n\r\n", 400),
        (f"GET /{'a' * 20000} HTTP/1.1\r\nHost: {HOST}\r\n\r\n", 414),
        (f"GET / HTTP/1.1\r\nHost: {HOST}\r\nCookie: {'a' * 20000}\r\n\r\n", 400),
        (f"{POST}Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n", 400),
        (f"{POST}Content-Length: 99999999999\r\nConnection: close\r\n\r\n", 413),
        (f"TRACE / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n", 405),
    ],
)
def test_what_is_no_good_request_is_answered_by_the_door(
    door: Running, request_text: str, status: int
) -> None:
    door.app(answering())
    found, _, body = door.ask(request_text)
    assert found == status
    assert b"If this app is yours" in body


def test_the_door_s_own_pages_can_t_be_fetched_from_outside(door: Running) -> None:
    door.app(answering())
    assert door.get("/.baton-pages/h10.html")[0] == 404


def test_a_host_can_prove_itself_to_a_certificate_authority_before_it_is_routed(door: Running) -> None:
    challenges = door.door.home.root / "acme" / ".well-known" / "acme-challenge"
    (challenges / "token").write_text("proof")
    door.app(answering(b"the app's"))
    for host in (HOST, "unrouted.example"):
        assert door.get("/.well-known/acme-challenge/token", host=host)[2] == b"proof"
    assert door.get("/.well-known/acme-challenge/other")[2] == b"the app's"
    assert door.get("/.well-known/acme-challenge/other", host="unrouted.example")[0] == 404
