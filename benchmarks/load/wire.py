"""HTTP/1.1 over TCP, with the protocol's own state machine (h11), and a pool of kept-alive connections.

Nothing is retried here. What goes wrong is told apart so that the caller can count it:

LostError          no complete answer: refused, reset, cut short, late
└── IdleRaceError  a reused connection ended before the first byte of the answer
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import h11

CHUNK = 65536


class LostError(Exception):
    """No complete answer arrived; the text says how the exchange ended."""


class IdleRaceError(LostError):
    """The server had closed this kept-alive connection when the request came: nothing of it was answered."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes


class Connection:
    """One connection, used for one request after another while both sides agree."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.state = h11.Connection(h11.CLIENT)
        self.answered = 0

    @classmethod
    async def open(cls, address: str, port: int) -> Connection:
        try:
            return cls(*await asyncio.open_connection(address, port, limit=2**20))
        except OSError as error:
            raise LostError(f"connect: {type(error).__name__}") from error

    @property
    def usable(self) -> bool:
        """Whether the next request may go here: idle, and no end of stream seen."""
        return self.state.our_state is h11.IDLE and not self.reader.at_eof() and not self.writer.is_closing()

    async def exchange(self, request: h11.Request, body: bytes) -> Answer:
        """Send one request and read its whole answer. Raises LostError."""
        received = False
        try:
            await self._send(request, body)
            status, parts = 0, bytearray()
            while True:
                event = self.state.next_event()
                if event is h11.NEED_DATA:
                    data = await self.reader.read(CHUNK)
                    if not data and not received:
                        raise self._ended("closed before the answer")
                    received = received or bool(data)
                    self.state.receive_data(data)
                elif isinstance(event, h11.Response):
                    status = event.status_code
                elif isinstance(event, h11.Data):
                    parts += event.data
                elif isinstance(event, h11.EndOfMessage):
                    self._next()
                    return Answer(status, bytes(parts))
        except (OSError, h11.RemoteProtocolError) as error:
            if received:
                raise LostError(f"cut short: {type(error).__name__}") from error
            raise self._ended(type(error).__name__) from error

    async def _send(self, request: h11.Request, body: bytes) -> None:
        head = self.state.send(request) or b""
        self.writer.write(head)
        for start in range(0, len(body), CHUNK):
            self.writer.write(self.state.send(h11.Data(data=body[start : start + CHUNK])) or b"")
            await self.writer.drain()
        self.writer.write(self.state.send(h11.EndOfMessage()) or b"")
        await self.writer.drain()

    def _ended(self, how: str) -> LostError:
        return IdleRaceError(how) if self.answered else LostError(how)

    def _next(self) -> None:
        self.answered += 1
        if self.state.our_state is h11.DONE and self.state.their_state is h11.DONE:
            self.state.start_next_cycle()
        else:
            self.close()

    def close(self) -> None:
        self.writer.close()


class Pool:
    """Idle kept-alive connections to one address; the last one given back goes out first."""

    def __init__(self, address: str, port: int) -> None:
        self.address, self.port = address, port
        self.idle: list[Connection] = []

    async def take(self, fresh: bool) -> Connection:
        while self.idle and not fresh:
            connection = self.idle.pop()
            if connection.usable:
                return connection
            connection.close()
        return await Connection.open(self.address, self.port)

    def give(self, connection: Connection) -> None:
        if connection.usable:
            self.idle.append(connection)
        else:
            connection.close()

    def close(self) -> None:
        for connection in self.idle:
            connection.close()
