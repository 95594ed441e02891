"""Somebody who types commands."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

SECONDS = 60.0


@dataclass(frozen=True)
class Person:
    """Somebody at a shell: a home directory, a place to work in, and a machine that runs Baton."""

    home: Path
    place: Path
    server: str
    email: str
    password: str

    def at(self, place: Path) -> Person:
        """The same person in another directory."""
        return replace(self, place=place)

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
