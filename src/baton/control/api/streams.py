"""What is read for longer than an answer takes: output of builds and release phases, log lines, tarballs.

No token is asked for: the last part of the path is the secret (`baton.control.api.links`).
"""

from __future__ import annotations

import asyncio
import os
import tarfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from baton.control import outputs, threads
from baton.control.api import blobs, errors, links, tails
from baton.control.api.frame import answer, request_id
from baton.control.models import Build, LogSession, Release, Slug

POLL_SECONDS = 0.1
CHUNK = 65536


def _refused(request: HttpRequest, error: errors.ApiError) -> HttpResponse:
    def act() -> Any:
        raise error

    return answer(request, act)


def _stream(request: HttpRequest, parts: AsyncIterator[bytes], kind: str) -> HttpResponseBase:
    """A streamed answer; a buffering proxy on the way is told not to."""
    headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no", "Request-Id": request_id(request)}
    if request.method == "HEAD":
        return HttpResponse(b"", content_type=kind, headers=headers)
    return StreamingHttpResponse(parts, content_type=kind, headers=headers)


async def _opened(
    request: HttpRequest, kind: str, part: str, load: Callable[[UUID], Any | None]
) -> tuple[Any, HttpResponse | None]:
    """The record behind a secret URL, or else the answer that refuses it."""
    if request.method not in {"GET", "HEAD"}:
        return None, _refused(request, errors.MethodNotAllowed(str(request.method)[:20], ["GET", "HEAD"]))
    identity = links.open_(kind, part)
    record = await threads.call(load, identity) if identity else None
    if record is None:
        return None, _refused(request, errors.Missing("stream", "This URL leads nowhere, or not any more."))
    return record, None


async def build_output(request: HttpRequest, part: str) -> HttpResponseBase:
    record, refusal = await _opened(request, "build", part, lambda pk: Build.objects.filter(pk=pk).first())
    return refusal or _stream(request, _output(record), "text/plain; charset=utf-8")


async def release_output(request: HttpRequest, part: str) -> HttpResponseBase:
    record, refusal = await _opened(
        request, "release", part, lambda pk: Release.objects.filter(pk=pk).first()
    )
    return refusal or _stream(request, _output(record), "text/plain; charset=utf-8")


async def _output(record: Build | Release) -> AsyncIterator[bytes]:
    """What was printed so far, and more as it comes, until the record is no longer pending."""
    path, offset = outputs.place(settings.HOME, record.pk), 0
    pending = True
    while True:
        last = not pending
        data = await asyncio.to_thread(_read, path, offset)
        offset += len(data)
        if data:
            yield data
        elif last:
            return
        else:
            await asyncio.sleep(POLL_SECONDS)
            pending = await threads.call(_is_pending, record)


def _is_pending(record: Build | Release) -> bool:
    return type(record)._default_manager.filter(pk=record.pk, status="pending").exists()


def _read(path: Path, offset: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(CHUNK)
    except FileNotFoundError:
        return b""


async def logs(request: HttpRequest, part: str) -> HttpResponseBase:
    """Server-sent events for those who ask for them, plain lines for all others.

    Events carry their number, so that a client that lost its connection goes on after it (Last-Event-ID).
    """
    session, refusal = await _opened(request, "logs", part, _session)
    if refusal:
        return refusal
    after = _number(request.headers.get("Last-Event-ID", ""))
    lines = tails.lines(session, after)
    if "text/event-stream" in request.headers.get("Accept", ""):
        return _stream(request, tails.events(lines), "text/event-stream")
    return _stream(request, tails.plain(lines), "text/plain; charset=utf-8")


def _session(identity: UUID) -> LogSession | None:
    alive = LogSession.objects.filter(app__destroyed_at__isnull=True)
    return alive.select_related("app").filter(pk=identity).first()


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


async def source(request: HttpRequest, part: str) -> HttpResponseBase:
    path, refusal = await _opened(request, "source", part, _source_path)
    return refusal or _stream(request, _file(path), "application/gzip")


def _source_path(identity: UUID) -> Path | None:
    path = blobs.source_file(settings.HOME, identity)
    return path if path.exists() else None


async def _file(path: Path) -> AsyncIterator[bytes]:
    with path.open("rb") as file:
        while data := await asyncio.to_thread(file.read, CHUNK):
            yield data


async def slug(request: HttpRequest, part: str) -> HttpResponseBase:
    """The slug as a tar.gz below ./app/, what is mounted into it included: it could be released elsewhere."""
    record, refusal = await _opened(
        request, "slug", part, lambda pk: Slug.objects.filter(pk=pk).exclude(path="").first()
    )
    return refusal or _stream(request, _archive(record), "application/gzip")


async def _archive(record: Slug) -> AsyncIterator[bytes]:
    reader, writer = os.pipe()
    packing = asyncio.create_task(asyncio.to_thread(_pack, record, writer))
    try:
        while data := await asyncio.to_thread(os.read, reader, CHUNK):
            yield data
    finally:
        os.close(reader)  # a packer that still writes ends by that
        await asyncio.wait([packing])
    packing.result()


def _pack(record: Slug, writer: int) -> None:
    with os.fdopen(writer, "wb") as pipe, tarfile.open(fileobj=pipe, mode="w|gz") as archive:
        archive.add(record.path, "./app", filter=_anonymous)
        for mount in record.mounts:
            if mount["target"].startswith("/app/"):
                archive.add(mount["source"], f".{mount['target']}", filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
