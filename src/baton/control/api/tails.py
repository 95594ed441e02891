"""Log lines as they come, and the two forms in which clients read them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from baton.control import deploys, threads
from baton.control.models import LogSession

Line = tuple[int, str]
POLL_SECONDS = 0.3
KEEP_ALIVE_SECONDS = 15.0


async def lines(session: LogSession, after: int | None) -> AsyncIterator[list[Line]]:
    """The lines asked for, and with `tail` all that follow; an empty list now and then while there are none.

    `after` is the number of the last line that the client has; only later ones are given then.
    """
    found = await threads.call(_read, session, after)
    yield found
    seen = found[-1][0] if found else after
    loop = asyncio.get_running_loop()
    quiet_since = loop.time()
    while session.tail:
        await asyncio.sleep(POLL_SECONDS)
        found = await threads.call(_read, session, seen if seen is not None else -1)
        if found:
            seen = found[-1][0]
        if found or loop.time() - quiet_since > KEEP_ALIVE_SECONDS:
            quiet_since = loop.time()
            yield found


def _read(session: LogSession, after: int | None) -> list[Line]:
    dyno, source = session.dyno or None, session.source or None
    return list(deploys.logs(session.app, lines=session.lines, dyno=dyno, source=source, after=after))


async def events(found: AsyncIterator[list[Line]]) -> AsyncIterator[bytes]:
    """Server-sent events; a comment where nothing happened, so that nobody takes the line for dead."""
    async for batch in found:
        yield b"".join(_event(number, line) for number, line in batch) or b": still here\n\n"


def _event(number: int, line: str) -> bytes:
    data = "".join(f"data: {part}\n" for part in line.replace("\r", "").split("\n"))
    return f"id: {number}\n{data}\n".encode(errors="replace")


async def plain(found: AsyncIterator[list[Line]]) -> AsyncIterator[bytes]:
    async for batch in found:
        if batch:
            yield "".join(f"{line}\n" for _, line in batch).encode(errors="replace")
