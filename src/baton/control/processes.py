"""Whether the process that wrote a record still lives.

Its id together with its start time, so that a reused id fools nobody.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    pid: int
    started: str  # clock ticks since boot, with the boot's id

    @classmethod
    def me(cls) -> Owner:
        return cls(os.getpid(), start_of(os.getpid()) or "")

    @property
    def alive(self) -> bool:
        return bool(self.started) and start_of(self.pid) == self.started


def start_of(pid: int) -> str | None:
    """Boot id and start time of a live process; None when there is none (a zombie is none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return None if fields[0] in "ZX" else f"{boot[:8]}-{fields[19]}"
