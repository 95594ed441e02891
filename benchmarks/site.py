"""What a benchmark deploys to: Baton, or the steps of a deploy by hand, behind one interface."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from benchmarks.load import Target


@dataclass(frozen=True)
class Outcome:
    """How one deploy ended: exit code, all it printed, when it began (monotonic), how long it took."""

    code: int
    output: str
    began: float
    seconds: float


class Site(Protocol):
    """One application on one platform, reachable through a front door on loopback."""

    name: str

    def target(self) -> Target:
        """Where it answers; the caller replaces rate, mix and sessions."""

    def push(self, files: Mapping[str, str]) -> Outcome:
        """Commit `files` (not timed) and deploy them, to the end."""

    def configure(self, name: str, value: str) -> Outcome:
        """Set a config var and return when the platform says that it is served."""

    def release(self) -> int:
        """The number of the release that is current."""

    def rollback(self, release: int) -> Outcome:
        """Return to what `release` served, code and config."""

    def restart_platform(self) -> Outcome:
        """Restart everything that belongs to the platform and not to the app."""


def timed(act: Callable[[], tuple[int, str]]) -> Outcome:
    """Run `act`, which gives an exit code and output."""
    began = time.monotonic()
    code, output = act()
    return Outcome(code, output, began, time.monotonic() - began)


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Return once `condition` holds. Raises TimeoutError that names `what`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} seconds")
        time.sleep(0.01)
