"""The tar.gz files that the API has built: fetched and unpacked, bounded in size, number and time."""

from __future__ import annotations

import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import httpx

from baton.control.errors import Invalid
from baton.control.repositories import LARGEST_TREE, MOST_FILES

LARGEST_ARCHIVE = 1 << 30
FETCH_SECONDS = 600
DEEPEST = 60


def check(url: str) -> None:
    """Raises Invalid for what can't be fetched."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("source_blob.url should be an http or https URL of a tar.gz file.")


def fetch(url: str, target: Path) -> None:
    """The archive's files below `target`.

    A single folder that holds all of them is left out. Raises Invalid.
    """
    from baton.control.api.blobs import local_source

    target.parent.mkdir(parents=True, exist_ok=True)
    ours = local_source(url)
    if ours is not None:
        with ours.open("rb") as file:
            unpack(file, target)
        return
    with tempfile.TemporaryFile(dir=target.parent) as file:
        download(url, file)
        file.seek(0)
        unpack(file, target)


def download(url: str, file: BinaryIO) -> None:
    """Raises Invalid when it is no answer of 200, too large or too slow."""
    deadline, size = time.monotonic() + FETCH_SECONDS, 0
    try:
        with httpx.stream("GET", url, timeout=30, follow_redirects=True) as answer:
            if answer.status_code != 200:
                raise Invalid(f"The source should be at its URL; the answer was {answer.status_code}.")
            for data in answer.iter_bytes():
                size += len(data)
                if size > LARGEST_ARCHIVE or time.monotonic() > deadline:
                    raise Invalid(
                        f"A source may have {LARGEST_ARCHIVE >> 20} MB and take {FETCH_SECONDS} s to fetch."
                    )
                file.write(data)
    except httpx.HTTPError as error:
        raise Invalid(f"The source can't be fetched: {type(error).__name__}.") from error


def unpack(file: BinaryIO, target: Path) -> None:
    """Raises Invalid for what is no tar.gz, too large, or reaches outside of its tree."""
    target.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=file, mode="r:*") as archive:
            for member in _bounded(archive):
                archive.extract(member, target, filter="data")
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Invalid(f"The source should be a tar.gz file; it can't be unpacked: {error}") from error
    _lift(target)


def _bounded(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    total = 0
    for number, member in enumerate(archive):
        total += member.size
        if number >= MOST_FILES or total > LARGEST_TREE or member.name.count("/") > DEEPEST:
            raise Invalid(
                f"A source may hold {MOST_FILES} files, {LARGEST_TREE >> 20} MB, {DEEPEST} folders deep."
            )
        yield member


def _lift(target: Path) -> None:
    """Archives made by hosting services hold one folder around everything."""
    inside = list(target.iterdir())
    if len(inside) != 1 or inside[0].is_symlink() or not inside[0].is_dir():
        return
    aside = target.with_name(f"{target.name}.lifted")
    inside[0].rename(aside)
    target.rmdir()
    aside.rename(target)
