"""Being attached to a one-off dyno: Heroku's rendezvous protocol, TLS and then raw bytes both ways.

The client sends the secret and a line's end, the server answers with the line `rendezvous`, and from then on
each byte is the program's. The end of our input is one byte 0x04. The program's exit code comes as a last
line that the command itself prints (see `with_exit_code`).
"""

from __future__ import annotations

import os
import re
import selectors
import shlex
import socket
import ssl
import termios
import time
import tty
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from baton.cli.errors import BadAnswer, StreamLost

END_OF_INPUT = b"\x04"
INTERRUPT = b"\x03"
_MARK = "\uffff heroku-command-exit-status: "
_MARKER = re.compile(re.escape(_MARK.encode()) + rb"(\d+)\r?\n?")
_LONGEST_MARKER = len(_MARK.encode()) + len("255\r\n")
_WORDS_TO_QUOTE = re.compile(r"[\s'\"()\\;&|<>`#]")
_OPERATOR = re.compile(r"^(?:[;&|]+|\d?[<>]+(?:&\d)?)$")
_ENDS_THE_SHELL = re.compile(r"\b(?:exit|exec|set -e)\b")
_CHUNK = 64 * 1024


def command_line(words: Sequence[str]) -> str:
    """The line that bash runs in the dyno.

    One word is taken as written. Of several, those are quoted that would fall apart, while `$NAME`, `*` and
    operators standing alone keep their meaning there, as with Heroku's client.
    """
    if len(words) == 1:
        return words[0]
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    plain = _OPERATOR.match(word) or not (_WORDS_TO_QUOTE.search(word) or word == "")
    return word if plain else shlex.quote(word)


def with_exit_code(command: str) -> str:
    """The command, then a line that tells its exit code; in a subshell if it would end bash before that."""
    guarded = f"( {command}\n)" if _ENDS_THE_SHELL.search(command) else command
    return f'{guarded} ; echo "{_MARK}$?"'


def without_exit_code(command: str) -> str:
    """The command as it was typed, of one that `with_exit_code` or Heroku's client has made longer."""
    typed, mark, _ = command.partition(_MARK)
    if not mark:
        return command
    line = typed.removesuffix(' ; echo "')
    guarded = line.startswith("( ") and line.endswith("\n)")
    return line[2:-2] if guarded else line


class ExitCode:
    """Takes the marker out of what the program prints, wherever the network cuts it."""

    def __init__(self) -> None:
        self.value: int | None = None
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """What may be shown now; a possible beginning of the marker is held back."""
        self._held += data
        keep = _possible_marker(self._held)
        shown, self._held = self._held[:keep], self._held[keep:]
        return shown

    def finish(self) -> bytes:
        """What is left when the connection has ended."""
        found = _MARKER.search(self._held)
        if not found:
            return self._held
        self.value = int(found[1])
        return self._held[: found.start()] + self._held[found.end() :]


def _possible_marker(data: bytes) -> int:
    """Where the marker, or what may become it, begins; the length of `data` if nowhere."""
    mark = _MARK.encode()
    whole = data.rfind(mark)
    if whole >= 0 and len(data) - whole <= _LONGEST_MARKER:
        return whole
    for length in range(min(len(mark) - 1, len(data)), 0, -1):
        if data.endswith(mark[:length]):
            return len(data) - length
    return len(data)


def connect(url: str, context: ssl.SSLContext, timeout: float = 30.0) -> ssl.SSLSocket:
    """The attached dyno's bytes. Raises StreamLost, or BadAnswer when it is not a rendezvous."""
    parts = urlsplit(url)
    if parts.scheme != "rendezvous" or not parts.hostname:
        raise BadAnswer(f"Expected a rendezvous:// address, found {parts.scheme}://.")
    secret = parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
    try:
        plain = socket.create_connection((parts.hostname, parts.port or 5000), timeout=timeout)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection = context.wrap_socket(plain, server_hostname=parts.hostname)
        connection.sendall(f"{secret}\r\n".encode())
        _greeting(connection)
    except ssl.SSLCertVerificationError as error:
        raise StreamLost(
            f"{parts.netloc} shows a certificate that is not trusted ({error.verify_message}).",
            "Name the server's authority, a PEM file, in BATON_CA_FILE.",
        ) from error
    except OSError as error:
        raise StreamLost(f"Can't attach to the dyno at {parts.netloc} ({error}).") from error
    return connection


def _greeting(connection: ssl.SSLSocket) -> None:
    """Byte by byte: what follows the line is the program's already."""
    line = b""
    while not line.endswith(b"\n"):
        byte = connection.recv(1)
        if not byte or len(line) > 200:
            raise StreamLost(
                f"The dyno did not answer as expected: {line.decode(errors='replace').strip() or 'closed'}."
            )
        line += byte
    if line.strip() != b"rendezvous":
        raise StreamLost(f"The dyno did not answer as expected: {line.decode(errors='replace').strip()}.")


class Attachment:
    """Pumps bytes between the dyno and two file descriptors until the dyno closes.

    One thread, never blocked in one direction while the other has data: a program that answers while it still
    reads would otherwise stop both ends. `tty`: four Ctrl-C within a second give up, like Heroku's client.
    """

    def __init__(
        self, connection: ssl.SSLSocket, source: int, sink: Callable[[bytes], None], *, tty: bool
    ) -> None:
        self._connection = connection
        self._source: int | None = source
        self._sink = sink
        self.tty = tty
        self._outgoing = b""
        self._interrupts: deque[float] = deque(maxlen=4)
        self._exit = ExitCode()

    def run(self) -> int | None:
        """The program's exit code, or None when the dyno ended without telling it. Raises StreamLost."""
        self._connection.setblocking(False)
        # Not epoll, which refuses regular files: stdin may be one.
        with selectors.PollSelector() as selector, suppress(_Closed):
            while True:
                self._watch(selector)
                ready = {key.fd for key, _ in selector.select()}
                if self._source in ready:
                    self._read_input()
                self._send()
                self._receive()
        self._sink(self._exit.finish())
        return self._exit.value

    def _watch(self, selector: selectors.BaseSelector) -> None:
        wanted = {
            self._connection.fileno(): selectors.EVENT_READ | (selectors.EVENT_WRITE if self._outgoing else 0)
        }
        if self._source is not None and len(self._outgoing) < _CHUNK:
            wanted[self._source] = selectors.EVENT_READ
        for key in list(selector.get_map().values()):
            if key.fd not in wanted:
                selector.unregister(key.fd)
        for descriptor, events in wanted.items():
            known = selector.get_map().get(descriptor)
            if known is None:
                selector.register(descriptor, events)
            elif known.events != events:
                selector.modify(descriptor, events)

    def _read_input(self) -> None:
        assert self._source is not None
        try:
            data = os.read(self._source, 16 * 1024)
        except OSError:
            data = b""
        if not data:
            self._source = None
        if self.tty and INTERRUPT in data:
            self._count_interrupt()
        self._outgoing += data or END_OF_INPUT

    def _count_interrupt(self) -> None:
        now = time.monotonic()
        self._interrupts.append(now)
        if len(self._interrupts) == 4 and now - self._interrupts[0] < 1.0:
            raise KeyboardInterrupt

    def _send(self) -> None:
        while self._outgoing:
            try:
                sent = self._connection.send(self._outgoing[:_CHUNK])
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except OSError:
                self._outgoing = b""  # it has closed; what it still said is read to the end
                self._source = None
                return
            self._outgoing = self._outgoing[sent:]

    def _receive(self) -> None:
        while True:
            try:
                data = self._connection.recv(_CHUNK)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            except (ssl.SSLError, ConnectionResetError) as error:
                if isinstance(error, ssl.SSLEOFError | ConnectionResetError):
                    raise _Closed from error
                raise StreamLost(f"The connection to the dyno broke off ({error}).") from error
            if not data:
                raise _Closed
            self._sink(self._exit.feed(data))


class _Closed(Exception):
    """The dyno's side has ended."""


def write_all(descriptor: int) -> Callable[[bytes], None]:
    """A sink that writes everything it is given, at once."""

    def sink(data: bytes) -> None:
        while data:
            data = data[os.write(descriptor, data) :]

    return sink


@contextmanager
def raw_terminal(descriptor: int) -> Iterator[None]:
    """Every key goes to the program, Ctrl-C too; the terminal is put back whatever happens."""
    before = termios.tcgetattr(descriptor)
    tty.setraw(descriptor)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
