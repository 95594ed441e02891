"""Waiting until nobody else uses the machine, and remembering how often that was in vain."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import report

SAMPLE_SECONDS = 0.4
MOST_BUSY = 0.15
LONGEST_WAIT = 45.0

_begun: list[bool] = []


def busy(before: tuple[int, int], after: tuple[int, int]) -> float:
    """Share of all processors' time (0 to 1) that was used between two samples of (idle, total) ticks."""
    total = after[1] - before[1]
    return 1 - (after[0] - before[0]) / total if total else 0.0


def ticks(stat: str) -> tuple[int, int]:
    """(idle, total) from the first line of /proc/stat; waiting for a disk counts as idle."""
    numbers = [int(each) for each in stat.split("\n", 1)[0].split()[1:9]]
    return numbers[3] + numbers[4], sum(numbers)


def wait() -> None:
    """Return when the machine is quiet, or after LONGEST_WAIT; `say` tells how often it never was."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not (quiet := _sample() <= MOST_BUSY) and time.monotonic() < deadline:
        time.sleep(SAMPLE_SECONDS)
    _begun.append(quiet)


def say() -> None:
    """Print how many measurements began on a machine that others used."""
    disturbed = _begun.count(False)
    if disturbed:
        report.note(
            f"Others used more than {MOST_BUSY:.0%} of the processors at the start of {disturbed} of "
            f"{len(_begun)} measurements: repeat them on a quiet machine."
        )


def _sample() -> float:
    stat = Path("/proc/stat")
    before = ticks(stat.read_text())
    time.sleep(SAMPLE_SECONDS)
    return busy(before, ticks(stat.read_text()))
