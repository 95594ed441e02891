"""Log lines as they come, and the two forms in which clients read them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress

from django.conf import settings

from baton.control.api.logs import MOST_LINES
from baton.control.models import LogSession
from baton.run.client import AsyncSupervisor
from baton.run.errors import RunError

logger = logging.getLogger(__name__)
Line = tuple[int, str]
KEEP_ALIVE_SECONDS = 15.0


async def lines(session: LogSession, after: int | None) -> AsyncIterator[Line | None]:
    """The lines asked for, and with `tail` all that follow; None now and then while there are none.

    `after` is the number of the last line that the client has; all later ones are given then.
    """
    found = AsyncSupervisor(settings.HOME).logs(
        session.app.key,
        lines=session.lines if after is None else MOST_LINES,
        dyno=session.dyno or None,
        source=session.source or None,
        tail=session.tail,
        after=after,
    )
    try:
        async for line in _with_pauses(found):
            yield line
    except RunError as error:
        logger.warning("a log session ends: %s", error)


async def _with_pauses(found: AsyncIterator[Line]) -> AsyncIterator[Line | None]:
    """`found`, with None after each KEEP_ALIVE_SECONDS without a line."""
    coming: asyncio.Future[Line] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(found))
            done, _ = await asyncio.wait([coming], timeout=KEEP_ALIVE_SECONDS)
            if not done:
                yield None
                continue
            try:
                line = coming.result()
            except StopAsyncIteration:
                return
            finally:
                coming = None
            yield line
    finally:
        if coming is not None:
            coming.cancel()
            with suppress(asyncio.CancelledError, StopAsyncIteration):
                await coming


async def events(found: AsyncIterator[Line | None]) -> AsyncIterator[bytes]:
    """Server-sent events; a comment where nothing happened, so that nobody takes the line for dead."""
    async for line in found:
        yield b": still here\n\n" if line is None else _event(*line)


def _event(number: int, line: str) -> bytes:
    data = "".join(f"data: {part}\n" for part in line.replace("\r", "").split("\n"))
    return f"id: {number}\n{data}\n".encode(errors="replace")


async def plain(found: AsyncIterator[Line | None]) -> AsyncIterator[bytes]:
    async for line in found:
        if line is not None:
            yield f"{line[1]}\n".encode(errors="replace")
