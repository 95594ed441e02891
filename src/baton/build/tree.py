"""A tree that somebody else wrote, and whose code has run in it: looked at, read and written without being
led out of it.
"""

from __future__ import annotations

import errno
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from baton.build.errors import (
    BuildError,
    FileTooBig,
    LeavesTree,
    NotAFile,
    NotText,
    ReservedPath,
    SpecialFile,
    TooBig,
    TooDeep,
    TooManyFiles,
)
from baton.build.request import Limits

TEXT_LIMIT = 10_000_000
_KINDS = {stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket", stat.S_IFBLK: "device", stat.S_IFCHR: "device"}


@dataclass(frozen=True)
class Entry:
    """`name` is relative to the root; `info` is its own lstat."""

    name: str
    path: str
    info: os.stat_result

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.info.st_mode)

    @property
    def is_link(self) -> bool:
        return stat.S_ISLNK(self.info.st_mode)

    @property
    def is_file(self) -> bool:
        return stat.S_ISREG(self.info.st_mode)


def walk(root: Path, limits: Limits, skip: Callable[[str], bool] = lambda name: False) -> Iterator[Entry]:
    """Everything below `root`, parents first, links not followed. Raises TreeError at the limits."""
    pending = [("", str(root), 0)]
    count = 0
    while pending:
        prefix, directory, depth = pending.pop()
        if depth > limits.depth:
            raise TooDeep(limits.depth)
        for item, info in _scan(directory, limits):
            name = f"{prefix}{item.name}"
            if skip(name):
                continue
            count += 1
            if count > limits.files:
                raise TooManyFiles(limits.files)
            entry = Entry(name, item.path, info)
            yield entry
            if entry.is_directory:
                pending.append((f"{name}/", item.path, depth + 1))


def _scan(directory: str, limits: Limits) -> list[tuple[os.DirEntry[str], os.stat_result]]:
    try:
        with os.scandir(directory) as items:
            return [(item, item.stat(follow_symlinks=False)) for item in items]
    except FileNotFoundError:
        return []
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise TooDeep(limits.depth) from error
        raise


def measure(root: Path, limits: Limits) -> int:
    """Bytes of the tree. Raises TreeError for what can't be part of a slug."""
    size = 0
    for entry in walk(root, limits):
        kind = stat.S_IFMT(entry.info.st_mode)
        if kind in _KINDS:
            raise SpecialFile(entry.name, _KINDS[kind])
        size += entry.info.st_size if entry.is_file else 0
        if size > limits.disk:
            raise TooBig(size, limits.disk)
    return size


def give(root: Path, uid: int | None, gid: int | None, limits: Limits) -> None:
    """Make the tree the cage's own: owner, and modes that let it work there."""
    if uid is None or gid is None:
        return
    os.chown(root, uid, gid)
    root.chmod(0o755)
    for entry in walk(root, limits):
        os.lchown(entry.path, uid, gid)


def seal(root: Path, owner: tuple[int, int] | None, limits: Limits) -> int:
    """Take a finished tree away from the cage; returns its bytes.

    No set-uid, nothing that others may write, all readable: whoever may see a slug is decided by who mounts
    it.
    """
    size = 0
    uid, gid = owner or (0, 0)
    privileged = os.geteuid() == 0
    _seal_one(str(root), root.lstat(), uid, gid, privileged)
    for entry in walk(root, limits):
        kind = stat.S_IFMT(entry.info.st_mode)
        if kind in _KINDS:
            raise SpecialFile(entry.name, _KINDS[kind])
        size += entry.info.st_size if entry.is_file else 0
        if size > limits.disk:
            raise TooBig(size, limits.disk)
        _seal_one(entry.path, entry.info, uid, gid, privileged)
    return size


def _seal_one(path: str, info: os.stat_result, uid: int, gid: int, privileged: bool) -> None:
    if privileged and (info.st_uid, info.st_gid) != (uid, gid):
        os.lchown(path, uid, gid)
    if stat.S_ISLNK(info.st_mode):
        return
    executable = stat.S_ISDIR(info.st_mode) or info.st_mode & 0o100
    mode = 0o755 if executable else 0o644
    if stat.S_IMODE(info.st_mode) != mode:
        Path(path).chmod(mode)


def locate(root: Path, name: str) -> Path | None:
    """The real path of `name` inside of `root`, None when there is nothing. Raises LeavesTree."""
    base = Path(os.path.realpath(root))
    try:
        real = Path(os.path.realpath(base / name, strict=True))
    except FileNotFoundError:
        if (base / name).is_symlink():
            raise LeavesTree(name) from None
        return None
    except NotADirectoryError:
        return None
    except OSError as error:
        raise LeavesTree(name) from error
    if not real.is_relative_to(base):
        raise LeavesTree(name)
    return real


def read_bytes(root: Path, name: str, limit: int) -> bytes | None:
    """The content of an ordinary file in the tree, None when it is not there. Raises TreeError."""
    real = locate(root, name)
    if real is None:
        return None
    try:
        handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise NotAFile(name) from error
    info = os.fstat(handle)
    if not stat.S_ISREG(info.st_mode):
        os.close(handle)
        raise NotAFile(name)
    with os.fdopen(handle, "rb") as file:
        if info.st_size > limit:
            raise FileTooBig(name, info.st_size, limit)
        return file.read(limit)


def read_text(root: Path, name: str, limit: int = TEXT_LIMIT) -> str | None:
    content = read_bytes(root, name, limit)
    try:
        return None if content is None else content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotText(name) from error


def is_file(root: Path, name: str) -> bool:
    """Whether an ordinary file is at `name`, links inside of the tree followed."""
    try:
        real = locate(root, name)
    except LeavesTree:
        return False
    return real is not None and stat.S_ISREG(real.lstat().st_mode)


def make_directory(root: Path, name: str) -> Path:
    """A real directory at `name`, made where missing.

    Raises ReservedPath when a link or file is in the way.
    """
    path = root
    for part in name.split("/"):
        path = path / part
        try:
            path.mkdir(mode=0o755)
            os.chown(path, root.lstat().st_uid, root.lstat().st_gid, follow_symlinks=False)
        except FileExistsError:
            if not stat.S_ISDIR(path.lstat().st_mode):
                raise ReservedPath(str(path.relative_to(root))) from None
    return path


def write(root: Path, name: str, content: bytes) -> None:
    """Put a file of the platform's own into the tree, in the place of whatever is there."""
    parent, _, base = name.rpartition("/")
    path = (make_directory(root, parent) if parent else root) / base
    if path.is_dir() and not path.is_symlink():
        raise ReservedPath(name)
    path.unlink(missing_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.chown(path, root.lstat().st_uid, root.lstat().st_gid, follow_symlinks=False)


def remove(path: Path) -> None:
    """Everything at `path`, however deep; links not followed. Raises BuildError when something stays."""
    if not os.path.lexists(path):
        return
    argv = ["rm", "-rf", "--one-file-system", "--", str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(
            f"{path} should have been removed: {done.stderr.strip()[:500]}",
            f"Remove it by hand: rm -rf {path}",
        )
