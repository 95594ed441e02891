"""The disk law: what a build may count on, and what is taken away afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from baton.base.paths import Home
from baton.base.settings import Settings
from baton.build import dependencies, static, tree
from baton.build.cage import cgroup, check_disk, clear
from baton.run.cgroups import Cgroup

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Keep:
    """`slugs`: names below home.slugs that a release may still need; `builds`: ids of builds not yet over;
    `keys`: of living apps.
    """

    slugs: frozenset[str]
    builds: frozenset[str]
    keys: frozenset[str]
    cache: int = (
        2048 * MEGABYTE
    )  # bytes that the caches of one app may have, and the compressed variants of all


@dataclass
class Freed:
    """What was removed, by path, and the bytes that this gave back."""

    paths: list[Path] = field(default_factory=list)
    size: int = 0


def disk_check(home: Home) -> None:
    """Raises DiskFull when less is free than the operator wants to stay free."""
    check_disk(home, Settings.load(home).disk_reserve_mb * MEGABYTE)


def collect(home: Home, keep: Keep) -> Freed:
    """Remove slugs, trees, caches and leftovers that nothing needs.

    Safe beside running builds, and at any time again.
    """
    freed = Freed()
    for path in _listed(home.slugs):
        name = path.name.removesuffix(".json").removesuffix(".new")
        if name not in keep.slugs and name not in keep.builds:
            _remove(path, freed)
    for path in _listed(home.builds):
        if path.name not in keep.builds:
            _collect_build(home, path, freed)
    _collect_trees(home, freed)
    for path in _listed(home.root / "cache"):
        _collect_cache(home, path, keep, freed)
    if disk_usage(static.variants(home)) > keep.cache:
        _remove(static.variants(home), freed)
    for path in _listed(home.root / "static"):
        if path.name not in keep.keys:
            _remove(path, freed)
    return freed


def _collect_build(home: Home, path: Path, freed: Freed) -> None:
    """A build that still runs holds its lock, whatever the caller believes."""
    lock = home.builds / ".locks" / path.name
    lease = dependencies.attempt(lock)
    if lease is None:
        return
    clear(Cgroup(cgroup(path.name)))
    _remove(path, freed)
    lock.unlink(missing_ok=True)
    lease.release()


def _collect_trees(home: Home, freed: Freed) -> None:
    for path in _listed(home.deps):
        lock = dependencies.lock_file(home, path.name)
        lease = dependencies.attempt(lock)
        if lease is None:
            continue
        # Looked up under the lock: a build lets go of a tree only after its slug claims it.
        if path.name not in claimed(home):
            _remove(path, freed)
            lock.unlink(missing_ok=True)
        lease.release()


def claimed(home: Home) -> set[str]:
    """The names of the trees that some slug mounts."""
    found: set[str] = set()
    for manifest in home.slugs.glob("*.json"):
        try:
            mounts = json.loads(manifest.read_text())["mounts"]
        except FileNotFoundError:
            continue
        found |= {Path(source).name for source in mounts if Path(source).parent == home.deps}
    return found


def cache_lock(home: Home, key: str) -> Path:
    """Shared by every build of the app as long as it runs."""
    return home.root / "cache" / ".locks" / key


def _collect_cache(home: Home, path: Path, keep: Keep, freed: Freed) -> None:
    if path.name in keep.keys and disk_usage(path) <= keep.cache:
        return
    lease = dependencies.attempt(cache_lock(home, path.name))
    if lease is not None:
        _remove(path, freed)
        lease.release()


def _listed(directory: Path) -> Iterable[Path]:
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if path.name != ".locks")


def _remove(path: Path, freed: Freed) -> None:
    """Renamed first: a half-removed tree must not be found under a name that means completeness."""
    size = disk_usage(path)
    doomed = path.with_name(f".removed-{path.name.removeprefix('.removed-')}")
    if doomed != path:
        tree.remove(doomed)
        path.rename(doomed)
    tree.remove(doomed)
    freed.paths.append(path)
    freed.size += size


def disk_usage(path: Path) -> int:
    """Bytes of all files below, each inode once; what goes away meanwhile counts nothing."""
    seen: set[int] = set()
    total = 0
    pending = [path]
    while pending:
        current = pending.pop()
        try:
            info = current.lstat()
            if current.is_dir() and not current.is_symlink():
                pending += current.iterdir()
        except OSError:
            continue
        if info.st_ino not in seen:
            seen.add(info.st_ino)
            total += info.st_blocks * 512
    return total
