"""What a benchmark prints: the machine it ran on, tables, and the verdict on each promise."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from baton.route.front import find_nginx

VERSIONS = ("django", "gunicorn", "uvicorn", "granian", "uv")
WIDTH = 150

console = Console(width=WIDTH, highlight=False)


@dataclass(frozen=True)
class Promise:
    """A figure that the design promises: `found` keeps it when it is at most (or `at_least`) `limit`."""

    what: str
    found: float
    limit: float
    unit: str = ""
    at_least: bool = False

    @property
    def kept(self) -> bool:
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    def __str__(self) -> str:
        sign = "at least" if self.at_least else "at most"
        state = "kept" if self.kept else "BROKEN"
        found = f"{self.found:.4g}{self.unit}"
        return f"{state}: {self.what}: {found} (promised: {sign} {self.limit:g}{self.unit})"


def header(title: str) -> None:
    """The name of the benchmark, and all of the machine that its figures depend on."""
    cores = len(os.sched_getaffinity(0))
    load = " ".join(f"{each:.2f}" for each in os.getloadavg())
    nginx = ".".join(map(str, find_nginx().version))
    versions = [f"{name} {metadata.version(name)}" for name in VERSIONS]
    console.print(f"\n[bold]{escape(title)}[/]")
    console.print(
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {cpu()}, {cores} cores, load {load}, "
        f"Linux {platform.release()}, Python {platform.python_version()}, nginx {nginx}, "
        f"{', '.join(versions)}\n"
    )


def cpu() -> str:
    """The processor's own name, or its architecture."""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """The first column is text, and `command`; the others are figures."""
    drawn = Table(title=escape(title), box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for number, name in enumerate(columns):
        is_text = number == 0 or name == "command"
        drawn.add_column(name, justify="left" if is_text else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*(escape(str(cell)) for cell in row))
    console.print(drawn)


def note(text: str) -> None:
    console.print(escape(text))


def verdict(promises: Iterable[Promise]) -> int:
    """Print each promise; 0 when all are kept, else 1."""
    broken = 0
    for promise in promises:
        broken += not promise.kept
        console.print(escape(str(promise)), style="green" if promise.kept else "bold red")
    return int(broken > 0)


def spread(seconds: Sequence[float]) -> str:
    """`median (least to most)` in seconds."""
    if not seconds:
        return "-"
    return f"{statistics.median(seconds):.2f} ({min(seconds):.2f} to {max(seconds):.2f})"


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}"
