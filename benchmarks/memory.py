"""The memory of Baton itself, idle with one app: proportional set size (PSS) by process, the app's apart.

PSS counts a page that n processes share as 1/n of a page in each, so the sum is what the machine has to have.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks import report

PROC = Path("/proc")
# What Baton starts of its own; everything else below the keeper belongs to an app.
OWN = {
    "baton.run.keeper": "keeper",
    "baton.run.supervisor": "supervisor",
    "run/relay.py": "relay",
    "baton.control": "control",
    "/bwrap ": "sandbox",
    "nginx: master": "front door, master",
    "nginx: worker": "front door, worker",
    "nginx: cache": "front door, cache",
}
STEADY_SECONDS = 5.0
LONGEST_WAIT = 90.0


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    command: str
    pss_mb: float
    cpu: float  # seconds since its start, its own and the kernel's for it

    @property
    def part(self) -> str:
        """The part of Baton that this process is, or nothing when it is an app's."""
        return next((part for mark, part in OWN.items() if mark in self.command), "")


def tree(root: int) -> list[Process]:
    """The process `root` and all below it that still live."""
    by_parent: dict[int, list[Process]] = {}
    for process in _all():
        by_parent.setdefault(process.parent, []).append(process)
        if process.pid == root:
            by_parent.setdefault(-1, []).append(process)
    found, ahead = [], by_parent.get(-1, [])
    while ahead:
        process = ahead.pop()
        found.append(process)
        ahead += by_parent.get(process.pid, [])
    return found


def idle(root: int) -> list[Process]:
    """The tree once its memory has been the same, within 1 %, for STEADY_SECONDS."""
    deadline = time.monotonic() + LONGEST_WAIT
    before = 0.0
    while True:
        found = tree(root)
        now = sum(process.pss_mb for process in found)
        if abs(now - before) <= 0.01 * now or time.monotonic() > deadline:
            return found
        before = now
        time.sleep(STEADY_SECONDS)


def keeper_of(home: Path) -> int:
    """The keeper's process id. Raises LookupError when none runs for this home."""
    for process in _all():
        if "baton.run.keeper" in process.command and str(home) in process.command:
            return process.pid
    raise LookupError(f"no keeper runs for {home}")


def own(processes: Iterable[Process]) -> float:
    """Megabytes (2**20 bytes) of Baton itself."""
    return sum(process.pss_mb for process in processes if process.part)


def cpu_by_part(processes: Iterable[Process]) -> Counter[str]:
    """Processor seconds of each part of Baton, and of `the app`."""
    used: Counter[str] = Counter()
    for each in processes:
        used[each.part.partition(",")[0] or "the app"] += each.cpu  # type: ignore[assignment]
    return used


def show(processes: Iterable[Process]) -> None:
    ordered = sorted(processes, key=lambda each: (not each.part, each.part, each.pid))
    rows = [(each.part or "the app", f"{each.pss_mb:.1f}", each.command[:90]) for each in ordered]
    apps = sum(each.pss_mb for each in ordered if not each.part)
    rows += [("Baton itself", f"{own(ordered):.1f}", ""), ("the app", f"{apps:.1f}", "")]
    report.table("memory of an idle home with one app", ("process", "PSS MB", "command"), rows)


def _all() -> Iterator[Process]:
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                yield _read(entry)
            except (OSError, ValueError, IndexError):
                continue  # it has ended meanwhile


def _read(entry: Path) -> Process:
    # The name, in parentheses, may itself hold spaces and parentheses.
    fields = (entry / "stat").read_text().rpartition(")")[2].split()
    cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    pss = pss_mb((entry / "smaps_rollup").read_text())
    return Process(int(entry.name), int(fields[1]), command, pss, cpu)


def pss_mb(smaps_rollup: str) -> float:
    """Raises ValueError when the text has no Pss line."""
    for line in smaps_rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    raise ValueError("no Pss line")
