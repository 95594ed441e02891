"""PUT of a tarball, from the connection straight to its file: bounded in size, time and disk."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import shutil
import uuid
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any

from django.conf import settings

from baton.control import threads
from baton.control.api import blobs, errors, links
from baton.control.errors import Refused

logger = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
LARGEST = 1024 * 1024 * 1024
IDLE_SECONDS = 60
MEGABYTE = 1024 * 1024
_PATH = re.compile(r"/streams/(source|slug)/([\w.-]{1,200})")
_KEEP = {"source": blobs.keep_source, "slug": blobs.keep_slug}


def is_upload(method: str, path: str) -> bool:
    return method == "PUT" and _PATH.fullmatch(path) is not None


async def take(
    path: str, headers: Iterable[tuple[bytes, bytes]], receive: Receive
) -> tuple[int, dict[str, Any]]:
    """Status and body of the answer to an upload."""
    try:
        await _take(path, dict(headers), receive)
    except Refused as error:
        return error.status, errors.body(error)
    except OSError as error:
        logger.exception("an upload failed")
        refused = Refused(
            f"The upload can't be kept: {error.strerror}.", code="insufficient_storage", status=507
        )
        return refused.status, errors.body(refused)
    return 200, {}


async def _take(path: str, headers: dict[bytes, bytes], receive: Receive) -> None:
    found = _PATH.fullmatch(path)
    kind, part = (found[1], found[2]) if found else ("source", "")
    identity = links.open_(kind, part)
    if identity is None:
        raise errors.Forbidden("This upload URL is not valid, or has expired; ask for a new one.")
    _check_size(int(length) if (length := headers.get(b"content-length", b"0")).isdigit() else 0)
    folder = settings.HOME.root / "sources"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = folder / f"{uuid.uuid4().hex}{blobs.UNFINISHED}"
    try:
        await _receive(scratch, receive)
        await asyncio.to_thread(threads.closing(_KEEP[kind]), identity, scratch)
    finally:
        scratch.unlink(missing_ok=True)


async def _receive(scratch: Path, receive: Receive) -> None:
    size, held = 0, bytearray()
    with scratch.open("wb") as file:
        more = True
        while more:
            message = await _next(receive)
            held += message.get("body", b"")
            more = message.get("more_body", False)
            if len(held) >= MEGABYTE or not more:
                size += len(held)
                _check_size(size, len(held))
                await asyncio.to_thread(file.write, bytes(held))
                held.clear()
        await asyncio.to_thread(_sync, file.fileno())
    if not size:
        raise errors.InvalidParams("The upload is empty.", "Send the tar.gz as the body of the PUT.")


def _sync(handle: int) -> None:
    os.fsync(handle)


async def _next(receive: Receive) -> Message:
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            message = await receive()
    except TimeoutError as error:
        raise errors.BadRequest(f"Nothing arrived for {IDLE_SECONDS} seconds.") from error
    if message["type"] == "http.disconnect":
        raise errors.BadRequest("The upload was broken off.")
    return message


def _check_size(size: int, coming: int = 0) -> None:
    """Raises TooLarge, or Refused when the disk would not keep what control reserves of it."""
    if size > LARGEST:
        raise errors.TooLarge(f"An upload holds at most {LARGEST // MEGABYTE} MB.")
    reserve = settings.BATON.disk_reserve_mb * MEGABYTE
    if shutil.disk_usage(settings.HOME.root).free < reserve + (coming or size):
        raise Refused(
            f"The disk has no room for this upload: {settings.BATON.disk_reserve_mb} MB of it stay free.",
            code="insufficient_storage",
            status=507,
        )
