"""The side of the benchmark: starts the generator's process, names the phases, takes the tallies."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.load.plan import Target
from benchmarks.load.tally import Tally, total

ROOT = Path(__file__).resolve().parents[2]
STOP_SECONDS = 90


class Load:
    """A load that runs while the `with` block does; `tallies` holds its counts afterwards.

    Raises RuntimeError when the generator itself fails.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.tallies: list[Tally] = []
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Load:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._write(self.target.to_json())
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        if kind is None:
            self.stop()
        elif self.process is not None:
            self.process.kill()
            self.process.wait()

    def phase(self, name: str, *allowed: str) -> None:
        """Count under `name`; only `allowed` tags (`version/setting`, newest last) may answer, else any."""
        self._ask({"phase": name, "allowed": allowed})

    def allow(self, *allowed: str) -> None:
        """Within the phase, only these tags may answer what is sent from now on."""
        self._ask({"phase": None, "allowed": allowed})

    def first_seen(self, tag: str) -> float | None:
        """When `tag` first answered in this phase, on time.monotonic()'s clock."""
        moment = self._ask({"seen": tag})["seen"]
        return None if moment is None else float(moment)

    def sent(self) -> int:
        """Requests sent so far in this phase."""
        return int(self._ask({"seen": ""})["sent"])

    def latest(self) -> str:
        """The tag that answered the request sent last, of those answered so far."""
        return str(self._ask({"seen": ""})["latest"])

    def stop(self) -> list[Tally]:
        """End the load and wait for the answers that are due."""
        if self.process is not None:
            self._write('{"stop": true}')
            output, _ = self.process.communicate(timeout=STOP_SECONDS)
            lines = output.splitlines()
            if self.process.returncode or not lines or lines[-1] != "null":
                raise RuntimeError(f"the load generator ended with {self.process.returncode}, uncounted")
            self.tallies = [Tally.from_fields(json.loads(line)) for line in lines[:-1]]
            self.process = None
        return self.tallies

    def total(self, names: Iterable[str] | None = None) -> Tally:
        return total([each for each in self.tallies if names is None or each.phase in set(names)])

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        self._write(json.dumps(command))
        assert self.process is not None and self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the load generator ended with {self.process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _write(self, line: str) -> None:
        assert self.process is not None and self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
