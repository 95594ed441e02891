"""The tarballs that clients bring: sources to be built, and slugs that are ready."""

from __future__ import annotations

import hashlib
import re
import tarfile
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from baton.base.errors import BatonError
from baton.base.paths import Home
from baton.build import tree
from baton.build.request import Limits
from baton.control import machine, sources, trees
from baton.control.api import links
from baton.control.api.errors import InvalidParams
from baton.control.errors import Invalid
from baton.control.models import Slug, Source, User

SOURCES_LIVE = timedelta(hours=24)
UNFINISHED = ".part"
_OURS = re.compile(r"/streams/source/([\w.-]{1,200})")
_CHECKSUM = re.compile(r"(?:sha256:)?([0-9a-f]{64})", re.IGNORECASE)


def source_file(home: Home, source: UUID) -> Path:
    return home.root / "sources" / f"{source}.tgz"


def local_source(url: str) -> Path | None:
    """The file behind a URL that POST /sources gave out, None for any other URL."""
    identity = _source_id(url)
    return source_file(settings.HOME, identity) if identity else None


def _source_id(url: str) -> UUID | None:
    try:
        found = _OURS.fullmatch(urlsplit(url).path)
    except ValueError:
        return None
    return links.open_("source", found[1]) if found else None


def check_source(user: User, url: str, checksum: str | None) -> None:
    """Raises InvalidParams when a build of `url` could not begin."""
    identity = _source_id(url)
    if identity is None:
        return
    source = Source.objects.filter(pk=identity, user=user, size__isnull=False).first()
    if source is None:
        raise InvalidParams("There is no source at that URL.", "PUT the tar.gz to source_blob.put_url first.")
    if checksum and not same_checksum(checksum, source.checksum):
        raise InvalidParams(
            f"source_blob.checksum is {checksum}, but what was uploaded has {source.checksum}."
        )


def same_checksum(one: str, other: str) -> bool:
    """Whether two SHA-256 sums are the same, with `SHA256:` before them or not."""
    sums = [
        found[1].lower() if (found := _CHECKSUM.fullmatch(text.strip())) else None for text in (one, other)
    ]
    return sums[0] is not None and sums[0] == sums[1]


def collect(home: Home) -> None:
    """Forget sources that nobody builds any more, and what a crash left of uploads."""
    began = time.time() - SOURCES_LIVE.total_seconds()
    for path in (home.root / "sources").glob(f"*{UNFINISHED}"):
        with suppress(FileNotFoundError):  # that upload has just ended
            if path.stat().st_mtime < began:
                path.unlink()
    old = Source.objects.filter(created_at__lt=timezone.now() - SOURCES_LIVE)
    for source in old:
        source_file(home, source.pk).unlink(missing_ok=True)
    old.delete()


def keep_source(identity: UUID, path: Path) -> None:
    """An upload is complete: it gets its place. Raises InvalidParams when nobody asked for it (any more)."""
    source = Source.objects.filter(pk=identity).first()
    if source is None:
        raise InvalidParams("That source is gone; ask for a new one: POST /sources.")
    source.size, source.checksum = path.stat().st_size, checksum_of(path)
    path.replace(source_file(settings.HOME, identity))
    source.save(update_fields=["size", "checksum", "updated_at"])


def keep_slug(identity: UUID, path: Path) -> None:
    """An uploaded slug is unpacked and gets its place. Raises InvalidParams for what can't be one."""
    slug = Slug.objects.select_related("app").filter(pk=identity, path="").first()
    if slug is None:
        raise InvalidParams("That slug is there already, or its app is gone; make a new one: POST slugs.")
    found = checksum_of(path)
    if slug.checksum and not same_checksum(slug.checksum, found):
        raise InvalidParams(f"The slug's checksum should be {slug.checksum}; what arrived has {found}.")
    place = settings.HOME.slugs / str(slug.pk)
    try:
        _unpack(path, place, (slug.app.uid, slug.app.uid) if machine.is_root() else None)
    except BatonError as error:
        raise InvalidParams(error.message.replace("source", "slug"), error.hint) from error
    slug.path, slug.checksum, slug.size = str(place), found, path.stat().st_size
    slug.save(update_fields=["path", "checksum", "size", "updated_at"])


def _unpack(archive: Path, place: Path, owner: tuple[int, int] | None) -> None:
    scratch = place.with_name(f"{place.name}.new")
    scratch.parent.mkdir(parents=True, exist_ok=True)
    trees.remove(scratch)
    trees.remove(place)
    try:
        with archive.open("rb") as file:
            _check_first(file)
            sources.unpack(file, scratch)
        tree.seal(scratch, owner, Limits())
        scratch.rename(place)
    finally:
        trees.remove(scratch)


def _check_first(file: BinaryIO) -> None:
    """A slug's files lie in `app/`, the one folder that unpacking leaves out. Raises Invalid."""
    try:
        with tarfile.open(fileobj=file, mode="r:*") as archive:
            names = [member.name for member, _ in zip(archive, range(2), strict=False)]
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Invalid(f"The slug should be a tar.gz file; it can't be read: {error}") from error
    parts = [name.removeprefix("./").split("/")[0] for name in names if name != "."]
    if not parts or any(part != "app" for part in parts):
        raise Invalid("The files of a slug should lie below ./app/ in its tar.gz.")
    file.seek(0)


def checksum_of(path: Path) -> str:
    with path.open("rb") as file:
        return f"SHA256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
