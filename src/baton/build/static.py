"""Static files that may be cached for ever: which they are, their compressed variants, and the front door's
copy of them.

A file counts when Django's manifest names it, or when its name has a hash of its content. Everything else is
the app's to serve.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import stat
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath

import brotli  # type: ignore[import-untyped]
import zstandard

from baton.base.paths import Home
from baton.build import tree
from baton.build.errors import Cancelled, TreeError
from baton.build.request import Limits, StaticFiles

MANIFEST = "staticfiles.json"
MANIFEST_LIMIT = 20_000_000  # bytes
MOST_FILES = 20_000
LARGEST_HASHED = 64_000_000  # bytes read in order to compare a name with a content
LARGEST_COMPRESSED = 8_000_000  # bytes; beyond, brotli takes longer than it saves
SMALLEST_COMPRESSED = 200
RELEASES = 3
VARIANTS = (".br", ".zst", ".gz")
COMPRESSIBLE = frozenset(
    ".css .js .mjs .map .json .svg .html .htm .txt .xml .ico .ttf .otf .eot .wasm .webmanifest "
    ".md .csv .tsv .rss .atom".split()
)

_URL = re.compile(r"^/(?:[A-Za-z0-9_~-][A-Za-z0-9._~-]*/)+$")
_NAME = re.compile(r"^[A-Za-z0-9_@+~-][A-Za-z0-9._@+~-]*(?:/[A-Za-z0-9_@+~-][A-Za-z0-9._@+~-]*)*$")
_HASH = re.compile(r"(?<![0-9a-zA-Z])[0-9a-f]{8,64}(?![0-9a-zA-Z])")
_DIGESTS = ("md5", "sha1", "sha256", "sha512")


def variants(home: Home) -> Path:
    """The compressed forms of contents, for all apps: Baton makes them itself, out of nothing but the
    content.
    """
    return home.root / "variants"


def find(slug: Path, url: str, root: str, limits: Limits) -> StaticFiles | None:
    """The hashed files below STATIC_ROOT (`root`, as seen at /app); None when there is nothing for the front
    door.
    """
    relative = inside(root)
    if relative is None or not _URL.match(url):
        return None
    place = _directory(slug, relative)
    if place is None:
        return None
    named = manifest_names(place)
    hashed = sorted(
        name
        for name in _files(place, limits)
        if _servable(name) and (name in named or _proves_itself(place, name))
    )
    return StaticFiles(url, relative, tuple(hashed[:MOST_FILES])) if hashed else None


def inside(root: str) -> str | None:
    """STATIC_ROOT relative to /app, None when it lies elsewhere or is /app itself."""
    path = PurePosixPath(root)
    if ".." in path.parts or not path.is_relative_to("/app") or path == PurePosixPath("/app"):
        return None
    return str(path.relative_to("/app"))


def _directory(slug: Path, relative: str) -> Path | None:
    """A directory reached without any link, so that nothing outside of the slug is ever meant."""
    path = slug
    for part in relative.split("/"):
        path = path / part
        if path.is_symlink() or not path.is_dir():
            return None
    return path


def manifest_names(place: Path) -> frozenset[str]:
    """The hashed names of Django's ManifestStaticFilesStorage, and of WhiteNoise's, which is the same."""
    with suppress(ValueError, RecursionError, AttributeError, TypeError, TreeError):
        text = tree.read_text(place, MANIFEST, MANIFEST_LIMIT)
        document = json.loads(text) if text else {}
        return frozenset(str(hashed) for name, hashed in document.get("paths", {}).items() if name != hashed)
    return frozenset()


def _files(place: Path, limits: Limits) -> Iterable[str]:
    return (entry.name for entry in tree.walk(place, limits) if entry.is_file)


def _servable(name: str) -> bool:
    """Without an ending nobody could say of which type a file is."""
    ending = PurePosixPath(name).suffix
    return _NAME.match(name) is not None and ending not in ("", *VARIANTS) and not _HASH.match(ending[1:])


def _proves_itself(place: Path, name: str) -> bool:
    claims = _HASH.findall(PurePosixPath(name).name)
    path = place / name
    if not claims or path.lstat().st_size > LARGEST_HASHED:
        return False
    content = _read(path)
    digests = [hashlib.new(kind, content, usedforsecurity=False).hexdigest() for kind in _DIGESTS]
    return any(digest.startswith(claim) for claim in claims for digest in digests)


def _read(path: Path) -> bytes:
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as file:
        return file.read()


def compress(slug: Path, static: StaticFiles, cache: Path, cancelled: Callable[[], bool]) -> int:
    """Put .br, .zst and .gz beside each hashed file that gets smaller; returns how many files got some.

    `cache` has the variants by the content's hash, so a file is compressed once on a machine. Variants that
    are there stay.
    """
    names = (slug / static.directory / name for name in static.hashed)
    paths = [
        path for path in names if path.suffix.lower() in COMPRESSIBLE and _worthwhile(path.lstat().st_size)
    ]

    done = 0
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1), initializer=_yield_to_others) as pool:
        pending = [pool.submit(_compress_one, path, cache) for path in paths]
        for future in pending:
            if cancelled():
                pool.shutdown(cancel_futures=True)
                raise Cancelled
            done += future.result()
    return done


def _worthwhile(size: int) -> bool:
    return SMALLEST_COMPRESSED <= size <= LARGEST_COMPRESSED


def _yield_to_others() -> None:
    """Linux has a priority for each thread: compression gives way to what is served."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 10)


def _compress_one(path: Path, cache: Path) -> bool:
    targets = {suffix: Path(f"{path}{suffix}") for suffix in VARIANTS}
    missing = {suffix: target for suffix, target in targets.items() if not os.path.lexists(target)}
    if not missing:
        return False
    content = _read(path)
    digest = hashlib.sha256(content).hexdigest()
    placed = False
    for suffix, target in missing.items():
        stored = cache / digest[:2] / f"{digest}{suffix}"
        if not stored.exists():
            _store(stored, _encode(suffix, content), len(content))
        if stored.stat().st_size:
            _place(stored, target)
            placed = True
    return placed


def _encode(suffix: str, content: bytes) -> bytes:
    if suffix == ".br":
        return bytes(brotli.compress(content, quality=11 if len(content) < 1_000_000 else 9))
    if suffix == ".zst":
        return zstandard.ZstdCompressor(level=19).compress(content)
    return gzip.compress(content, 9, mtime=0)


def _store(stored: Path, encoded: bytes, size: int) -> None:
    """An empty file says that this variant would not be smaller."""
    stored.parent.mkdir(parents=True, exist_ok=True)
    scratch = stored.with_name(f"{stored.name}.{os.getpid()}-{threading.get_native_id()}")
    scratch.write_bytes(encoded if len(encoded) < size * 0.95 else b"")
    scratch.chmod(0o644)
    scratch.replace(stored)


def _place(stored: Path, target: Path) -> None:
    """Variants take no disk twice: nothing that can see a slug can write to the files of one."""
    with suppress(FileExistsError):
        os.link(stored, target)


def publish_static(home: Home, key: str, releases: Sequence[tuple[Path, StaticFiles]]) -> None:
    """Let the front door find the hashed files of the given releases, the newest first; at most three count.

    New names come first and old ones go last, so at no time is a name missing that one of these releases
    uses.
    """
    place = home.static(key)
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    wanted: set[str] = set()
    for slug, static in releases[:RELEASES]:
        wanted |= _publish(place, slug, static)
    _prune(place, wanted)


def _publish(place: Path, slug: Path, static: StaticFiles) -> set[str]:
    """Returns the names, relative to `place`, that this release uses.

    Nothing outside of the slug is linked.
    """
    source = _directory(slug, static.directory)
    if source is None or not _URL.match(static.url):
        return set()
    names = set()
    for name in static.hashed:
        for suffix in ("", *VARIANTS):
            target = f"{static.url.strip('/')}/{name}{suffix}"
            if _NAME.match(name) and _link(source / f"{name}{suffix}", place / target):
                names.add(target)
    return names


def _link(source: Path, target: Path) -> bool:
    """Whether `target` is there afterwards.

    A name with a hash in it never changes its content: the first stays.
    """
    try:
        if not stat.S_ISREG(source.lstat().st_mode):
            return False
    except OSError:
        return False
    if not target.exists():
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with suppress(FileExistsError):
            os.link(source, target, follow_symlinks=False)
    return True


def _prune(place: Path, wanted: set[str]) -> None:
    for directory, _, files in os.walk(place, topdown=False):
        for file in files:
            path = Path(directory) / file
            if str(path.relative_to(place)) not in wanted:
                path.unlink(missing_ok=True)
        if Path(directory) != place:
            with suppress(OSError):
                Path(directory).rmdir()
