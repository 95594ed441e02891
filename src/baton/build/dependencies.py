"""Installed trees, shared by the hash of what they were made from.

A tree below `home.deps` is complete by being there: it is made elsewhere on the same disk, taken away from
the user who made it, and renamed into place. Locks are the kernel's, so a killed build leaves none behind.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from baton.base.paths import Home
from baton.build import tree
from baton.build.errors import Cancelled
from baton.build.request import Limits

POLL = 0.05  # seconds between two looks at a lock that another build holds


def key(parts: Mapping[str, str]) -> str:
    """The name of a tree: 32 hex digits of everything it was made from, unambiguous in names and values."""
    digest = hashlib.sha256()
    for name, value in sorted(parts.items()):
        for text in (name, value):
            encoded = text.encode("utf-8", "surrogateescape")
            digest.update(len(encoded).to_bytes(8, "big") + encoded)
    return digest.hexdigest()[:32]


@dataclass(frozen=True)
class Lease:
    """A kept lock; `handle` is its descriptor, and the lock goes with it."""

    handle: int

    def release(self) -> None:
        os.close(self.handle)


@dataclass(frozen=True)
class Shared:
    """A ready tree and the lease that keeps it from being collected. `cached`: nothing had to be done."""

    path: Path
    lease: Lease
    cached: bool


def obtain(
    home: Home,
    name: str,
    make: Callable[[], Path],
    cancelled: Callable[[], bool],
    limits: Limits,
    *,
    owner: tuple[int, int] | None = None,
) -> Shared:
    """The tree of that name, made by `make` (which returns a finished directory on the same disk) if need be.

    Two builds that want one tree make it once: the second waits. Nobody is shown a tree but read-only or
    through an overlay; `owner` (else root) is who may write over its files there.
    """
    path = home.deps / name
    cached = True
    while True:
        lease = acquire(lock_file(home, name), shared=True, cancelled=cancelled)
        if path.is_dir():
            return Shared(path, lease, cached)
        lease.release()
        # A lock can't be weakened without letting go of it: look again, as if another had made the tree.
        with locked(lock_file(home, name), cancelled):
            if not path.is_dir():
                cached = False
                staging = make()
                tree.seal(staging, owner, limits)
                staging.rename(path)


def lock_file(home: Home, name: str) -> Path:
    return home.deps / ".locks" / name


def acquire(path: Path, *, shared: bool, cancelled: Callable[[], bool] = lambda: False) -> Lease:
    """Wait for the lock. Raises Cancelled."""
    while True:
        lease = attempt(path, shared=shared)
        if lease is not None:
            return lease
        if cancelled():
            raise Cancelled
        time.sleep(POLL)


def attempt(path: Path, *, shared: bool = False) -> Lease | None:
    """The lock if it is free. A lock file that was removed meanwhile does not count."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(handle).st_ino:
            return Lease(handle)
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(handle)
    return None


@contextmanager
def locked(path: Path, cancelled: Callable[[], bool] = lambda: False) -> Iterator[None]:
    lease = acquire(path, shared=False, cancelled=cancelled)
    try:
        yield
    finally:
        lease.release()
