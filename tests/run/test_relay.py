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
def relaying(listener: socket.socket, target: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-S", "-E", str(relay.__file__), "listen", "--target", f"unix:{target}"]
    argv = [*command, *options]
    process = subprocess.Popen(
        argv,
        close_fds=False,
        preexec_fn=lambda: os.dup2(listener.fileno(), relay.LISTENER),
    )
    try:
        yield process
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


def test_a_queue_that_nobody_serves_is_emptied_and_its_relay_ends() -> None:
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        old = stack.enter_context(listening(Path(place, "old")))
        front = stack.enter_context(listening(Path(place, "front")))
        callers = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(3)]
        for caller in callers:
            caller.connect(str(Path(place, "old")))
            caller.settimeout(30)
        process = stack.enter_context(relaying(old, Path(place, "front"), "--once"))
        accepted: list[socket.socket] = []
        accept_all(front, accepted, len(callers))
        for each in accepted:
            each.sendall(b"answer")
            each.close()
        assert [caller.makefile("rb").read() for caller in callers] == [b"answer"] * 3
        for caller in callers:
            caller.close()
        assert process.wait(30) == 0


def test_a_queue_whose_callers_can_go_nowhere_keeps_no_relay() -> None:
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        old = stack.enter_context(listening(Path(place, "old")))
        caller = stack.enter_context(socket.socket(socket.AF_UNIX))
        caller.connect(str(Path(place, "old")))
        process = stack.enter_context(relaying(old, Path(place, "gone"), "--once"))
        assert process.wait(30) == 0
