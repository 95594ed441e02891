"""What a build is asked for, and what it gives back: plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from baton.base.paths import Home
from baton.run.specs import Mount

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """`memory`, `disk` (of the tree while it is built), `reserve` (disk that stays free) in bytes; `files`
    counts directories too.
    """

    memory: int = 2048 * MEGABYTE
    processes: int = 512
    seconds: int = 900
    disk: int = 4096 * MEGABYTE
    files: int = 250_000
    depth: int = 60
    reserve: int = 256 * MEGABYTE


@dataclass(frozen=True)
class BuildRequest:
    """`source` is the checked-out tree, below `home.builds/<build_id>`; the build changes it and takes it
    away.

    `buildpacks`: names, git URLs, archive URLs, paths or registry URLs, in order; empty means detection.
    `env`: the config vars. `uid`, `gid`: the cage's own user, None when not root. `owner`: the user and group
    of the app's dynos, who will own
    the slug's files; None leaves them with root, readable.
    """

    home: Home
    key: str
    build_id: str
    source: Path
    buildpacks: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    uid: int | None
    gid: int | None
    commit: str
    stack: str = "heroku-24"
    limits: Limits = Limits()
    owner: tuple[int, int] | None = None

    @property
    def directory(self) -> Path:
        return self.home.builds / self.build_id

    @property
    def owner_in_cage(self) -> tuple[int, int] | None:
        return None if self.uid is None or self.gid is None else (self.uid, self.gid)


@dataclass(frozen=True)
class StaticFiles:
    """What of an app's static files may be cached for ever.

    `url` is a path such as "/static/"; `directory` is relative to the slug; `hashed` are names relative to
    it. Compressed variants (.br, .zst, .gz) lie beside those files where they are smaller.
    """

    url: str
    directory: str
    hashed: tuple[str, ...]


@dataclass(frozen=True)
class Slug:
    """A complete, immutable tree at `path`, what is mounted into it, and what it runs. `size` in bytes."""

    path: Path
    process_types: dict[str, str]
    mounts: tuple[Mount, ...]
    buildpacks: tuple[str, ...]
    provided: str
    config_vars: dict[str, str]
    addons: tuple[str, ...]
    static: StaticFiles | None
    size: int
