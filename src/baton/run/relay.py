"""A sidecar that carries bytes; one small process a dyno, run by path so that it imports nothing of Baton.

`relay.py listen --target unix:PATH|tcp:HOST:PORT [--fallback unix:PATH] [--user UID:GID] [--once]`
    accepts on descriptor 3 and carries each connection to the target, half-closes included. SIGTERM: accept
    no more,
    finish what there is, end. `--once`: end as soon as the backlog is empty and all is finished.
`relay.py terminal --style tty|pipes`
    carries between a caller's connection (3) and a pty's master (4), or a pipe to stdin (4) and one from
    stdout (5),
    where a byte 0x04 from the caller, with nothing after it, closes stdin.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

READ = 65536
HELD = 262144  # bytes held for a reader that is slow before its writer has to wait
LISTENER = 3
END_BYTE = b"\x04"
END_PATIENCE = 0.1
EPOLLEXCLUSIVE = 1 << 28
CONNECT_PATIENCE = 5.0
# Django's ASGI handler takes a thread for each request under way, and a dyno has 256 processes and threads.
UNANSWERED = 100
DIAL_PATIENCE = 0.01
AGAIN = 0.005


class Pump:
    """One direction. `read` gives b"" at the end; `write` takes what it can; `close` passes the end on."""

    def __init__(
        self, source: int, read: Callable[[], bytes], sink: int, write: Callable[[memoryview], int]
    ) -> None:
        self.source, self.read, self.sink, self.write = source, read, sink, write
        self.held = bytearray()
        self.begun = self.ended = self.finished = False
        self.close: Callable[[], None] = lambda: None

    @property
    def wants_read(self) -> bool:
        return not self.ended and len(self.held) < HELD

    @property
    def wants_write(self) -> bool:
        return bool(self.held)

    def fill(self) -> None:
        if not self.wants_read:
            return
        try:
            data = self.read()
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self.ended = not data
        self.begun = True
        self.held += data
        self.drain()

    def drain(self) -> None:
        try:
            while self.held:
                with memoryview(self.held) as view:
                    sent = self.write(view)
                del self.held[:sent]
        except BlockingIOError:
            return
        except OSError:
            self.held.clear()
            self.ended = True
        if self.ended and not self.held and not self.finished:
            self.finished = True
            with contextlib.suppress(OSError):
                self.close()


class Loop:
    """Descriptors and the pumps that wait for them."""

    def __init__(self) -> None:
        self.epoll = select.epoll()
        self.pumps: dict[int, list[Pump]] = {}
        self.masks: dict[int, int] = {}

    def add(self, *pumps: Pump) -> None:
        for pump in pumps:
            for fd in (pump.source, pump.sink):
                self.pumps.setdefault(fd, []).append(pump)
        for pump in pumps:
            self.update(pump)

    def update(self, pump: Pump) -> None:
        for fd in (pump.source, pump.sink):
            if fd not in self.pumps:
                continue
            mask = 0
            for other in self.pumps.get(fd, ()):
                mask |= select.EPOLLIN if other.source == fd and other.wants_read else 0
                mask |= select.EPOLLOUT if other.sink == fd and other.wants_write else 0
            self._set(fd, mask)

    def _set(self, fd: int, mask: int) -> None:
        old = self.masks.get(fd, 0)
        if mask == old:
            return
        if not old:
            self.epoll.register(fd, mask)
        elif not mask:
            # Left registered it would report a hang-up for ever.
            self.epoll.unregister(fd)
        else:
            self.epoll.modify(fd, mask)
        self.masks[fd] = mask

    def remove(self, fd: int) -> None:
        self._set(fd, 0)
        self.masks.pop(fd, None)
        self.pumps.pop(fd, None)

    def close(self, fd: int) -> None:
        self.remove(fd)
        os.close(fd)

    def handle(self, fd: int, events: int) -> None:
        for pump in tuple(self.pumps.get(fd, ())):
            if pump.sink == fd and events & (select.EPOLLOUT | select.EPOLLERR | select.EPOLLHUP):
                pump.drain()
            if pump.source == fd and events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                pump.fill()
            self.update(pump)


def socket_pump(source: socket.socket, sink: socket.socket) -> Pump:
    pump = Pump(source.fileno(), lambda: source.recv(READ), sink.fileno(), sink.send)
    pump.close = lambda: sink.shutdown(socket.SHUT_WR)
    return pump


class Listener:
    """Accepts one caller at a time, connects it, and forgets the pair when both directions have finished.

    While the target's queue is full, or it has UNANSWERED callers without a first byte, nothing more is
    accepted: callers wait where another dyno may take them. A target that is gone makes the relay stop; the
    caller in hand goes to `fallback`, the app's front.
    """

    def __init__(self, listener: socket.socket, target: str, fallback: str, once: bool) -> None:
        self.listener, self.target, self.fallback, self.once = listener, target, fallback, once
        self.loop = Loop()
        self.pairs: dict[int, Pair] = {}
        self.unanswered: set[int] = set()
        self.accepting, self.listening = True, False
        self.waiting: tuple[socket.socket, float] | None = None
        self.alarm, alarmed = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(alarmed)
        signal.signal(signal.SIGTERM, lambda *_: None)
        listener.setblocking(False)
        self.pace()
        self.loop.epoll.register(self.alarm, select.EPOLLIN)

    def stop(self) -> None:
        if self.accepting:
            self.accepting = False
            self.pace()
            self.listener.close()

    def pace(self) -> None:
        """Listen, or not, as there is room."""
        wanted = self.accepting and (self.once or len(self.unanswered) < UNANSWERED)
        if wanted and not self.listening:
            self.loop.epoll.register(self.listener.fileno(), select.EPOLLIN | EPOLLEXCLUSIVE)
        elif self.listening and not wanted:
            self.loop.epoll.unregister(self.listener.fileno())
        self.listening = wanted

    def run(self) -> None:
        while self.accepting or self.pairs or self.waiting:
            if self.once:
                self.empty()
            if not (self.accepting or self.pairs or self.waiting):
                return
            for fd, events in self.loop.epoll.poll(AGAIN if self.waiting else None):
                self.handle(fd, events)
            if self.waiting:
                self.connect()

    def empty(self) -> None:
        """Take all callers of a queue that nobody else serves, and then no more."""
        while self.accepting and not self.waiting:
            if not self.accept():
                self.stop()

    def handle(self, fd: int, events: int) -> None:
        if fd == self.alarm:
            os.read(self.alarm, READ)
            self.stop()
        elif self.accepting and fd == self.listener.fileno():
            if self.listening:
                self.accept()
        else:
            self.loop.handle(fd, events)
            self.note(fd)
            self.forget(fd)

    def accept(self) -> bool:
        if self.waiting:
            return True
        try:
            caller, _ = self.listener.accept()
        except OSError:
            return False
        caller.setblocking(False)
        self.waiting = caller, time.monotonic() + CONNECT_PATIENCE
        self.connect()
        return True

    def connect(self) -> None:
        """Try to connect the caller in hand; one that has waited too long is let go."""
        if self.waiting is None:
            return
        caller, deadline = self.waiting
        try:
            server = dial(self.target)
        except (TimeoutError, BlockingIOError):
            if time.monotonic() < deadline:
                return
            server = None
        except OSError:
            if self.fallback and self.target != self.fallback:
                self.stop()
                self.target = self.fallback
                return
            server = None
        self.waiting = None
        if server is None:
            caller.close()
        else:
            self.couple(caller, server)

    def couple(self, caller: socket.socket, server: socket.socket) -> None:
        pair = Pair(caller, server, socket_pump(caller, server), socket_pump(server, caller))
        self.pairs[caller.fileno()] = self.pairs[server.fileno()] = pair
        self.loop.add(pair.there, pair.back)
        self.unanswered.add(server.fileno())
        self.pace()

    def note(self, fd: int) -> None:
        """A first byte, or an end, makes room for the next caller."""
        pair = self.pairs.get(fd)
        if pair and pair.back.begun and pair.server.fileno() in self.unanswered:
            self.unanswered.remove(pair.server.fileno())
            self.pace()

    def forget(self, fd: int) -> None:
        pair = self.pairs.get(fd)
        if pair and pair.there.finished and pair.back.finished:
            for end in (pair.caller, pair.server):
                del self.pairs[end.fileno()]
                self.loop.remove(end.fileno())
                end.close()


class Pair(NamedTuple):
    caller: socket.socket
    server: socket.socket
    there: Pump
    back: Pump


def dial(target: str) -> socket.socket:
    """Connect; TimeoutError or BlockingIOError when the target's queue is full, another OSError when it is
    gone.
    """
    kind, _, rest = target.partition(":")
    server = socket.socket(socket.AF_UNIX if kind == "unix" else socket.AF_INET, socket.SOCK_STREAM)
    try:
        # A full queue drops the first packet, and TCP would wait a second before it tries again.
        server.settimeout(DIAL_PATIENCE)
        if kind == "unix":
            server.connect(rest)
        else:
            host, _, port = rest.rpartition(":")
            server.connect((host, int(port)))
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        server.setblocking(False)
    except OSError:
        server.close()
        raise
    return server


def listen(target: str, fallback: str, user: str, once: bool) -> None:
    if user:
        uid, _, gid = user.partition(":")
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    Listener(socket.socket(fileno=LISTENER), target, fallback, once).run()


def read_terminal(fd: int) -> bytes:
    """A pty whose other side is closed gives EIO, which is its way to end."""
    try:
        return os.read(fd, READ)
    except OSError as error:
        if error.errno == errno.EIO:
            return b""
        raise


class Typed:
    """What a caller without a terminal sends: 0x04 with nothing after it says that stdin has ended."""

    def __init__(self, caller: socket.socket) -> None:
        self.caller = caller
        self.held = b""

    def read(self) -> bytes:
        piece = self.caller.recv(READ)
        data = self.held + piece
        self.held = END_BYTE if piece.endswith(END_BYTE) else b""
        data = data.removesuffix(self.held)
        if piece and not data:
            raise BlockingIOError
        return data if piece else b""


def terminal(style: str) -> None:
    """Ends when the program has ended and all of its output is with the caller, or when the caller is
    gone.
    """
    caller = socket.socket(fileno=LISTENER)
    into, out = (4, 4) if style == "tty" else (4, 5)
    for fd in {LISTENER, into, out}:
        os.set_blocking(fd, False)
    loop, typing = Loop(), Typed(caller)
    read = typing.read if style == "pipes" else lambda: caller.recv(READ)
    typed = Pump(LISTENER, read, into, lambda data: os.write(into, data))
    printed = Pump(out, lambda: read_terminal(out), LISTENER, caller.send)
    if style == "pipes":
        typed.close = lambda: loop.close(into)
    printed.close = lambda: caller.shutdown(socket.SHUT_WR)
    loop.add(typed, printed)
    while not printed.finished and not (typed.ended and style == "tty"):
        events = loop.epoll.poll(END_PATIENCE if typing.held else None)
        for fd, mask in events:
            loop.handle(fd, mask)
        if typing.held and not events:
            typing.held, typed.ended = b"", True
            typed.drain()
            loop.update(typed)
    linger(caller, already=typed.ended)


def linger(caller: socket.socket, *, already: bool) -> None:
    """A client that still has its 0x04 to send must not find a closed door: wait for it, half a second at
    most.
    """
    caller.setblocking(True)
    caller.settimeout(0.5)
    with contextlib.suppress(OSError):
        while not already and caller.recv(READ):
            continue


def main(arguments: list[str]) -> None:
    given = {
        name: value
        for name, value in zip(arguments, [*arguments[1:], ""], strict=True)
        if name.startswith("--")
    }
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    if arguments[0] == "terminal":
        terminal(given["--style"])
    else:
        listen(given["--target"], given.get("--fallback", ""), given.get("--user", ""), "--once" in given)


if __name__ == "__main__":
    main(sys.argv[1:])
