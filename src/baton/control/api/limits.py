"""What slows a caller down: a bucket of requests for each account, and a growing wait after failed logins.

Both live in memory: control is one process, and a restart may forgive.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

REQUESTS_AN_HOUR = 4500  # Heroku's: https://devcenter.heroku.com/articles/limits
FREE_FAILURES = 5
LONGEST_WAIT = 60.0  # seconds between two tries of a password, however many failed before
REMEMBERED = 10_000  # accounts or addresses; the oldest is forgotten first


@dataclass
class _Level:
    amount: float
    at: float


class Bucket:
    """A bucket of `size` requests that fills up within an hour."""

    def __init__(self, size: int = REQUESTS_AN_HOUR, clock: Callable[[], float] = time.monotonic) -> None:
        self.size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._levels: OrderedDict[str, _Level] = OrderedDict()

    def take(self, who: str, amount: int = 1) -> int:
        """Take `amount` out; what remains, or -1 when there was not enough."""
        with self._lock:
            level = self._level(who)
            if level.amount < amount:
                return -1
            level.amount -= amount
            return int(level.amount)

    def _level(self, who: str) -> _Level:
        now = self._clock()
        level = self._levels.setdefault(who, _Level(self.size, now))
        level.amount = min(self.size, level.amount + (now - level.at) * self.size / 3600)
        level.at = now
        _remember(self._levels, who)
        return level


class Throttle:
    """Counts failures by name; after some of them, the next try has to wait, twice as long each time."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, _Level] = OrderedDict()

    def wait(self, who: str) -> float:
        """Seconds until `who` may try again; 0 is now."""
        with self._lock:
            failed = self._failures.get(who)
            if failed is None or failed.amount < FREE_FAILURES:
                return 0.0
            pause: float = min(LONGEST_WAIT, 2.0 ** (failed.amount - FREE_FAILURES))
            return max(0.0, failed.at + pause - self._clock())

    def failed(self, who: str) -> None:
        with self._lock:
            level = self._failures.setdefault(who, _Level(0, 0))
            level.amount, level.at = min(level.amount + 1, 60), self._clock()
            _remember(self._failures, who)

    def succeeded(self, who: str) -> None:
        with self._lock:
            self._failures.pop(who, None)


def _remember(known: OrderedDict[str, _Level], who: str) -> None:
    known.move_to_end(who)
    while len(known) > REMEMBERED:
        known.popitem(last=False)
