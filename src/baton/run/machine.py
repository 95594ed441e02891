"""What all dynos share: the home, the held files, the books, ports, and processes watched by pidfd."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from baton.base.paths import Home
from baton.run.errors import RunError
from baton.run.logs import Book
from baton.run.spawn import spawn
from baton.run.store import Store

if TYPE_CHECKING:
    from baton.run.firewall import Firewall

PORTS = range(20000, 30000)
BACKLOG = 4096


class Machine:
    """One a supervisor. `drain` is the seconds that connections of an old generation have; `sleep_after` of
    an eco dyno.
    """

    def __init__(self, home: Home, store: Store) -> None:
        self.home, self.store = home, store
        self.root = os.geteuid() == 0
        self.drain = float(os.environ.get("BATON_DRAIN", "30"))
        self.sleep_after = float(os.environ.get("BATON_SLEEP_AFTER", "1800"))
        self.books: dict[str, Book] = {}
        self.ports: set[int] = set()
        self.statuses: dict[int, int] = {}
        self.watched: set[str] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.firewall: Firewall | None = None

    def prepare(self) -> None:
        """Make the directories. Others may pass through to a socket by its name, and list nothing."""
        for directory in (
            self.home.root,
            self.home.run,
            self.dynos,
            self.home.run / "web",
            self.home.run / "front",
        ):
            directory.mkdir(parents=True, exist_ok=True)
            directory.chmod(0o711)
        self.home.logs.mkdir(mode=0o700, exist_ok=True)

    @property
    def dynos(self) -> Path:
        return self.home.run / "dynos"

    def book(self, key: str) -> Book:
        if key not in self.books:
            self.books[key] = Book(self.store, key, self.home.logs / f"{key}.log")
        return self.books[key]

    def say(self, key: str, dyno: str, message: str) -> None:
        """A line of the platform's own about a dyno."""
        self.book(key).write("heroku", dyno, [message])

    def background(self, work: asyncio.Task[None]) -> None:
        """Keep a task alive until it is done; its failure is logged by the loop's handler."""
        self.tasks.add(work)
        work.add_done_callback(self._finished)

    def _finished(self, work: asyncio.Task[None]) -> None:
        self.tasks.discard(work)
        if not work.cancelled() and (error := work.exception()):
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"A task of the supervisor's failed: {error!r}", "exception": error}
            )

    def free_port(self) -> int:
        """A TCP port for one dyno. Raises RunError when all are taken."""
        for _ in range(1000):
            port = secrets.choice(PORTS)
            if port not in self.ports and _is_free(port):
                self.ports.add(port)
                return port
        raise RunError(
            "No TCP port between 20000 and 29999 is free for a dyno.", "Stop what uses them: ss -ltnp"
        )

    def reap(self) -> None:
        """Collect every child that has ended; the statuses of those that are waited for are kept."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self.statuses:
                self.statuses[pid] = os.waitstatus_to_exitcode(status)

    def discard(self, directory: Path) -> None:
        """Remove a directory without waiting for it."""
        with suppress(FileNotFoundError):
            trash = directory.with_name(f"{directory.name}.gone")
            directory.rename(trash)
            # An overlay leaves a directory without permissions; its owner may remove it once it has some.
            script = 'chmod -R u+rwX -- "$1" 2>/dev/null; exec rm -rf -- "$1"'
            with open(os.devnull, "r+b") as null:  # noqa: PTH123
                standard = dict.fromkeys((0, 1, 2), null.fileno())
                spawn(["/bin/sh", "-c", script, "sh", str(trash)], {"PATH": "/usr/bin:/bin"}, standard)

    def listen(self, path: Path, mode: int = 0o666) -> int:
        """A listening Unix socket at `path`, which it takes from whoever had it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        path.chmod(mode)
        listener.listen(BACKLOG)
        return listener.detach()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104 - looked at, never listened on
        except OSError:
            return False
        return True


class Process:
    """A process of ours, found again after a restart by the pidfd that is in the store under `name`."""

    def __init__(self, machine: Machine, name: str, pid: int | None = None) -> None:
        self.machine, self.name, self.pid = machine, name, pid
        machine.watched.add(name)
        loop = asyncio.get_running_loop()
        self.gone: asyncio.Future[int | None] = loop.create_future()
        if pid is not None:
            machine.statuses[pid] = -1
            try:
                machine.store.put(name, os.pidfd_open(pid))
            except ProcessLookupError:
                self.gone.set_result(None)
        handle = machine.store.get(name)
        if handle is None:
            if not self.gone.done():
                self.gone.set_result(None)
        else:
            loop.add_reader(handle, self._ended, handle)

    def _ended(self, handle: int) -> None:
        asyncio.get_running_loop().remove_reader(handle)
        self.machine.reap()
        status = self.machine.statuses.pop(self.pid, None) if self.pid is not None else None
        self.machine.store.drop(self.name)
        self.machine.watched.discard(self.name)
        if not self.gone.done():
            self.gone.set_result(status)

    @property
    def alive(self) -> bool:
        return not self.gone.done()

    def signal(self, number: int) -> None:
        handle = self.machine.store.get(self.name)
        if handle is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(handle, number)

    async def stop(self, grace: float) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds."""
        self.signal(signal.SIGTERM)
        await asyncio.wait([self.gone], timeout=grace)
        if self.alive:
            self.signal(signal.SIGKILL)
            await asyncio.wait([self.gone])


def pids_in_namespace(inode: int) -> list[int]:
    """Every process in the PID namespace of that number."""
    wanted = f"pid:[{inode}]"
    found = []
    for entry in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes ten times as long
        if entry.isdigit():
            with suppress(OSError):
                if os.readlink(f"/proc/{entry}/ns/pid") == wanted:  # noqa: PTH115
                    found.append(int(entry))
    return found


def signal_all(pids: Iterable[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def run(argv: list[str], text: str) -> str | None:
    """Run a short command of the system's with `text` as its input. None when it worked, else why not."""
    try:
        done = subprocess.run(argv, input=text, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else done.stderr.strip() or f"status {done.returncode}"
