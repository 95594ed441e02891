"""Baton's own servers (nginx, control): children with listening sockets that stay open when they die."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from baton.run.errors import SpecError, UnknownDyno
from baton.run.logs import Stream
from baton.run.machine import BACKLOG, Machine, Process
from baton.run.spawn import spawn
from baton.run.specs import ServiceSpec
from baton.run.states import pause_before_restart

BOOK = "baton"  # the key of the log that services write to
FIRST_FD = 3
STEADY = 10.0


class Service:
    """Keeps one server up. Its sockets are in the store as `service:NAME:socket:LISTEN`."""

    def __init__(self, machine: Machine, spec: ServiceSpec, saved: Callable[[], None]) -> None:
        self.machine, self.spec, self.saved = machine, spec, saved
        self.process: Process | None = None
        self.failures = 0
        self.wanted = True
        self.pid: int | None = None
        self.task: asyncio.Task[None] | None = None

    def held(self, what: str) -> str:
        return f"service:{self.spec.name}:{what}"

    def begin(self) -> None:
        """Open what is not open yet, and start, or take back the process that a predecessor started."""
        for listen in self.spec.listen:
            name = self.held(f"socket:{listen}")
            if self.machine.store.get(name) is None:
                self.machine.store.put(name, open_listener(self.machine, listen))
            # Of two workers of nginx woken by one connection, the loser would wait in accept() for ever.
            os.set_blocking(self.machine.store.fds[name], False)
        kept = {self.held(f"socket:{listen}") for listen in self.spec.listen}
        for name in set(self.machine.store.names(self.held("socket:"))) - kept:
            self.machine.store.drop(name)
        if self.machine.store.get(self.held("pid")) is not None:
            self.process = Process(self.machine, self.held("pid"))
        self._follow_log()
        self.task = asyncio.create_task(self._keep())
        self.machine.background(self.task)

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        while self.wanted:
            if self.process is None:
                self._end_orphans_after(self._start)
            began = loop.time()
            status = await self.process.gone if self.process else None
            self.process = None
            if self.wanted:
                self._say(f"exited with status {'unknown' if status is None else status}; starting again")
                self.failures = 1 if loop.time() - began > STEADY else self.failures + 1
                await asyncio.sleep(pause_before_restart(self.failures))

    def _end_orphans_after(self, start: Callable[[], Process]) -> None:
        """Workers of a dead master serve on, as it last knew; they leave once another one listens."""
        old = self.pid
        self.process = start()
        self.pid = self.process.pid
        self.saved()
        if old is not None and old != self.pid:
            with suppress(ProcessLookupError):
                os.killpg(old, signal.SIGQUIT)

    def _start(self) -> Process:
        env, fds = dict(self.spec.env), {}
        for number, listen in enumerate(self.spec.listen, FIRST_FD):
            fds[number] = self.machine.store.fds[self.held(f"socket:{listen}")]
        own_pid_as = None
        if fds and self.spec.style == "nginx":
            env["NGINX"] = "".join(f"{number};" for number in fds)
        elif fds:
            env["LISTEN_FDS"], own_pid_as = str(len(fds)), "LISTEN_PID"
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        output = Stream.make(self.machine.store, self.held("log"))
        try:
            pid = spawn(self.spec.argv, env, {0: null, 1: output, 2: output, **fds}, own_pid_as=own_pid_as)
        finally:
            os.close(null)
            os.close(output)
        self._follow_log()
        return Process(self.machine, self.held("pid"), pid)

    def _follow_log(self) -> None:
        if self.machine.store.get(self.held("log:out")) is not None:
            Stream(self.machine.store, self.machine.book(BOOK), self.held("log"), self.spec.name).follow()

    def _say(self, message: str) -> None:
        self.machine.say(BOOK, self.spec.name, message)

    def signal(self, number: int) -> None:
        if self.process:
            self.process.signal(number)

    async def replace(self, spec: ServiceSpec) -> None:
        """Another spec for the same name: same sockets where it listens at the same places."""
        if spec != self.spec or self.process is None:
            await self.stop(keep_sockets=True)
            self.spec, self.wanted, self.failures = spec, True, 0
            self.begin()

    async def stop(self, *, keep_sockets: bool = False) -> None:
        self.wanted = False
        if self.process:
            await self.process.stop(self.spec.grace)
        self.pid = None
        if self.task:
            self.task.cancel()
        if not keep_sockets:
            self.machine.store.drop_all(self.held("socket:"))

    def describe(self) -> dict[str, Any]:
        running = self.process is not None and self.process.alive
        return {"name": self.spec.name, "running": running, "listen": list(self.spec.listen)}


class Services:
    """All of them; their specs are one document in the store."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.services: dict[str, Service] = {}

    def adopt(self) -> None:
        for document in self.machine.store.load("services") or ():
            service = Service(self.machine, ServiceSpec.from_json(document["spec"]), self._save)
            service.pid = document["pid"]
            self.services[service.spec.name] = service
        for service in self.services.values():
            service.begin()

    async def apply(self, spec: ServiceSpec) -> None:
        known = self.services.get(spec.name)
        if known:
            await known.replace(spec)
        else:
            service = self.services[spec.name] = Service(self.machine, spec, self._save)
            service.begin()
        self._save()

    def _save(self) -> None:
        documents = [{"spec": one.spec.to_json(), "pid": one.pid} for one in self.services.values()]
        self.machine.store.save("services", documents)

    def signal(self, name: str, signal_name: str) -> None:
        """Send e.g. HUP. Raises UnknownDyno, SpecError."""
        if name not in self.services:
            raise UnknownDyno(f"There is no service {name!r}; running: {', '.join(self.services) or 'none'}.")
        try:
            number = signal.Signals[f"SIG{signal_name.removeprefix('SIG')}"]
        except KeyError:
            raise SpecError(f"A signal's name is HUP, USR1 or such; found {signal_name!r}.") from None
        self.services[name].signal(number)

    async def stop(self) -> None:
        await asyncio.gather(*(service.stop() for service in self.services.values()))


def open_listener(machine: Machine, listen: str) -> int:
    """A listening socket for `tcp:HOST:PORT`, `unix:/path` or `unix:/path:MODE`. Raises SpecError."""
    kind, _, rest = listen.partition(":")
    try:
        if kind == "unix":
            path, _, mode = rest.partition(":")
            return machine.listen(type(machine.home.root)(path), int(mode or "666", 8))
        if kind == "tcp":
            host, _, port = rest.rpartition(":")
            return _open_tcp(host.strip("[]"), int(port))
    except (OSError, ValueError) as error:
        raise SpecError(
            f"Can't listen at {listen}: {error}.", "Look who does: ss -ltnp. Or choose another port."
        ) from error
    raise SpecError(f"A listening place is tcp:HOST:PORT or unix:/path; found {listen!r}.")


def _open_tcp(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if host == "::" else 1)
    listener.bind((host, port))
    listener.listen(BACKLOG)
    return listener.detach()
