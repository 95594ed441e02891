"""The Pythons of this machine, and which of them an app gets."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from baton.base.paths import Home
from baton.build.errors import PythonVersionInvalid

OLDEST = (3, 8)
_NAME = re.compile(r"^python3\.(\d+)$")
_WANTED = re.compile(r"^(?:python-|cpython-|cpython@)?(\d+)(?:\.(\d+))?(?:\.(\d+))?$")


@dataclass(frozen=True)
class Interpreter:
    """`path` is the executable itself, no link; `distribution`: it is kept up to date with the machine."""

    version: tuple[int, int, int]
    path: Path
    distribution: bool = False

    def __str__(self) -> str:
        return ".".join(map(str, self.version))

    @property
    def prefix(self) -> Path:
        return self.path.parent.parent


@dataclass(frozen=True)
class Wanted:
    """A version as an app asks for it: its first one, two or three numbers. `file` says where."""

    numbers: tuple[int, ...]
    file: str

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers))


def parse(file: str, text: str) -> Wanted:
    """`.python-version` ("3.13", comments allowed) or runtime.txt ("python-3.13.1").

    Raises PythonVersionInvalid.
    """
    lines = [stripped for line in text.splitlines() if (stripped := line.partition("#")[0].strip())]
    found = _WANTED.match(lines[0]) if len(lines) == 1 else None
    if found is None:
        raise PythonVersionInvalid(file, " ".join(lines)[:100])
    numbers = tuple(int(number) for number in found.groups() if number)
    if numbers[0] != 3:
        raise PythonVersionInvalid(file, lines[0][:100])
    return Wanted(numbers, file)


def choose(wanted: Wanted | None, found: Iterable[Interpreter]) -> Interpreter | None:
    """The newest that fits; of one minor version the distribution's, which is patched with the machine.

    Without a wish: the distribution's own, else the newest.
    """
    fitting = [one for one in found if wanted is None or one.version[: len(wanted.numbers)] == wanted.numbers]
    if wanted is None:
        return max(fitting, key=lambda one: (one.distribution, one.version), default=None)
    return max(fitting, key=lambda one: (one.version[:2], one.distribution, one.version), default=None)


def versions(found: Iterable[Interpreter]) -> list[str]:
    return [".".join(map(str, version)) for version in sorted({one.version for one in found})]


def installed(home: Home) -> tuple[Interpreter, ...]:
    """Every usable Python: the distribution's, uv's, pyenv's, and those named by BATON_PYTHONS (directories,
    `:` between).
    """
    paths: dict[Path, Path] = {}
    for directory in _directories(home):
        for path in sorted(directory.glob("python3.*")):
            if _NAME.match(path.name) and path.exists():
                paths.setdefault(path.resolve(), path)
    found = (_look(path) for path in paths)
    return tuple(one for one in found if one is not None and one.version >= OLDEST)


def _directories(home: Home) -> list[Path]:
    named = [Path(item) for item in os.environ.get("BATON_PYTHONS", "").split(":") if item.startswith("/")]
    managed = (own_directory(home), uv_directory())
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    below = [path / "bin" for base in (*managed, pyenv) for path in _children(base)]
    return [*named, Path("/usr/bin"), Path("/usr/local/bin"), *below]


def _children(directory: Path) -> list[Path]:
    """Nothing of what this user may not see."""
    try:
        return sorted(directory.iterdir())
    except OSError:
        return []


def own_directory(home: Home) -> Path:
    """Where Baton lets uv put the interpreters that it downloads."""
    return home.root / "pythons"


def uv_directory() -> Path:
    data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    return Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or data / "uv" / "python")


def _look(path: Path) -> Interpreter | None:
    """None for a broken interpreter."""
    info = path.stat()
    return _ask(path, info.st_ino, info.st_mtime_ns)


@lru_cache(maxsize=256)
def _ask(path: Path, inode: int, changed: int) -> Interpreter | None:
    """The version it says itself, because a name may lie; asked once as long as it is the same file."""
    try:
        done = subprocess.run([str(path), "-V"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.match(r"^Python (\d+)\.(\d+)\.(\d+)$", done.stdout.strip())
    if done.returncode or found is None:
        return None
    major, minor, patch = map(int, found.groups())
    return Interpreter((major, minor, patch), path, distribution=path.is_relative_to("/usr/bin"))


def download_argv(uv: Path, home: Home, wanted: Wanted) -> list[str]:
    return [str(uv), "python", "install", "--no-bin", "--install-dir", str(own_directory(home)), str(wanted)]


def download(uv: Path, home: Home, wanted: Wanted, environment: dict[str, str]) -> str:
    """Let uv fetch that version; returns "" or why not, in one line."""
    try:
        done = subprocess.run(
            download_argv(uv, home, wanted),
            capture_output=True,
            text=True,
            timeout=180,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if done.returncode == 0 else last_cause(done.stderr.splitlines())


def last_cause(lines: Sequence[str]) -> str:
    """The innermost reason in uv's chain of causes."""
    causes = [line.strip() for line in lines if line.strip()]
    return (causes[-1] if causes else "no reason given").removeprefix("cause: ")[:200]
