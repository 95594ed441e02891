"""The load generator counts every kind of loss, and nothing else. Its counterpart misbehaves on purpose."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from websockets.sync.server import ServerConnection, serve

from benchmarks.apps import tree
from benchmarks.load import Load, Tally, Target
from tests.benchmarks.test_trees import started


class Counterpart(ThreadingHTTPServer):
    """Answers like a sample application, unless `mischief` (method, number of the request) names a fault."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, mischief: Callable[[str, int], str | None]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.mischief, self.count, self.done = mischief, 0, 0
        self.version = "v1"
        self.lock = threading.Lock()

    def fault(self, method: str) -> str | None:
        with self.lock:
            self.count += 1
            fault = self.mischief(method, self.count)
            self.done += fault is not None
            return fault


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Counterpart

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        fault = self.server.fault(self.command)
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if fault in ("reset", "close"):
            self.close_connection = True
            return
        if fault == "stall":
            time.sleep(1)
        self.reply(fault, body)

    do_POST = do_GET  # noqa: N815

    def reply(self, fault: str | None, body: bytes) -> None:
        nonce = parse_qs(urlsplit(self.path).query)["nonce"][0]
        answer = {
            "version": self.server.version,
            "setting": "",
            "nonce": "another" if fault == "nonce" else nonce,
            "sha256": hashlib.sha256(b"?" if fault == "body" else body).hexdigest(),
        }
        text = json.dumps(answer).encode()
        self.send_response(502 if fault == "status" else 200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text[:10] if fault == "cut" else text)
        self.close_connection = self.close_connection or fault in ("cut", "then close")

    def log_message(self, *details: object) -> None:
        pass


@contextmanager
def counterpart(mischief: Callable[[str, int], str | None] = lambda method, n: None) -> Iterator[Counterpart]:
    server = Counterpart(mischief)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def load_on(server: Counterpart, *allowed: str, requests: int = 150, rate: float = 200) -> Tally:
    """What a load counted until the server had seen so many requests."""
    target = Target("app.localhost", server.server_address[1], rate=rate, chunked=False)
    with Load(target) as load:
        load.phase("only", *allowed)
        wait_until(lambda: server.count >= requests)
    return load.total()


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def test_a_server_without_fault_loses_nothing_and_every_request_reaches_it() -> None:
    with counterpart() as server:
        tally = load_on(server, "v1/")
    assert (tally.lost, tally.wrong, tally.retried) == (0, 0, 0)
    assert tally.sent == server.count
    assert tally.sent == len(tally.latencies) + len(tally.slow_latencies)


@pytest.mark.parametrize("fault", ["cut", "status"])
def test_every_broken_answer_counts_as_lost(fault: str) -> None:
    with counterpart(lambda method, n: fault if n % 10 == 5 else None) as server:
        tally = load_on(server)
    assert server.done > 0
    assert (tally.lost, tally.wrong) == (server.done, 0)


@pytest.mark.parametrize("fault", ["nonce", "body"])
def test_every_answer_to_another_request_counts_as_wrong(fault: str) -> None:
    with counterpart(lambda method, n: fault if n % 10 == 5 else None) as server:
        tally = load_on(server)
    assert server.done > 0
    assert (tally.lost, tally.wrong) == (0, server.done)


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_a_post_that_meets_a_closing_connection_is_lost_even_where_that_was_kept_alive(fault: str) -> None:
    with counterpart(lambda method, n: fault if method == "POST" and n % 2 else None) as server:
        tally = load_on(server)
    assert server.done > 0
    assert (tally.lost, tally.retried) == (server.done, 0)


def test_a_get_that_meets_a_closing_connection_is_sent_once_more_only_where_that_was_kept_alive() -> None:
    with counterpart(lambda method, n: "reset" if method == "GET" and n % 10 == 0 else None) as server:
        tally = load_on(server)
    assert tally.retried + tally.lost == server.done
    assert tally.retried > 0


def test_a_connection_seen_closed_is_not_used_for_the_next_request() -> None:
    with counterpart(lambda method, n: "then close") as server:
        tally = load_on(server, rate=20, requests=20)
    assert (tally.lost, tally.retried) == (0, 0)


def test_a_version_that_may_not_answer_counts_as_wrong() -> None:
    with counterpart() as server:
        tally = load_on(server, "v2/")
    assert tally.wrong > 0
    assert tally.wrong == tally.sent


def test_a_request_on_its_way_during_a_change_may_be_answered_by_either_version() -> None:
    with counterpart() as server, Load(Target("x", server.server_address[1], chunked=False)) as load:
        load.phase("steady", "v1/")
        wait_until(lambda: server.count > 20)
        load.phase("change", "v1/", "v2/")
        server.version = "v2"
        wait_until(lambda: load.first_seen("v2/") is not None)
        load.allow("v2/")
        seen = server.count
        wait_until(lambda: server.count > seen + 20)
    assert load.total().failed == 0


def test_an_old_version_after_the_change_counts_as_wrong_and_as_mixed() -> None:
    with counterpart() as server, Load(Target("x", server.server_address[1], chunked=False)) as load:
        load.phase("change", "v1/", "v2/")
        server.version = "v2"
        wait_until(lambda: load.first_seen("v2/") is not None)
        load.allow("v2/")
        server.version = "v1"
        seen = server.count
        wait_until(lambda: server.count > seen + 20)
    assert load.total().wrong > 0
    assert load.total().mixed > 0


def test_a_stall_is_seen_by_every_request_that_was_due_in_it() -> None:
    """Were requests only sent after answers, a stall of all would be counted once a connection."""
    stalled = threading.Event()

    def stall(method: str, n: int) -> str | None:
        if n == 50:
            stalled.set()
        return "stall" if 50 <= n < 150 else None

    with counterpart(stall) as server:
        tally = load_on(server, requests=300)
    assert stalled.is_set()
    assert len([each for each in tally.latencies if each >= 1]) >= 95


def test_a_server_killed_in_the_middle_loses_requests(tmp_path: Path) -> None:
    with started(tree("port", "v1"), tmp_path) as (process, url):
        target = Target("app.localhost", int(url.rsplit(":", 1)[1]), chunked=False)
        wait_until(lambda: reachable(target.port))
        with Load(target) as load:
            wait_until(lambda: load.first_seen("v1/hello") is not None)
            process.kill()
            process.wait()
            load.phase("gone", "v1/hello")
            wait_until(lambda: load.sent() > 20)
    gone = load.total(["gone"])
    assert gone.sent > 0
    assert gone.lost == gone.sent


def reachable(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(("polite", "lost"), [(True, False), (False, True)])
def test_a_websocket_session_cut_by_the_server_counts_as_lost(polite: bool, lost: bool) -> None:
    opened: list[ServerConnection] = []

    def echo(connection: ServerConnection) -> None:
        opened.append(connection)
        for message in connection:
            connection.send(f"v1 {message!s}")
            if not polite:
                return

    with serve(echo, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        with Load(Target("app.localhost", port, sessions=2, rate=0.001, checked=False)) as load:
            load.phase("only")
            wait_until(lambda: len(opened) >= (2 if polite else 4))
        server.shutdown()
        thread.join()
    assert bool(load.total(["only"]).lost) is lost
