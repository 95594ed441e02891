"""Attached one-off dynos, over the protocol that Heroku's client speaks."""

from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.machine import APP, Machine, wait_until

MARKER = "\uffff heroku-command-exit-status: "


@pytest.fixture(scope="module")
def app(machine: Machine) -> str:
    machine.create("rendezvous")
    result = machine.push("rendezvous", APP)
    assert result.exit_code == 0, result.output
    return "rendezvous"


def asked(machine: Machine, app: str, command: str, **options: Any) -> str:
    body = {
        "attach": True,
        "command": command,
        "env": {"TERM": "xterm", "COLUMNS": 101, "LINES": 42},
        **options,
    }
    return str(machine.ask("POST", f"/apps/{app}/dynos", body)["attach_url"])


@contextmanager
def met(machine: Machine, url: str, end: bytes = b"\r\n") -> Iterator[ssl.SSLSocket]:
    """A verified TLS connection that has sent its secret."""
    parts = urlsplit(url)
    assert parts.scheme == "rendezvous" and parts.hostname and parts.port
    context = ssl.create_default_context(cafile=str(machine.home.root / "ca.pem"))
    with (
        socket.create_connection((parts.hostname, parts.port), timeout=30) as plain,
        context.wrap_socket(plain, server_hostname=parts.hostname) as connection,
    ):
        connection.sendall(parts.path.lstrip("/").encode() + end)
        yield connection


def rest(connection: ssl.SSLSocket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def until(connection: ssl.SSLSocket, text: bytes) -> bytes:
    seen = b""
    while text not in seen:
        data = connection.recv(65536)
        assert data, seen
        seen += data
    return seen


@pytest.mark.parametrize("end", [b"\r\n", b""], ids=["newline", "nothing"])
def test_the_greeting_is_a_piece_of_its_own_and_the_output_follows(
    machine: Machine, app: str, end: bytes
) -> None:
    with met(machine, asked(machine, app, "echo hello; cat version.txt"), end) as connection:
        assert connection.recv(65536) == b"rendezvous\r\n"
        assert rest(connection) == b"hello\r\none"


def test_a_terminal_has_the_size_that_was_asked_for(machine: Machine, app: str) -> None:
    with met(machine, asked(machine, app, "stty size; echo $TERM")) as connection:
        assert b"42 101\r\nxterm" in rest(connection)


def test_what_is_typed_reaches_the_program_and_control_c_ends_it(machine: Machine, app: str) -> None:
    with met(machine, asked(machine, app, "read name; echo hello $name; sleep 600")) as connection:
        connection.sendall(b"ann\n")
        until(connection, b"hello ann")
        connection.sendall(b"\x03")
        rest(connection)


def test_the_exit_status_comes_in_one_piece(machine: Machine, app: str) -> None:
    command = f'seq 3000; (exit 7) ; echo "{MARKER}$?"'
    with met(machine, asked(machine, app, command)) as connection:
        pieces = list(iter(lambda: connection.recv(65536), b""))
    assert f"{MARKER}7".encode() in pieces[-1]
    numbers = b"".join(pieces[1:]).partition(MARKER.encode())[0].split()
    assert numbers == [str(number).encode() for number in range(1, 3001)]


def test_input_without_a_terminal_ends_with_one_byte_and_is_otherwise_as_it_was(
    machine: Machine, app: str
) -> None:
    sent = bytes(range(256)) * 400 + b"the last"
    url = asked(machine, app, "sha256sum", force_no_tty=True)
    with met(machine, url) as connection:
        assert connection.recv(65536) == b"rendezvous\r\n"
        connection.sendall(sent)
        connection.sendall(b"\x04")
        shown = rest(connection)

    assert shown.split()[0].decode() == hashlib.sha256(sent).hexdigest()


def test_a_secret_is_for_one_use(machine: Machine, app: str) -> None:
    url = asked(machine, app, "echo once")
    with met(machine, url) as connection:
        assert b"once" in rest(connection)
    with met(machine, url) as connection:
        assert rest(connection) == b""


def test_a_wrong_secret_gets_nothing(machine: Machine, app: str) -> None:
    parts = urlsplit(asked(machine, app, "echo x"))
    with met(machine, f"rendezvous://{parts.hostname}:{parts.port}/{'A' * 43}") as connection:
        assert rest(connection) == b""


def test_a_silent_program_ends_with_its_client(machine: Machine, app: str) -> None:
    def running() -> bool:
        return any(dyno["type"] == "run" for dyno in machine.ask("GET", f"/apps/{app}/dynos"))

    with met(machine, asked(machine, app, "sleep 600", force_no_tty=True)) as connection:
        connection.recv(65536)
        wait_until(running)
    wait_until(lambda: not running())


def test_a_detached_dyno_writes_to_the_log(machine: Machine, app: str) -> None:
    body = {"attach": False, "command": "echo detached $GREETING", "env": {"GREETING": "hello"}}
    dyno = machine.ask("POST", f"/apps/{app}/dynos", body)
    wait_until(lambda: any(f"app[{dyno['name']}]: detached hello" in line for line in machine.log_lines(app)))


def test_an_app_without_a_slug_runs_nothing(machine: Machine) -> None:
    machine.create("rendezvous-blank")
    answer = machine.api("POST", "/apps/rendezvous-blank/dynos", {"attach": True, "command": "ls"})
    assert answer.status_code == 422 and "git push" in answer.text
