"""A relay by itself: how many callers it lets through to a dyno that has not answered yet."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from baton.run import relay

MORE = 30


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen(relay.UNANSWERED * 2)
        yield listener


@contextmanager
def relaying(listener: socket.socket, target: Path) -> Iterator[None]:
    argv = [sys.executable, "-S", "-E", str(relay.__file__), "listen", "--target", f"unix:{target}"]
    process = subprocess.Popen(
        argv,
        close_fds=False,
        preexec_fn=lambda: os.dup2(listener.fileno(), relay.LISTENER),
    )
    try:
        yield
    finally:
        process.kill()
        process.wait()


def accept_all(server: socket.socket, accepted: list[socket.socket], count: int) -> None:
    server.settimeout(30)
    while len(accepted) < count:
        accepted.append(server.accept()[0])


def has_more(server: socket.socket) -> bool:
    server.setblocking(False)
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def test_callers_beyond_the_limit_wait_in_the_queue_and_get_their_turn_after_first_bytes() -> None:
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        front = stack.enter_context(listening(Path(place, "front")))
        server = stack.enter_context(listening(Path(place, "dyno")))
        stack.enter_context(relaying(front, Path(place, "dyno")))
        callers = []
        for number in range(relay.UNANSWERED + MORE):
            caller = stack.enter_context(socket.socket(socket.AF_UNIX))
            caller.connect(str(Path(place, "front")))
            caller.sendall(b"%d\n" % number)
            callers.append(caller)
        accepted: list[socket.socket] = []
        accept_all(server, accepted, relay.UNANSWERED)
        assert not has_more(server)  # the relay has stopped reading its queue
        for each in accepted[:MORE]:
            each.sendall(b"first byte")
        accept_all(server, accepted, relay.UNANSWERED + MORE)
        for each in accepted:
            number = each.makefile("rb").readline()
            each.sendall(b"answer to " + number)
            each.close()
        for number, caller in enumerate(callers):
            caller.settimeout(30)
            answer = caller.makefile("rb").read()
            assert answer.endswith(b"answer to %d\n" % number)
