"""`python -m baton.run.keeper --home DIR`: the supervisor's parent, and what survives it.

It holds a copy of every named file descriptor of the supervisor's, and starts another supervisor, which gets
them
all, when one ends. It knows nothing else, so there is little in it that could fail. Orphaned processes of
dynos come
to it and are reaped by the kernel; their exit statuses are where bwrap wrote them, in a memfd held here.

With `--store FD` it is started by a supervisor whose keeper died, and is given everything by that.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import sys
import time
from pathlib import Path

from baton.run.spawn import spawn
from baton.run.store import receive, send

PR_SET_CHILD_SUBREAPER = 36
QUICK = 2.0
STORE_FD = 3


class Keeper:
    def __init__(self, home: str) -> None:
        self.home = home
        self.fds: dict[str, int] = {}
        self.finished = False

    def run(self, connection: socket.socket | None) -> None:
        """Serve one supervisor after the other until one says that it is over."""
        failures = 0
        while not self.finished:
            began = time.monotonic()
            self.serve(connection or self.start())
            connection = None
            failures = failures + 1 if time.monotonic() - began < QUICK else 0
            if failures > 1 and not self.finished:
                time.sleep(min(5.0, 0.1 * failures))

    def start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [sys.executable, "-m", "baton.run.supervisor", "--home", self.home, "--store", str(STORE_FD)]
        spawn(argv, os.environ, {0: 0, 1: 1, 2: 2, STORE_FD: theirs.fileno()})
        theirs.close()
        try:
            for name, fd in self.fds.items():
                send(ours, {"have": name}, fd)
            send(ours, {"end": True})
        except ConnectionError:
            pass  # It has died already: serve() finds the end of the connection.
        return ours

    def serve(self, connection: socket.socket) -> None:
        """Do what a supervisor says until it is gone."""
        with connection:
            while True:
                message, fd = receive(connection)
                if message is None:
                    return
                if "put" in message and fd is not None:
                    self._replace(message["put"], fd)
                elif "drop" in message:
                    self._replace(message["drop"], None)
                elif "quit" in message:
                    self.finished = True
                    return

    def _replace(self, name: str, fd: int | None) -> None:
        old = self.fds.pop(name, None)
        if old is not None:
            os.close(old)
        if fd is not None:
            self.fds[name] = fd


def lock(home: Path, patience: float = 0.0) -> int | None:
    """The lock that one keeper a home has; None when another one has it for so long. Held until the process
    ends.
    """
    (home / "run").mkdir(parents=True, exist_ok=True)
    handle = os.open(home / "run" / "keeper.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(handle)
                return None
        time.sleep(0.01)


def main(arguments: list[str]) -> int:
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    home = given["--home"]
    # One that a supervisor starts may find its predecessor in its last moment.
    if lock(Path(home), patience=10.0 if "--store" in given else 0.0) is None:
        sys.stderr.write(f"A keeper of {home} is running already.\n")
        return 1
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    given_store = given.get("--store")
    Keeper(home).run(socket.socket(fileno=int(given_store)) if given_store else None)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
