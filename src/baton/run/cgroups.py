"""Control groups: one small adapter over version 2, version 1, or none where the machine gives none."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")
V1_CONTROLLERS = ("memory", "cpu", "pids")
LEAF = "baton.main"
BUILDS = "baton/build"
TOGETHER = 20  # how many usual processes all of Baton's groups together weigh


@dataclass(frozen=True)
class Hierarchy:
    """Where groups can be made. `version` is 2, 1, or 0 for nowhere; `bases` has one directory a
    controller.
    """

    version: int
    bases: tuple[Path, ...]
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Cgroup:
    """A group by name, e.g. `baton/<key>/<dyno>`. An object only names it: it can be made anew after a
    restart.
    """

    name: str

    @classmethod
    def create(cls, name: str, *, memory: int, processes: int, cpu_weight: int = 100) -> Cgroup:
        """Make the group with its limits: bytes (swap included), number of tasks, weight (100 is usual)."""
        group = cls(name)
        for base, directory in zip(hierarchy().bases, group.directories(), strict=True):
            _enable(directory)
            directory.mkdir(parents=True, exist_ok=True)
            _weigh(base / directory.relative_to(base).parts[0])
            for file, value in limits(hierarchy().version, directory, memory, processes, cpu_weight):
                _write(directory / file, value)
        return group

    def directories(self) -> list[Path]:
        """One a controller. Builds are apart from dynos, so that they can weigh less than anything live."""
        name = self.name.replace(f"{BUILDS}/", f"{BUILDS.replace('/', '-')}/", 1)
        return [base / name for base in hierarchy().bases]

    @property
    def entrances(self) -> list[str]:
        """The files into which a process writes "0" to enter."""
        return [str(directory / "cgroup.procs") for directory in self.directories()]

    def add(self, pid: int) -> None:
        for entrance in self.entrances:
            _write(Path(entrance), str(pid))

    def processes(self) -> set[int]:
        found: set[int] = set()
        for directory in self.directories():
            found.update(int(line) for line in _read(directory / "cgroup.procs").split())
        return found

    def kill(self) -> None:
        """SIGKILL to everything inside, until nothing is."""
        directories = self.directories()
        if directories and hierarchy().version == 2 and (directories[0] / "cgroup.kill").exists():
            _write(directories[0] / "cgroup.kill", "1")
        deadline = time.monotonic() + 5
        while (pids := self.processes()) and time.monotonic() < deadline:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)

    def remove(self) -> None:
        """Remove the group and its parent when that is empty too. A group still in use stays."""
        for directory in self.directories():
            with suppress(OSError):
                directory.rmdir()
            with suppress(OSError):
                directory.parent.rmdir()

    def memory_usage(self) -> int:
        """Bytes that can't be given back: anonymous and shared memory and swap, without the page cache."""
        total = 0
        wanted = {"anon", "shmem", "total_rss", "total_swap", "total_shmem"}
        for directory in self.directories():
            for line in _read(directory / "memory.stat").splitlines():
                name, _, value = line.partition(" ")
                total += int(value) if name in wanted else 0
        return total

    def oom_killed(self) -> int:
        """How many processes the kernel has killed here for want of memory."""
        for directory in self.directories():
            for file in ("memory.events", "memory.oom_control"):
                for line in _read(directory / file).splitlines():
                    if line.startswith("oom_kill "):
                        return int(line.split()[1])
        return 0


def limits(
    version: int, directory: Path, memory: int, processes: int, weight: int
) -> Iterable[tuple[str, str]]:
    """The files to write in `directory` and their contents, in order."""
    if version == 2:
        return (
            ("memory.max", str(memory)),
            ("memory.swap.max", "0"),
            ("pids.max", str(processes)),
            ("cpu.weight", str(weight)),
        )
    controller = next(
        base.parts[len(ROOT.parts)] for base in hierarchy().bases if directory.is_relative_to(base)
    )
    return {
        "memory": (("memory.limit_in_bytes", str(memory)), ("memory.memsw.limit_in_bytes", str(memory))),
        "pids": (("pids.max", str(processes)),),
        "cpu": (("cpu.shares", str(max(2, weight * 1024 // 100))),),
    }[controller]


@cache
def hierarchy() -> Hierarchy:
    """What this machine offers to this user; looked at once."""
    controllers = _read(ROOT / "cgroup.controllers").split()
    if controllers:
        return _version_2(controllers)
    bases = tuple(
        base for name in V1_CONTROLLERS if (base := ROOT / name).is_dir() and os.access(base, os.W_OK)
    )
    missing = tuple(name for name in V1_CONTROLLERS if ROOT / name not in bases)
    return Hierarchy(1 if bases else 0, bases, missing)


def _version_2(controllers: list[str]) -> Hierarchy:
    missing = tuple(name for name in V1_CONTROLLERS if name not in controllers)
    own = next(
        (line[3:] for line in _read(Path("/proc/self/cgroup")).splitlines() if line.startswith("0::")), "/"
    )
    base = ROOT / own.lstrip("/")
    if base.name == LEAF:
        base = base.parent
    if not os.access(base, os.W_OK) or not os.access(base / "cgroup.subtree_control", os.W_OK):
        return Hierarchy(0, (), V1_CONTROLLERS)
    return Hierarchy(2, (base,), missing)


def _enable(directory: Path) -> None:
    """Version 2: give the controllers to every level above `directory`; processes may live in leaves only."""
    if hierarchy().version != 2:
        return
    base = hierarchy().bases[0]
    wanted = " ".join(f"+{name}" for name in V1_CONTROLLERS if name not in hierarchy().missing)
    if base != ROOT:
        _move_to_leaf(base)
    for level in (
        base,
        *reversed([level for level in directory.parents if level.is_relative_to(base) and level != base]),
    ):
        level.mkdir(exist_ok=True)
        _write(level / "cgroup.subtree_control", wanted)


def _weigh(top: Path) -> None:
    """All dynos together would otherwise weigh as much as one process outside of every group."""
    weight = 100 * TOGETHER if top.name == "baton" else 50
    _write(top / "cpu.weight", str(weight))
    _write(top / "cpu.shares", str(weight * 1024 // 100))


def sweep(leaf: str) -> None:
    """Remove what is left of groups `baton/*/LEAF`, whose processes have been killed."""
    for base in hierarchy().bases:
        for directory in base.glob(f"baton/*/{leaf}"):
            Cgroup(str(directory.relative_to(base))).kill()
            Cgroup(str(directory.relative_to(base))).remove()


def _move_to_leaf(base: Path) -> None:
    pids = _read(base / "cgroup.procs").split()
    if pids:
        (base / LEAF).mkdir(exist_ok=True)
    for pid in pids:
        _write(base / LEAF / "cgroup.procs", pid)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _write(path: Path, value: str) -> None:
    """A kernel without that file (swap accounting) or a process that has gone is no reason to stop."""
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        path.write_text(value)
