"""What builds and release phases print, kept in a file each while their records are kept, bounded in size."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

from baton.base.paths import Home

LIMIT = 4 * 1024 * 1024  # bytes; a build log above that is a runaway loop
CUT = b" !     The output is cut off here: it exceeds 4 MB.\n"
POLL_SECONDS = 0.1


def place(home: Home, record: UUID | str) -> Path:
    return home.logs / "output" / f"{record}.log"


class Output:
    """Appends lines; each is on disk when `write` returns, so that a reader in another process can follow."""

    def __init__(self, home: Home, record: UUID | str) -> None:
        path = place(home, record)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._size = self._file.tell()

    def write(self, line: str) -> None:
        data = line.encode(errors="replace") + b"\n"
        if self._file.closed or self._size > LIMIT:
            return
        self._size += len(data)
        self._file.write(data if self._size <= LIMIT else CUT)

    def close(self) -> None:
        self._file.close()


def read(home: Home, record: UUID | str, is_open: Callable[[], bool], follow: bool) -> Iterator[bytes]:
    """The file's bytes; with `follow`, more as they come, until `is_open` says that nothing will."""
    path, offset = place(home, record), 0
    while True:
        last = not follow or not is_open()
        data = _tail(path, offset)
        offset += len(data)
        if data:
            yield data
        elif last:
            return
        else:
            time.sleep(POLL_SECONDS)


def _tail(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(65536)
    except FileNotFoundError:
        return b""
