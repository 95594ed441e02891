"""A real nginx in front of real servers on Unix sockets, as a supervisor would run it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from baton.base.paths import Home
from baton.route.door import Door, RoutedApp, sockets
from baton.route.front import FrontDoor, Nginx, _candidates, version_of
from baton.route.routerlog import heroku_line

KEY = "0123456789ab"
HOST = "shop.localhost"


def every_nginx() -> list[Nginx]:
    found = {version: Nginx(path, version) for path in _candidates() if (version := version_of(path))}
    return list(found.values())


def wait_for(condition: Callable[[], object], what: str, seconds: float = 15) -> object:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.01)
    return found


class Upstream:
    """A server on a Unix socket: `serve(connection)` for each connection, in a thread of its own."""

    def __init__(self, path: Path, serve: Callable[[socket.socket], None]) -> None:
        self.serve = serve
        self.requests: list[bytes] = []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(str(path))
        path.chmod(0o666)
        self.socket.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                threading.Thread(target=self._one, args=(connection,), daemon=True).start()

    def _one(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.serve(connection)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def read_request(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of one request whose length is told."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return data, b""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length")
        ),
        0,
    )
    while len(body) < length:
        body += connection.recv(65536)
    return head, body


def headers(head: bytes) -> dict[str, str]:
    return {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in head.decode().split("\r\n")[1:])
    }


def answering(
    body: bytes = b"hello", extra: str = "", status: str = "200 OK", seen: list[bytes] | None = None
) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        head, _ = read_request(connection)
        if seen is not None:
            seen.append(head)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{extra}\r\n".encode() + body)

    return serve


@dataclass
class Running:
    """nginx with inherited sockets, and what a test needs around it."""

    door: Door
    front: FrontDoor
    process: subprocess.Popen[bytes]
    listening: list[socket.socket]
    log: socket.socket
    upstreams: list[Upstream] = field(default_factory=list)
    log_lines: list[str] = field(default_factory=list)
    groups: list[int] = field(default_factory=list)

    @property
    def port(self) -> int:
        assert self.door.http
        return self.door.http[1]

    def app(self, serve: Callable[[socket.socket], None], key: str = KEY) -> Upstream:
        """A new server that the app's symlink is flipped to."""
        path = self.door.home.run / f"{len(self.upstreams)}.sock"
        upstream = Upstream(path, serve)
        self.upstreams.append(upstream)
        self.point(path, key)
        return upstream

    def point(self, target: Path, key: str = KEY) -> None:
        link = self.door.home.front_socket(key)
        scratch = link.with_name(f"{link.name}.new")
        scratch.symlink_to(target)
        scratch.replace(link)

    def connect(self, seconds: float = 15) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=seconds)

    def ask(self, request: str | bytes) -> tuple[int, dict[str, str], bytes]:
        """Sends one request as it is (Connection: close is the caller's) and reads to the end."""
        with self.connect() as connection:
            connection.sendall(request.encode() if isinstance(request, str) else request)
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        found = headers(head)
        if found.get("transfer-encoding") == "chunked":
            body = unchunked(body)
        return int(head.split()[1]), found, body

    def get(
        self, path: str = "/", host: str = HOST, method: str = "GET", body: bytes = b"", **extra: str
    ) -> tuple[int, dict[str, str], bytes]:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in extra.items()]
        lines += [f"Content-Length: {len(body)}"] if body else []
        return self.ask("\r\n".join([*lines, "", ""]).encode() + body)

    def router_line(self, having: str = "") -> str:
        """The next router line that has these words, in Heroku's form."""

        def found() -> str | None:
            with contextlib.suppress(BlockingIOError):
                while True:
                    line = heroku_line(self.log.recv(65536))
                    if line:
                        self.log_lines.append(line[1])
            return next((line for line in self.log_lines if having in line), None)

        line = str(wait_for(found, f"a router line with {having!r}; there are {self.log_lines}"))
        self.log_lines.remove(line)
        return line

    def reload(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def start(self) -> None:
        self.process = subprocess.Popen(self.front.argv, start_new_session=True, **self.inheritance())
        self.groups.append(self.process.pid)
        self.front.settle()

    def inheritance(self) -> dict[str, Any]:
        descriptors = [one.fileno() for one in self.listening]
        environment = {**os.environ, "NGINX": "".join(f"{number};" for number in descriptors)}
        return {"env": environment, "pass_fds": descriptors}

    def stop(self) -> None:
        for group in self.groups:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        self.process.wait()


def unchunked(body: bytes) -> bytes:
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + body[:length], body[length + 2 :]
        if not length:
            break
    return whole


def listen_on(spec: str) -> socket.socket:
    kind, _, where = spec.partition(":")
    if kind == "unix":
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(where)
    else:
        host, _, port = where.rpartition(":")
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, int(port)))
    listening.listen(512)
    # nginx leaves inherited sockets as they are; a blocking one would hold a worker that lost the race for a
    # connection.
    listening.setblocking(False)
    return listening


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="door", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        home = Home.at(Path(directory))
        home.run.mkdir()
        yield home


@pytest.fixture(params=every_nginx(), ids=lambda one: ".".join(map(str, one.version)))
def nginx(request: pytest.FixtureRequest) -> Nginx:
    found: Nginx = request.param
    return found


def plain_door(home: Home) -> Door:
    user = "nobody" if os.geteuid() == 0 else None
    app = RoutedApp(KEY, "shop", (HOST, "www.shop.example", "*.wild.example"), "/static/")
    return Door(home, ("127.0.0.1", free_port()), None, (app,), user=user, workers=2, first_byte=1, idle=4)


def run_door(door: Door, nginx: Nginx) -> Running:
    front = FrontDoor(door.home, nginx, lambda: running.reload())
    front.write(door)
    listening = [listen_on(spec) for spec in sockets(door)]
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind(str(door.home.router_log_socket))
    door.home.router_log_socket.chmod(0o666)
    log.setblocking(False)
    running = Running(front.fitted(door), front, None, listening, log)  # type: ignore[arg-type]
    running.start()
    return running


@contextlib.contextmanager
def a_door(door: Door, nginx: Nginx) -> Iterator[Running]:
    running = run_door(door, nginx)
    try:
        yield running
    finally:
        running.stop()
        for one in (*running.listening, running.log, *running.upstreams):
            one.close()
        shutil.rmtree(door.home.run, ignore_errors=True)


@pytest.fixture
def door(home: Home, nginx: Nginx) -> Iterator[Running]:
    os.umask(0o022)
    with a_door(plain_door(home), nginx) as running:
        yield running


__all__ = ["replace"]
