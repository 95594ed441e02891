"""How control speaks to the supervisor: `Supervisor` blocks, `AsyncSupervisor` tails logs in an event loop.

A request is one line of JSON, answers are lines of JSON; see `server`. When the supervisor is restarted in
between,
the request is sent again: operations and one-offs are known by their id, log lines by their sequence number.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from baton.base.paths import Home
from baton.run import errors
from baton.run.errors import Unavailable
from baton.run.specs import AppSpec, ServiceSpec

PATIENCE = 15.0  # seconds for a restarted supervisor to be there again
AGAIN = 0.02
ANSWER_BYTES = 1 << 24
EVERY = 1 << 30

Document = dict[str, Any]


class Supervisor:
    """Raises RunError subclasses with the supervisor's own words; Unavailable when there is none."""

    def __init__(self, home: Home) -> None:
        self.home = home

    # Apps

    def deploy(
        self, spec: AppSpec, operation: str, on_event: Callable[[Document], None] = lambda _: None
    ) -> None:
        """Bring the app to `spec`; returns after the flip. The same operation id again does nothing new.

        Raises BootTimeout, Crashed, Unhealthy with the log's end; what served before serves on.
        """
        self._ask({"op": "deploy", "spec": spec.to_json(), "operation": operation}, on_event)

    def restart(self, key: str, target: str | None = None) -> None:
        """All dynos, those of a process type, or one by name."""
        self._ask({"op": "restart", "key": key, "target": target, "operation": str(uuid.uuid4())})

    def stop(self, key: str, target: str | None = None) -> None:
        """Stop dynos (or a one-off by name) until they are restarted."""
        self._ask({"op": "stop", "key": key, "target": target, "operation": str(uuid.uuid4())})

    def destroy(self, key: str) -> None:
        """End everything of the app and forget it, its logs too. Its data directory stays."""
        self._ask({"op": "destroy", "key": key})

    def maintenance(self, key: str, on: bool) -> None:
        self._ask({"op": "maintenance", "key": key, "on": on})

    def dynos(self, key: str) -> list[Document]:
        """name, type, state, since, command, size, release, id of each dyno, one-offs last."""
        return list(self._ask({"op": "dynos", "key": key})["dynos"])

    def status(self) -> Document:
        """`apps` by key (release, release_id, operation, generation, page), `services`, `firewall`,
        `memory`.
        """
        return self._ask({"op": "status"})

    # One-offs

    def run(
        self,
        spec: AppSpec,
        dyno: str,
        command: str,
        *,
        type: str = "run",  # noqa: A002 - the word of the contract
        env: Mapping[str, str] | None = None,
        timeout: int | None = None,
        on_output: Callable[[str], None] | None = None,
        operation: str = "",
        bound: bool = True,
    ) -> int:
        """Run a command to its end and return its exit status (255 when it can't be known any more).

        `on_output` gets each line, which is in the app's log too. `bound`: it is ended when this connection
        goes.
        Raises TimedOut after `timeout` seconds.
        """
        request: Document = {
            "op": "run",
            "spec": spec.to_json(),
            "dyno": dyno,
            "command": command,
            "type": type,
        }
        request |= {"env": dict(env or {}), "timeout": timeout, "bound": bound}
        request["operation"] = operation or str(uuid.uuid4())

        def on_event(event: Document) -> None:
            request["after"] = event["sequence"]
            if on_output:
                on_output(event["line"])

        return int(self._ask(request, on_event)["status"])

    def run_detached(
        self, spec: AppSpec, dyno: str, command: str, *, env: Mapping[str, str] | None = None
    ) -> None:
        """Start a command and leave it; its output is in the app's log."""
        request = {"op": "run_detached", "spec": spec.to_json(), "dyno": dyno, "command": command}
        self._ask({**request, "env": dict(env or {}), "operation": str(uuid.uuid4())})

    def attach(
        self,
        spec: AppSpec,
        dyno: str,
        command: str,
        *,
        env: Mapping[str, str] | None = None,
        tty: bool,
        rows: int = 24,
        cols: int = 80,
    ) -> socket.socket:
        """A socket with the program's terminal, or without `tty` its stdin (a chunk ending in 0x04 ends it)
        and output.

        End of file when the program is gone; the program is ended when the socket is closed.
        """
        request = {"op": "attach", "spec": spec.to_json(), "dyno": dyno, "command": command, "tty": tty}
        request |= {"env": dict(env or {}), "rows": rows, "cols": cols, "operation": str(uuid.uuid4())}
        connection = _connect(self.home)
        connection.sendall(json.dumps(request).encode() + b"\n")
        line = b""
        # Byte by byte: what follows the line is the program's.
        while not line.endswith(b"\n"):
            byte = connection.recv(1)
            if not byte:
                connection.close()
                raise Unavailable("The supervisor ended while it started the command.", "Try it again.")
            line += byte
        try:
            _done(json.loads(line))
        except errors.RunError:
            connection.close()
            raise
        return connection

    # Logs

    def logs(
        self,
        key: str,
        *,
        lines: int = 100,
        dyno: str | None = None,
        source: str | None = None,
        tail: bool = False,
        after: int | None = None,
    ) -> Iterator[tuple[int, str]]:
        """(sequence, line), oldest first. `after`: only newer ones. With `tail` until the iterator is
        closed.
        """
        request = {"op": "logs", "key": key, "lines": lines, "dyno": dyno, "source": source, "tail": tail}
        request["after"] = after
        while True:
            with suppress(ConnectionError), _connect(self.home) as connection:
                connection.sendall(json.dumps(request).encode() + b"\n")
                for document in _documents(connection):
                    if _done(document):
                        return
                    request |= {"after": document["sequence"], "lines": EVERY}
                    yield document["sequence"], document["line"]

    def log(self, key: str, source: str, dyno: str, message: str) -> None:
        """Write lines of control's own: ("app", "api", "Release v3 created by ...")."""
        self._ask({"op": "log", "key": key, "source": source, "dyno": dyno, "message": message})

    # Services and the supervisor itself

    def service(self, spec: ServiceSpec) -> None:
        """Start a server, or replace the one of that name; its listening sockets stay open."""
        self._ask({"op": "service", "spec": spec.to_json()})

    def signal(self, name: str, signal: str) -> None:
        """Send a signal by name ("HUP") to a service."""
        self._ask({"op": "signal", "name": name, "signal": signal})

    def shutdown(self) -> None:
        """Stop apps, services, the supervisor and the keeper. Returns when the supervisor has gone."""
        self._ask({"op": "shutdown"}, once=True)
        deadline = time.monotonic() + PATIENCE
        while self.home.supervisor_socket.exists() and time.monotonic() < deadline:
            time.sleep(AGAIN)

    def reexec(self) -> None:
        """Start supervisor and keeper anew in the code that is on disk now; returns when they answer."""
        before = self._ask({"op": "status"})["pid"]
        self._ask({"op": "reexec"}, once=True)
        deadline = time.monotonic() + PATIENCE
        while self._ask({"op": "status"})["pid"] == before and time.monotonic() < deadline:
            time.sleep(AGAIN)

    # The protocol

    def _ask(
        self, request: Document, on_event: Callable[[Document], None] = lambda _: None, *, once: bool = False
    ) -> Document:
        while True:
            try:
                with _connect(self.home) as connection:
                    connection.sendall(json.dumps(request).encode() + b"\n")
                    for document in _documents(connection):
                        if _done(document):
                            return document
                        on_event(document)
            except ConnectionError:
                if once:
                    return {}


class AsyncSupervisor:
    """The same protocol for an event loop. Close the iterator, or cancel what waits for it, to end the
    connection.
    """

    def __init__(self, home: Home) -> None:
        self.home = home

    async def logs(
        self,
        key: str,
        *,
        lines: int = 100,
        dyno: str | None = None,
        source: str | None = None,
        tail: bool = False,
        after: int | None = None,
    ) -> AsyncIterator[tuple[int, str]]:
        """As Supervisor.logs."""
        request = {"op": "logs", "key": key, "lines": lines, "dyno": dyno, "source": source, "tail": tail}
        request["after"] = after
        while True:
            reader, writer = await self._connect()
            try:
                writer.write(json.dumps(request).encode() + b"\n")
                while line := await reader.readline():
                    document = json.loads(line)
                    if _done(document):
                        return
                    request |= {"after": document["sequence"], "lines": EVERY}
                    yield document["sequence"], document["line"]
            except ConnectionError:
                continue
            finally:
                writer.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                path = str(self.home.supervisor_socket)
                return await asyncio.open_unix_connection(path, limit=ANSWER_BYTES)
            except OSError as error:
                if time.monotonic() > deadline:
                    raise _unavailable(self.home, error) from error
            await asyncio.sleep(AGAIN)


def start(home: Home, env: Mapping[str, str] | None = None) -> None:
    """Start keeper and supervisor of `home` unless they run; returns when they answer. Raises Unavailable."""
    home.logs.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + PATIENCE
    keeper: subprocess.Popen[bytes] | None = None
    while not _answers(home):
        # A second keeper of one home ends itself at once, so one too many does no harm.
        if keeper is None or keeper.poll() is not None:
            keeper = _start_keeper(home, dict(os.environ if env is None else env))
        if time.monotonic() > deadline:
            raise _unavailable(home, None)
        time.sleep(AGAIN)


def _start_keeper(home: Home, env: dict[str, str]) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "baton.run.keeper", "--home", str(home.root)]
    with (home.logs / "supervisor.out").open("ab") as output:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=env,
            cwd="/",
            start_new_session=True,
        )


def _answers(home: Home) -> bool:
    """A whole answer: a socket alone may be that of one that has just been killed."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(PATIENCE / 3)
            connection.connect(str(home.supervisor_socket))
            connection.sendall(b'{"op": "status"}\n')
            return connection.recv(1) != b""
    except OSError:
        return False


def _connect(home: Home) -> socket.socket:
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(home.supervisor_socket))
            return connection
        except OSError as error:
            connection.close()
            if time.monotonic() > deadline:
                raise _unavailable(home, error) from error
        time.sleep(AGAIN)


def _documents(connection: socket.socket) -> Iterator[Document]:
    """Each line that comes; ConnectionError when the connection ends."""
    with connection.makefile("rb") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                yield json.loads(line)
    raise ConnectionResetError("the supervisor has gone")


def _done(document: Document) -> bool:
    """True for the last document of an answer. Raises the error that it may be."""
    if "error" in document:
        raise errors.from_json(document["error"])
    return "done" in document or "ready" in document


def _unavailable(home: Home, error: OSError | None) -> Unavailable:
    log = Path(home.logs) / "supervisor.out"
    reason = f" ({error})" if error else ""
    return Unavailable(
        f"The supervisor should answer at {home.supervisor_socket}, and does not{reason}.",
        f"Start it with `baton up`; what it last said is in {log}.",
    )
