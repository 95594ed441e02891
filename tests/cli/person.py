"""Somebody who types commands, and waits for what comes of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

SECONDS = 60.0
T = TypeVar("T")


@dataclass(frozen=True)
class Person:
    """Somebody at a shell: a home directory, a place to work in, and a machine that runs Baton."""

    home: Path
    place: Path
    server: str
    email: str
    password: str

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "BATON_HOST": self.server,
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_CONFIG_NOSYSTEM": "1",
        }

    def types(
        self, *words: str, stdin: bytes = b"", code: int | None = 0, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """A command line, which has to end with `code` (None: any)."""
        done = subprocess.run(
            words,
            cwd=self.place,
            env={**self.environ, **environ},
            input=stdin,
            capture_output=True,
            timeout=300,
            check=False,
        )
        shown = subprocess.CompletedProcess(
            words, done.returncode, done.stdout.decode(), done.stderr.decode()
        )
        assert code in (None, shown.returncode), (
            f"{shown.returncode}: {words}\n{shown.stdout}\n{shown.stderr}"
        )
        return shown

    def baton(
        self, *words: str, stdin: bytes = b"", code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        return self.types("baton", *words, stdin=stdin, code=code)

    def starts(self, *words: str, **streams: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["baton", *words], cwd=self.place, env=self.environ, **streams)  # type: ignore[call-overload, no-any-return]


def eventually(look: Callable[[], T], what: str, seconds: float = SECONDS) -> T:
    """What `look` finds, as soon as it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"{what} did not come about within {seconds:.0f} seconds"
        time.sleep(0.1)
    return found
