"""Asking a web dyno for its health, on each of the roads by which it may be reached.

`inherit`: the private socket at its descriptor 4. `uds`: the path in UVICORN_UDS and GRANIAN_UDS. `tcp`:
$PORT.
Whichever answers well first is the dyno's road.
"""

from __future__ import annotations

import asyncio
import socket
import uuid
from contextlib import suppress
from dataclasses import dataclass, field

from baton.run.specs import Health

Address = str | tuple[str, int]  # the path of a Unix socket, or host and port

AGAIN = 0.025  # seconds between two attempts
PATIENCE = 10.0  # seconds of bad answers before they are believed
ANSWER_BYTES = 4096


@dataclass
class Findings:
    """What was seen on the way: the last bad status, and when the first one came (loop time)."""

    status: int | None = None
    since: float | None = None
    roads: set[str] = field(default_factory=set)


def request(health: Health) -> bytes:
    """As the front door would ask: Django's host check and its redirect to HTTPS are both content."""
    lines = (
        f"GET {health.path or '/'} HTTP/1.1",
        f"Host: {health.host}",
        "User-Agent: Baton-Health/1",
        "Accept: */*",
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Port: 443",
        f"X-Request-ID: {uuid.uuid4()}",
        "Connection: close",
    )
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


def is_well(status: int, health: Health) -> bool:
    return 200 <= status < 400 if health.path else 100 <= status < 500


def status_of(answer: bytes) -> int:
    """The status in the first line of an HTTP/1 answer. Raises ConnectionError when there is none."""
    words = answer.split(b"\r\n", 1)[0].split(b" ")
    if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
        raise ConnectionError("not an HTTP answer")
    return int(words[1])


async def ask(address: Address, health: Health) -> int:
    """The status that the server at `address` answers. Raises OSError."""
    loop = asyncio.get_running_loop()
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as connection:
        await loop.sock_connect(connection, address)
        await loop.sock_sendall(connection, request(health))
        answer = b""
        while b"\r\n" not in answer and len(answer) < ANSWER_BYTES:
            piece = await loop.sock_recv(connection, ANSWER_BYTES)
            if not piece:
                break
            answer += piece
        return status_of(answer)


async def wait_well(road: str, address: Address, health: Health, findings: Findings) -> str:
    """Ask until the answer is good; returns `road`."""
    loop = asyncio.get_running_loop()
    while True:
        with suppress(OSError):
            status = await ask(address, health)
            if is_well(status, health):
                return road
            findings.status, findings.since = status, findings.since or loop.time()
            findings.roads.add(road)
        await asyncio.sleep(AGAIN)


async def find_road(addresses: dict[str, Address], health: Health, findings: Findings) -> str:
    """The first of `addresses` (by road) that answers well. Never gives up: the caller bounds it."""
    tasks = [asyncio.create_task(wait_well(*item, health, findings)) for item in addresses.items()]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()
