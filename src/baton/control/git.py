"""git over HTTP: the smart protocol's three addresses, streamed both ways between uvicorn and git.

A small ASGI application in front of Django. https://git-scm.com/docs/http-protocol
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import logging
import os
import re
import signal
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from baton.base.paths import Home
from baton.base.secrets import digest
from baton.control import repositories, threads
from baton.control.models import App, Token
from baton.control.pushes import Pusher, Pushes

log = logging.getLogger(__name__)
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PATH = re.compile(
    r"/(?P<app>[a-z][a-z0-9-]{1,28}[a-z0-9])\.git/(?P<rest>info/refs|git-receive-pack|git-upload-pack)"
)
SERVICES = ("git-receive-pack", "git-upload-pack")
CHUNK = 65536
LARGEST_BODY = repositories.LARGEST_PUSH + (1 << 20)
IDLE_SECONDS = 120  # between two pieces of a request's body
WHOLE_SECONDS = 3 * 3600  # a build, an hour of release phase, the hand-over, and waiting for others
END_SECONDS = 5
MOST_AT_ONCE = 32


class Refusal(Exception):
    """An answer other than git's, as HTTP."""

    def __init__(self, status: int, text: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.headers = headers


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


UNAUTHORIZED = Refusal(
    401, "Give a Baton token as the password.", (b"www-authenticate", b'Basic realm="Baton", charset="UTF-8"')
)
MISSING = Refusal(404, "There is no such app, or it is not yours.")


@dataclass(frozen=True)
class Asked:
    """A request, understood."""

    app: str
    service: str
    advertise: bool
    tokens: tuple[str, ...]
    compressed: bool
    protocol: str


@dataclass(frozen=True)
class Repository:
    key: str
    pusher: Pusher


class GitServer:
    """`matches` says whether a request is ours; calling it answers the request."""

    def __init__(self, home: Home, pushes: Pushes) -> None:
        self.home = home
        self.pushes = pushes
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)

    @staticmethod
    def matches(scope: Scope) -> bool:
        return scope["type"] == "http" and PATH.fullmatch(scope["path"]) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = False

        async def noting(message: dict[str, Any]) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            asked = understand(scope)
            repository = await threads.call(find, asked)
            async with self._slots, asyncio.timeout(WHOLE_SECONDS):
                if asked.advertise:
                    await self._advertise(asked, repository, noting)
                else:
                    await self._exchange(asked, repository, receive, noting)
        except Refusal as refusal:
            if began:
                raise  # the server cuts the answer off, which git reports
            await answer(
                send,
                refusal.status,
                "text/plain; charset=utf-8",
                [refusal.text.encode() + b"\n"],
                refusal.headers,
            )
        except (ClientGone, TimeoutError):
            log.info("a client of git went away")

    async def _advertise(self, asked: Asked, repository: Repository, send: Send) -> None:
        argv = self._argv(asked, repository, "--http-backend-info-refs")
        process = await start(argv, self._environment(asked, ""), stdin=asyncio.subprocess.DEVNULL)
        async with ended(process):
            assert process.stdout is not None
            line = b"# service=%s\n" % asked.service.encode()
            head = (
                b""
                if asked.protocol == "version=2" and asked.service == "git-upload-pack"
                else packet(line) + b"0000"
            )
            refs = await process.stdout.read()
        if process.returncode != 0:
            raise Refusal(500, "git failed; Baton's log has the reason.")
        await answer(send, 200, f"application/x-{asked.service}-advertisement", [head, refs])

    async def _exchange(self, asked: Asked, repository: Repository, receive: Receive, send: Send) -> None:
        with self.pushes.opened(repository.pusher) as secret:
            argv = self._argv(asked, repository)
            process = await start(argv, self._environment(asked, secret), stdin=asyncio.subprocess.PIPE)
            async with ended(process):
                await converse(process, asked, receive, send)

    def _argv(self, asked: Asked, repository: Repository, *more: str) -> list[str]:
        command = asked.service.removeprefix("git-")
        path = str(self.home.repository(repository.key))
        return repositories.git(self.home, command, "--stateless-rpc", *more, path)

    def _environment(self, asked: Asked, secret: str) -> dict[str, str]:
        extra = {"GIT_PROTOCOL": asked.protocol} if asked.protocol else {}
        if secret and asked.service == "git-receive-pack":
            extra |= {"BATON_HOOK_SOCKET": str(self.home.hook_socket), "BATON_PUSH": secret}
        return repositories.environment(extra)


def understand(scope: Scope) -> Asked:
    """Pure. Raises Refusal."""
    found = PATH.fullmatch(scope["path"])
    if found is None:
        raise MISSING
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    advertise = found["rest"] == "info/refs"
    if scope["method"] != ("GET" if advertise else "POST"):
        raise Refusal(405, "git asks in another way.")
    service = (
        parse_qs(scope["query_string"].decode("latin-1")).get("service", [""])[0]
        if advertise
        else found["rest"]
    )
    if service not in SERVICES:
        raise Refusal(403, "This repository is served to git's smart protocol only; use git 1.6.6 or newer.")
    coding = headers.get(b"content-encoding", "")
    if coding not in ("", "identity", "gzip", "x-gzip"):
        raise Refusal(415, "The body should be plain or gzip.")
    if int(headers.get(b"content-length", "0") or 0) > LARGEST_BODY:
        raise Refusal(413, f"A push may have {repositories.LARGEST_PUSH >> 20} MB.")
    protocol = headers.get(b"git-protocol", "")
    return Asked(
        app=found["app"],
        service=service,
        advertise=advertise,
        tokens=candidates(headers.get(b"authorization", "")),
        compressed=coding.endswith("gzip"),
        protocol=protocol if re.fullmatch(r"[a-z0-9=:]{1,64}", protocol) else "",
    )


def candidates(header: str) -> tuple[str, ...]:
    """What of an Authorization header may be a token: the password, or else the user. Raises Refusal."""
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer" and value:
        return (value.strip(),)
    if scheme.lower() != "basic":
        raise UNAUTHORIZED
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        raise UNAUTHORIZED from None
    return tuple(text for text in (password, user) if text)


def find(asked: Asked) -> Repository:
    """The repository and who asks. Raises Refusal: 401 for no valid token, 404 for other people's apps."""
    from baton.control.api import find as visible

    valid = Q(expires_at=None) | Q(expires_at__gt=timezone.now())
    token = (
        Token.objects.filter(valid, digest__in=[digest(text) for text in asked.tokens])
        .select_related("user")
        .first()
    )
    if token is None:
        raise UNAUTHORIZED
    app: App | None = visible.apps(token.user).filter(name=asked.app).first()
    if app is None:
        raise MISSING
    return Repository(app.key, Pusher(UUID(str(app.id)), UUID(str(token.user.id))))


async def converse(process: asyncio.subprocess.Process, asked: Asked, receive: Receive, send: Send) -> None:
    """The body to git, git's answer to the client. Raises ClientGone, Refusal."""
    feeding = asyncio.create_task(feed(process, asked.compressed, receive))
    answering = asyncio.create_task(relay(process, asked.service, send))
    try:
        await asyncio.wait((feeding, answering), return_when=asyncio.FIRST_EXCEPTION)
        for task in (feeding, answering):
            if task.done():
                task.result()
    finally:
        for task in (feeding, answering):
            task.cancel()
        await asyncio.gather(feeding, answering, return_exceptions=True)


async def feed(process: asyncio.subprocess.Process, compressed: bool, receive: Receive) -> None:
    """Ends when git has answered.

    Until then, a client that goes away is noticed. Raises ClientGone, Refusal.
    """
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):  # git refused early; what it says of it is on its way
        async for data in inflated(body(receive), compressed):
            process.stdin.write(data)
            await process.stdin.drain()
    process.stdin.close()
    gone = asyncio.create_task(disconnected(receive))
    done = asyncio.create_task(process.wait())
    try:
        await asyncio.wait((gone, done), return_when=asyncio.FIRST_COMPLETED)
        if not done.done():
            raise ClientGone
    finally:
        gone.cancel()
        done.cancel()


async def body(receive: Receive) -> AsyncIterator[bytes]:
    size, more = 0, True
    while more:
        try:
            message = await asyncio.wait_for(receive(), IDLE_SECONDS)
        except TimeoutError:
            raise Refusal(408, "The push stopped coming.") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        data, more = message.get("body", b""), message.get("more_body", False)
        size += len(data)
        if size > LARGEST_BODY:
            raise Refusal(413, f"A push may have {repositories.LARGEST_PUSH >> 20} MB.")
        if data:
            yield data


async def inflated(pieces: AsyncIterator[bytes], compressed: bool) -> AsyncIterator[bytes]:
    """The pieces, unpacked if need be in steps that bound what is in memory, and in sum."""
    if not compressed:
        async for piece in pieces:
            yield piece
        return
    inflater, size = zlib.decompressobj(wbits=31), 0
    async for piece in pieces:
        while piece:
            try:
                data = inflater.decompress(piece, CHUNK)
            except zlib.error:
                raise Refusal(400, "The body says that it is gzip, and is not.") from None
            piece = inflater.unconsumed_tail  # noqa: PLW2901
            size += len(data)
            if size > LARGEST_BODY:
                raise Refusal(413, f"A push may have {repositories.LARGEST_PUSH >> 20} MB.")
            if data:
                yield data


async def disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def relay(process: asyncio.subprocess.Process, service: str, send: Send) -> None:
    assert process.stdout is not None
    kind = f"application/x-{service}-result"
    data = await process.stdout.read(CHUNK)
    await send({"type": "http.response.start", "status": 200, "headers": _headers(kind)})
    while data:
        await send({"type": "http.response.body", "body": data, "more_body": True})
        data = await process.stdout.read(CHUNK)
    await process.wait()  # first, because the end of the answer looks to `feed` like a client that goes
    await send({"type": "http.response.body", "body": b""})


async def start(argv: list[str], environment: dict[str, str], stdin: int) -> asyncio.subprocess.Process:
    """git in a session of its own, so that its hook and helpers can be ended with it."""
    return await asyncio.create_subprocess_exec(
        *argv,
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        start_new_session=True,
        limit=CHUNK,
    )


@contextlib.asynccontextmanager
async def ended(process: asyncio.subprocess.Process) -> AsyncIterator[None]:
    """However the block ends, git and all that it started are gone after it."""
    try:
        yield
    finally:
        if process.returncode is None:
            await end(process)


async def end(process: asyncio.subprocess.Process) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), END_SECONDS)
            return


async def answer(
    send: Send, status: int, kind: str, pieces: Iterable[bytes], headers: Iterable[tuple[bytes, bytes]] = ()
) -> None:
    await send({"type": "http.response.start", "status": status, "headers": [*_headers(kind), *headers]})
    await send({"type": "http.response.body", "body": b"".join(pieces)})


def _headers(kind: str) -> list[tuple[bytes, bytes]]:
    return [
        (b"content-type", kind.encode()),
        (b"cache-control", b"no-cache, max-age=0, must-revalidate"),
        (b"x-content-type-options", b"nosniff"),
    ]


def packet(data: bytes) -> bytes:
    """git's pkt-line: its own length in four hex digits, then the data."""
    return b"%04x%s" % (len(data) + 4, data)
