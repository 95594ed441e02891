"""Where an attached `heroku run` meets its dyno: TLS, one secret for one use, then raw bytes both ways.

The client throws away the first piece that it receives, so the greeting is a TLS record of its own; it
looks for the exit marker within one piece, so that line is never split; and it dies of a broken pipe when
it is hung up on before it has said that its input ended, so the end lingers.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from pathlib import Path
from socket import socket

from baton.base.errors import BatonError
from baton.base.paths import Home
from baton.base.settings import Settings
from baton.control import machine, threads
from baton.control.frontdoor import control_hosts
from baton.control.oneoffs import SECRET_LENGTH, Ticket, Tickets
from baton.route.certificates import certificate_for
from baton.run.errors import UnknownApp, UnknownDyno

log = logging.getLogger(__name__)
GREETING = b"rendezvous\r\n"
END_OF_INPUT = b"\x04"
MARKER = "\uffff".encode()
CHUNK = 16384 - 256  # less than a TLS record holds
SECRET_SECONDS = 15
IDLE_SECONDS = 3600  # the client's own limit
HOLD_SECONDS = 0.05
LINGER_SECONDS = 0.5
END_SECONDS = 5
MOST_AT_ONCE = 200


class Pieces:
    """Output in pieces that the client can take one by one.

    No CRLF, character or exit marker is split over two.
    """

    def __init__(self) -> None:
        self._held = b""

    def feed(self, data: bytes) -> list[bytes]:
        data, self._held = self._held + data, b""
        cut = held_from(data)
        data, self._held = data[:cut], data[cut:]
        before, marker, rest = data.partition(MARKER)
        return [piece for piece in (*_chunks(before), marker + rest) if piece]

    def flush(self) -> bytes:
        """What was held back, when nothing follows it."""
        held, self._held = self._held, b""
        return held


def held_from(data: bytes) -> int:
    """Where the part begins that should wait for what follows.

    A marker's open line, a lone CR, half a character.
    """
    marker = data.rfind(MARKER)
    if marker >= 0 and b"\n" not in data[marker:]:
        return marker
    if data.endswith(b"\r"):
        return len(data) - 1
    for back in range(1, min(4, len(data) + 1)):
        byte = data[-back]
        if byte >= 0xC0:
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return len(data) - back if length > back else len(data)
        if byte < 0x80:
            break
    return len(data)


def _chunks(data: bytes) -> list[bytes]:
    """Pieces of at most a TLS record, cut before a character or CRLF rather than inside."""
    result = []
    while len(data) > CHUNK:
        cut = held_from(data[:CHUNK]) or CHUNK
        result.append(data[:cut])
        data = data[cut:]
    return [*result, data]


class Rendezvous:
    """The listener. Runs inside of control's process, so that a secret is known where it was issued."""

    def __init__(self, home: Home, settings: Settings, tickets: Tickets) -> None:
        self.home = home
        self.settings = settings
        self.tickets = tickets
        self._server: asyncio.Server | None = None
        self._open = 0

    async def start(self) -> None:
        context = await threads.call(tls, self.home, self.settings)
        self._server = await asyncio.start_server(
            self._meet,
            self.settings.bind,
            self.settings.rendezvous_port,
            ssl=context,
            ssl_handshake_timeout=SECRET_SECONDS,
        )

    async def stop(self) -> None:
        if self._server:
            self._server.close()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= MOST_AT_ONCE:
                await self._serve(reader, writer)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            log.info("a rendezvous ended: %s", type(error).__name__)
        except BatonError as error:
            log.warning("a rendezvous failed: %s", error)
            writer.write(f"\r\n !     {error.message}\r\n".encode())
        finally:
            self._open -= 1
            with contextlib.suppress(OSError, TimeoutError):
                writer.close()
                await asyncio.wait_for(writer.wait_closed(), END_SECONDS)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secret, early = await asyncio.wait_for(read_secret(reader), SECRET_SECONDS)
        ticket = self.tickets.take(secret)
        if ticket is None:
            return
        writer.write(GREETING)
        await writer.drain()
        connection = await threads.call(attach, ticket)
        try:
            await bridge(reader, writer, connection, early, ticket.tty)
        finally:
            await threads.call(end, ticket)


def tls(home: Home, settings: Settings) -> ssl.SSLContext:
    """A context with a certificate of Baton's authority; clients trust that through `ca.pem`."""
    certificate = certificate_for(home, {"127.0.0.1", "localhost", settings.domain, *control_hosts(settings)})
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(Path(certificate.chain), Path(certificate.key))
    return context


async def read_secret(reader: asyncio.StreamReader) -> tuple[str, bytes]:
    """The secret, and what was sent behind it. Some clients end it with CRLF, some with nothing."""
    data = b""
    while b"\n" not in data and len(data) < SECRET_LENGTH:
        more = await reader.read(1024)
        if not more:
            break
        data += more
    line, newline, rest = data.partition(b"\n")
    if not newline:
        line, rest = data[:SECRET_LENGTH], data[SECRET_LENGTH:]
    return line.split(b"?")[0].strip().decode("latin-1"), rest


def attach(ticket: Ticket) -> socket:
    return machine.supervisor().attach(
        ticket.spec,
        ticket.dyno,
        ticket.command,
        env=dict(ticket.env),
        tty=ticket.tty,
        rows=ticket.rows,
        cols=ticket.columns,
    )


def end(ticket: Ticket) -> None:
    """A dyno does not outlive its client, however silent it is."""
    with contextlib.suppress(UnknownApp, UnknownDyno):
        machine.supervisor().stop(ticket.spec.key, ticket.dyno)


async def bridge(
    client: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: socket, early: bytes, tty: bool
) -> None:
    """Until the dyno's process is gone, or the client is."""
    connection.setblocking(False)
    from_dyno, to_dyno = await asyncio.open_unix_connection(sock=connection)
    heard = asyncio.Event()
    upward = asyncio.create_task(send_input(client, to_dyno, early, tty, heard.set))
    downward = asyncio.create_task(send_output(from_dyno, writer))
    try:
        await asyncio.wait((upward, downward), return_when=asyncio.FIRST_COMPLETED)
        if downward.done():
            downward.result()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(heard.wait(), LINGER_SECONDS)
        elif upward.result():
            await downward
    finally:
        for task in (upward, downward):
            task.cancel()
        await asyncio.gather(upward, downward, return_exceptions=True)
        to_dyno.close()


async def send_input(
    client: asyncio.StreamReader,
    to_dyno: asyncio.StreamWriter,
    early: bytes,
    tty: bool,
    heard: Callable[[], None],
) -> bool:
    """True when the input ended and output may go on; False when the client is gone."""
    data = early
    while True:
        if data:
            heard()
            if not tty and data.endswith(END_OF_INPUT):
                more = await soon(client)
                if more is None:
                    to_dyno.write(data[:-1])
                    await to_dyno.drain()
                    to_dyno.write_eof()
                    await gone(client)
                    return False
                data += more
                continue
            to_dyno.write(data)
            await to_dyno.drain()
        data = await asyncio.wait_for(client.read(CHUNK), IDLE_SECONDS)
        if not data:
            return False


async def soon(client: asyncio.StreamReader) -> bytes | None:
    """What follows at once.

    None when nothing does, so that the byte before it meant the end and was no data.
    """
    try:
        return await asyncio.wait_for(client.read(CHUNK), HOLD_SECONDS * 4) or None
    except TimeoutError:
        return None


async def gone(client: asyncio.StreamReader) -> None:
    while await client.read(CHUNK):
        pass


async def send_output(from_dyno: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    pieces = Pieces()
    reading = asyncio.create_task(from_dyno.read(CHUNK))
    while True:
        done, _ = await asyncio.wait((reading,), timeout=HOLD_SECONDS)
        if not done:
            await _write(writer, [pieces.flush()])
            await asyncio.wait((reading,))
        data = reading.result()
        if not data:
            await _write(writer, [pieces.flush()])
            return
        reading = asyncio.create_task(from_dyno.read(CHUNK))
        await _write(writer, pieces.feed(data))


async def _write(writer: asyncio.StreamWriter, pieces: list[bytes]) -> None:
    for piece in pieces:
        if piece:
            writer.write(piece)
    await writer.drain()
