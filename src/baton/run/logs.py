"""Log lines: from a dyno's pipe to an app's bounded book on disk, each exactly once, whatever is killed.

A pipe is never read into the process: `splice` moves its bytes into a *spool* (a file in memory that the
keeper holds
too), and they are crossed off only when their lines are on disk. The book's *page* says in one small write
how far
file and spools are agreed; what the file has beyond that was cut off half-way and is written anew.

A line on disk is `SEQUENCE TIME SOURCE[DYNO]: MESSAGE`; after the sequence number it is Heroku's.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from baton.run.store import Store

LONGEST_LINE = 10_000  # bytes; longer ones are split, as Logplex does
KEPT_LINES = 1500
FILE_BYTES = 8 << 20
CHUNK = 1 << 16
PAGE = 1 << 16
SPOOL_BYTES = 1 << 20
STALE = 1.0  # seconds after which a line without its end is taken as it is
BURST_BYTES = 16 << 20
BYTES_A_SECOND = 2 << 20


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def split_lines(data: bytes, *, final: bool = False) -> tuple[list[bytes], int]:
    """The whole lines in `data` and how many bytes they used; `final` takes the unfinished one too.

    A line longer than LONGEST_LINE is split, never inside a UTF-8 sequence.
    """
    lines: list[bytes] = []
    used = 0
    while used < len(data):
        end = data.find(b"\n", used, used + LONGEST_LINE + 1)
        if end >= 0:
            lines.append(data[used:end].removesuffix(b"\r"))
            used = end + 1
        elif len(data) - used > LONGEST_LINE:
            cut = _character_boundary(data, used + LONGEST_LINE, used)
            lines.append(data[used:cut])
            used = cut
        elif final:
            lines.append(data[used:])
            used = len(data)
        else:
            break
    return lines, used


def _character_boundary(data: bytes, cut: int, start: int) -> int:
    for back in range(4):
        if cut - back > start and data[cut - back] & 0xC0 != 0x80:
            return cut - back
    return cut


class Allowance:
    """A bucket of bytes that fills steadily: bursts are free, a flood is not."""

    def __init__(self, burst: int = BURST_BYTES, rate: int = BYTES_A_SECOND) -> None:
        self.burst, self.rate = burst, rate
        self.left, self.filled = float(burst), time.monotonic()

    def spend(self, amount: int) -> bool:
        moment = time.monotonic()
        self.left = min(self.burst, self.left + (moment - self.filled) * self.rate)
        self.filled = moment
        if self.left < amount:
            return False
        self.left -= amount
        return True


class Book:
    """The log of one app, written by one process only."""

    def __init__(self, store: Store, key: str, path: Path) -> None:
        self.store, self.key, self.path = store, key, path
        self.allowance = Allowance()
        self.changed = asyncio.Event()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = os.fstat(self.file).st_size
        self.sequence = 0
        self.offsets: dict[str, int] = {}
        self.dropped: dict[str, list[Any]] = {}
        self._recover()

    def _recover(self) -> None:
        handle = self.store.get(f"log:{self.key}")
        if handle is None:
            self.store.put(f"log:{self.key}", os.memfd_create("page", os.MFD_CLOEXEC))
            self.sequence = next((sequence for sequence, _ in self.backwards()), 0)
            return self._agree()
        page = json.loads(os.pread(handle, PAGE, 0).split(b"\0")[0] or b"null")
        if page is None:
            return self._agree()
        self.sequence, self.offsets, self.dropped = page["sequence"], page["offsets"], page["dropped"]
        if self.size > page["size"]:
            os.ftruncate(self.file, page["size"])
            self.size = page["size"]
        return None

    def write(self, source: str, dyno: str, messages: Iterable[str]) -> None:
        """Append lines and agree on them."""
        self._append(source, dyno, messages)
        self._agree()

    def take(self, stream: str, dyno: str, lines: list[bytes], offset: int) -> None:
        """Lines of a dyno's `stream`, which is read up to `offset` with them."""
        if self.allowance.spend(sum(map(len, lines)) + 40 * len(lines)):
            self._own_up(stream, dyno)
            self._append("app", dyno, [line.decode("utf-8", "replace") for line in lines])
        else:
            count, since = self.dropped.get(stream, (0, now()))
            self.dropped[stream] = [count + len(lines), since]
        self.offsets[stream] = offset
        self._agree()

    def finish(self, stream: str, dyno: str) -> None:
        """Nothing more comes from `stream`."""
        self._own_up(stream, dyno)
        self.offsets.pop(stream, None)
        self._agree()

    def _own_up(self, stream: str, dyno: str) -> None:
        if stream in self.dropped:
            count, since = self.dropped.pop(stream)
            notice = f"Error L10 (output buffer overflow): {count} messages of {dyno} dropped since {since}."
            self._append("heroku", "logplex", [notice])

    def _append(self, source: str, dyno: str, messages: Iterable[str]) -> None:
        if self.size > FILE_BYTES:
            self._rotate()
        moment = now()
        lines = []
        for message in messages:
            self.sequence += 1
            lines.append(f"{self.sequence} {moment} {source}[{dyno}]: {message}\n")
        data = "".join(lines).encode("utf-8", "replace")
        self.size += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self.file, view) :]

    def _agree(self) -> None:
        page = {
            "size": self.size,
            "sequence": self.sequence,
            "offsets": self.offsets,
            "dropped": self.dropped,
        }
        handle = self.store.get(f"log:{self.key}")
        if handle is not None:
            os.pwrite(handle, json.dumps(page).encode().ljust(4096, b"\0"), 0)
        self.changed.set()
        self.changed = asyncio.Event()

    def _rotate(self) -> None:
        self.path.replace(self.path.with_suffix(".log.1"))
        os.close(self.file)
        self.file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.size = 0
        self._agree()

    def backwards(self) -> Iterator[tuple[int, str]]:
        """(sequence, line) from the newest to the oldest that is kept."""
        for path in (self.path, self.path.with_suffix(".log.1")):
            for raw in lines_backwards(path):
                number, _, line = raw.decode("utf-8", "replace").partition(" ")
                if number.isdigit():
                    yield int(number), line

    def select(
        self, lines: int, after: int | None = None, source: str | None = None, dyno: str | None = None
    ) -> list[tuple[int, str]]:
        """The last `lines` of those after sequence number `after` and from that source and dyno, oldest
        first.

        `dyno` may be a process type: "web" means all of web.1, web.2 ...
        """
        found: list[tuple[int, str]] = []
        for seen, (sequence, line) in enumerate(self.backwards()):
            if len(found) >= lines or (after is not None and sequence <= after):
                break
            if after is None and seen >= KEPT_LINES:
                break
            if matches(line, source, dyno):
                found.append((sequence, line))
        return found[::-1]

    def close(self, *, remove: bool = False) -> None:
        os.close(self.file)
        if remove:
            self.store.drop(f"log:{self.key}")
            self.path.unlink(missing_ok=True)
            self.path.with_suffix(".log.1").unlink(missing_ok=True)


def matches(line: str, source: str | None, dyno: str | None) -> bool:
    _, _, rest = line.partition(" ")
    origin, _, tail = rest.partition("[")
    name = tail.partition("]")[0]
    return (source is None or origin == source) and (
        dyno is None or name == dyno or name.startswith(f"{dyno}.")
    )


def lines_backwards(path: Path) -> Iterator[bytes]:
    """The whole lines of a file, last first, reading it from its end in pieces."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    with os.fdopen(handle, "rb") as file:
        position = os.fstat(handle).st_size
        rest = b""
        while position > 0:
            start = max(0, position - CHUNK)
            pieces = (os.pread(handle, position - start, start) + rest).split(b"\n")
            position, rest = start, pieces[0]
            yield from (piece for piece in reversed(pieces[1:]) if piece)
        if rest and file:
            yield rest


class Stream:
    """One dyno's output on its way into a book. Its pipe and spool are in the store."""

    def __init__(self, store: Store, book: Book, name: str, dyno: str) -> None:
        self.store, self.book, self.name, self.dyno = store, book, name, dyno
        self.loop = asyncio.get_running_loop()
        self.ended = asyncio.Event()
        self.flush: asyncio.TimerHandle | None = None

    @classmethod
    def make(cls, store: Store, name: str) -> int:
        """A pipe and a spool under `name`. Returns the end to write to, which the caller closes."""
        out, into = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(out, False)
        store.put(f"{name}:spool", os.memfd_create("spool", os.MFD_CLOEXEC))
        store.put(f"{name}:out", out)
        return into

    def follow(self) -> Stream:
        """Start to move lines, first those that a predecessor left in the spool."""
        spool = self.store.get(f"{self.name}:spool")
        out = self.store.get(f"{self.name}:out")
        if spool is None or out is None:
            self.ended.set()
            return self
        if self.book.offsets.get(self.name, 0) > os.fstat(spool).st_size:
            self.book.offsets[self.name] = 0
        os.lseek(spool, 0, os.SEEK_END)
        self.process()
        self.loop.add_reader(out, self.move)
        return self

    def move(self) -> None:
        out, spool = self.store.fds[f"{self.name}:out"], self.store.fds[f"{self.name}:spool"]
        try:
            moved = os.splice(out, spool, CHUNK)
        except BlockingIOError:
            return
        self.process(final=moved == 0)
        if moved == 0:
            self.end()

    def process(self, *, final: bool = False) -> None:
        """Bring the lines in the spool into the book."""
        spool = self.store.fds[f"{self.name}:spool"]
        offset = self.book.offsets.get(self.name, 0)
        data = os.pread(spool, 4 * CHUNK, offset)
        lines, used = split_lines(data, final=final)
        if used:
            self.book.take(self.name, self.dyno, lines, offset + used)
        self._set_timer(used < len(data))
        if offset + used > SPOOL_BYTES:
            self._renew(data[used:])

    def _set_timer(self, unfinished: bool) -> None:
        if self.flush:
            self.flush.cancel()
        self.flush = self.loop.call_later(STALE, self._take_unfinished) if unfinished else None

    def _take_unfinished(self) -> None:
        self.process(final=True)

    def _renew(self, rest: bytes) -> None:
        spool = os.memfd_create("spool", os.MFD_CLOEXEC)
        os.write(spool, rest)
        self.store.put(f"{self.name}:spool", spool)
        self.book.offsets[self.name] = 0
        self.book._agree()

    def finish(self) -> None:
        """The processes are gone: take what is left, even if something elsewhere still holds the pipe."""
        while not self.ended.is_set():
            before = self.book.offsets.get(self.name, 0), self.book.sequence
            self.move()
            if (
                before == (self.book.offsets.get(self.name, 0), self.book.sequence)
                and not self.ended.is_set()
            ):
                self.process(final=True)
                self.end()

    def end(self) -> None:
        if self.ended.is_set():
            return
        if self.flush:
            self.flush.cancel()
        self.loop.remove_reader(self.store.fds[f"{self.name}:out"])
        self.book.finish(self.name, self.dyno)
        self.store.drop(f"{self.name}:out")
        self.store.drop(f"{self.name}:spool")
        self.ended.set()
