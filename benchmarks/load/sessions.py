"""WebSocket sessions: each echoes for some seconds, ends by its own will, and makes room for the next."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from benchmarks.load.plan import Target
from benchmarks.load.tally import Tally

PAUSE = 0.25
SECONDS = (2.0, 15.0)
LIMIT = 20.0


async def keep_open(target: Target, tally: Callable[[], Tally], until: asyncio.Event) -> None:
    """One session after another until `until` is set; refused, cut or wrong ones are counted."""
    chance = random.Random()
    while not until.is_set():
        counted = tally()
        counted.sessions += 1
        try:
            wrong = await _session(target, counted, chance.uniform(*SECONDS), until)
        except (OSError, WebSocketException, TimeoutError) as error:
            counted.fail("lost", f"WebSocket {type(error).__name__}", str(error)[:200])
            await asyncio.sleep(PAUSE)
        else:
            if wrong:
                counted.fail("wrong", "WebSocket echo", wrong)


async def _session(target: Target, counted: Tally, seconds: float, until: asyncio.Event) -> str:
    """Returns the first reply that was not the echo, or nothing."""
    loop = asyncio.get_running_loop()
    url = f"ws://{target.host}:{target.port}/ws"
    async with connect(url, host=target.address, port=target.port, proxy=None, open_timeout=LIMIT) as socket:
        end = loop.time() + seconds
        for number in itertools.count():
            message = f"m{number}-{random.getrandbits(48):x}"
            await socket.send(message)
            reply = str(await asyncio.wait_for(socket.recv(), LIMIT))
            counted.messages += 1
            if not reply.endswith(f" {message}"):
                return reply[:200]
            if until.is_set() or loop.time() > end:
                return ""
            await asyncio.sleep(PAUSE)
    return ""
