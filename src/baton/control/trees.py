"""Removing directories that a build or an app left, read-only ones included."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any


def remove(path: Path) -> None:
    """The whole tree, if it is there. Raises OSError when something can't be removed."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path, onerror=_writable_and_again)


def _writable_and_again(act: Callable[..., Any], path: str, problem: Any) -> None:
    if isinstance(problem[1], FileNotFoundError):
        return
    if os.geteuid() == 0:
        raise problem[1]
    for each in (Path(path).parent, Path(path)):
        if not each.is_symlink() and each.is_dir():
            each.chmod(0o700)
    act(path)
