"""Open files and state that outlive the supervisor: it holds them by name, and its keeper holds a copy of
each.

A message is one packet of JSON, with at most one file descriptor attached:
to the keeper   {"put": NAME} + fd, {"drop": NAME}, {"quit": true}
from the keeper {"have": NAME} + fd for each name, then {"end": true}, once, when it starts a supervisor
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from contextlib import suppress
from typing import Any

PACKET = 4096
_CHUNK = 1 << 20


def send(connection: socket.socket, message: dict[str, Any], fd: int | None = None) -> None:
    socket.send_fds(connection, [json.dumps(message).encode()], [] if fd is None else [fd])


def receive(connection: socket.socket) -> tuple[dict[str, Any] | None, int | None]:
    """The next message, None at the end of the connection; and its file descriptor."""
    try:
        data, fds, _, _ = socket.recv_fds(connection, PACKET, 1, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:
        return None, None
    return (json.loads(data) if data else None), (fds[0] if fds else None)


def close(fd: int) -> None:
    """Also to the event loop: the keeper's copy keeps the kernel from forgetting that it was watched.

    The next file of that number would be taken for it, and never be heard.
    """
    with suppress(RuntimeError):  # no loop runs
        asyncio.get_running_loop().remove_reader(fd)
    os.close(fd)


class Store:
    """What the supervisor holds. Every change goes to the keeper before the call returns."""

    def __init__(self) -> None:
        self.fds: dict[str, int] = {}
        self.keeper: socket.socket | None = None

    def inherit(self, keeper: socket.socket) -> None:
        """Take over what the keeper has of the last supervisor."""
        self.keeper = keeper
        while True:
            message, fd = receive(keeper)
            if message is None or "have" not in message:
                return
            if fd is not None:
                self.fds[message["have"]] = fd

    def entrust(self, keeper: socket.socket) -> None:
        """Give everything to a new keeper."""
        self.keeper = keeper
        for name, fd in self.fds.items():
            self._tell({"put": name}, fd)

    def put(self, name: str, fd: int) -> int:
        """Hold `fd` (it is ours from now on) under `name`; what had the name is closed. Returns `fd`."""
        old = self.fds.get(name)
        self.fds[name] = fd
        self._tell({"put": name}, fd)
        if old is not None and old != fd:
            close(old)
        return fd

    def get(self, name: str) -> int | None:
        return self.fds.get(name)

    def drop(self, name: str) -> None:
        fd = self.fds.pop(name, None)
        if fd is not None:
            self._tell({"drop": name})
            close(fd)

    def drop_all(self, prefix: str) -> None:
        for name in self.names(prefix):
            self.drop(name)

    def names(self, prefix: str) -> list[str]:
        return [name for name in self.fds if name.startswith(prefix)]

    def save(self, name: str, document: Any) -> None:
        """Hold a JSON document in memory only; it replaces the one of that name as a whole."""
        handle = os.memfd_create(name, os.MFD_CLOEXEC)
        data = memoryview(json.dumps(document).encode())
        while data:
            data = data[os.write(handle, data) :]
        self.put(name, handle)

    def load(self, name: str) -> Any:
        """The document of that name, None when there is none."""
        handle = self.fds.get(name)
        return None if handle is None else json.loads(os.pread(handle, os.fstat(handle).st_size, 0))

    def quit(self) -> None:
        """The keeper is to end and to start nobody."""
        self._tell({"quit": True})

    def _tell(self, message: dict[str, Any], fd: int | None = None) -> None:
        """A keeper that has just died is replaced, and the new one is told everything; so nothing is lost
        here.
        """
        if self.keeper is not None:
            with suppress(ConnectionError):
                send(self.keeper, message, fd)
