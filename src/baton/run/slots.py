"""A place in an app's formation, `web.1` or `worker.2`, and the dynos that fill it one after the other."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from baton.run import relay
from baton.run.dynos import Dyno, DynoRecord, new_record
from baton.run.errors import BootTimeout, Crashed, NotServing, RunError, Unhealthy
from baton.run.logs import now
from baton.run.machine import Machine, Process
from baton.run.probe import PATIENCE, Findings, find_road
from baton.run.spawn import spawn
from baton.run.specs import AppSpec, ProcessSpec
from baton.run.states import DynoEvent, DynoState, WebDyno, dyno_after, pause_before_restart

if TYPE_CHECKING:
    from baton.run.generations import Generation

EXCERPT_LINES = 15
STEADY = 60.0  # seconds of being up after which earlier failures are forgotten
BOOT_CODES = ("R10", "H10", "H20")


class Slot:
    """Keeps one dyno up. `trial`: until its first dyno is up, a failure ends it and is told to `first`."""

    def __init__(
        self,
        machine: Machine,
        spec: AppSpec,
        process: ProcessSpec,
        name: str,
        *,
        generation: Generation | None,
        changed: Callable[[], None],
    ) -> None:
        self.machine, self.spec, self.process, self.name = machine, spec, process, name
        self.generation, self.changed = generation, changed
        self.state, self.since = DynoState.DOWN, now()
        self.failures = 0
        self.wanted = False
        self.trial = False
        self.dyno: Dyno | None = None
        self.relay: Process | None = None
        self.ending = DynoEvent.STOPPED
        self.keeping: asyncio.Task[None] | None = None
        self.pausing: asyncio.Future[None] | None = None
        self.first: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def key(self) -> str:
        return self.spec.key

    @property
    def view(self) -> WebDyno:
        return WebDyno(self.state, self.failures)

    def say(self, message: str) -> None:
        self.machine.say(self.key, self.name, message)

    def event(self, event: DynoEvent) -> None:
        before, self.state = self.state, dyno_after(self.state, event)
        if before is not self.state:
            self.since = now()
            self.say(f"State changed from {before} to {self.state}")
        self.changed()

    # What others ask of it

    def start(self, *, trial: bool = False) -> None:
        """Begin to keep a dyno up. With `trial`, `first` tells how the first start went."""
        self.wanted, self.trial = True, trial
        self.first = asyncio.get_running_loop().create_future()
        self.keeping = asyncio.create_task(self.keep())
        self.machine.background(self.keeping)

    async def stop(self, event: DynoEvent = DynoEvent.STOPPED) -> None:
        """Connections are finished first, then the processes; returns when they are gone."""
        self.wanted, self.ending = False, event
        self.changed()
        if self.pausing and not self.pausing.done():
            self.pausing.set_result(None)
        await self._retire()
        if self.keeping and self.keeping is not asyncio.current_task():
            await asyncio.wait([self.keeping])
        if self.state is not DynoState.DOWN:
            self.event(event)

    async def restart(self) -> None:
        """Another dyno in the same place; its failures are forgotten."""
        await self.stop()
        self.failures = 0
        self.start()

    async def _retire(self) -> None:
        if self.relay and self.relay.alive:
            await self.relay.stop(self.machine.drain)
        if self.dyno:
            await self.dyno.terminate()

    # Keeping

    async def keep(self) -> None:
        while self.wanted:
            await self._pause()
            if self.wanted:
                await self._live()

    async def _pause(self) -> None:
        seconds = 0.0 if self.dyno else pause_before_restart(self.failures)
        if seconds:
            self.changed()
            self.pausing = asyncio.get_running_loop().create_future()
            await asyncio.wait([self.pausing], timeout=seconds)

    async def _live(self) -> None:
        """One dyno's life, from start (or adoption) to its end."""
        try:
            if self.dyno is None:
                await self._launch()
            assert self.dyno is not None
            if self.state is DynoState.STARTING:
                await self._boot(self.dyno)
            began = asyncio.get_running_loop().time()
            status = await self.dyno.gone
            if asyncio.get_running_loop().time() - began > STEADY:
                self.failures = 0
        except NotServing as error:
            status = await self._failed(error)
        except (RunError, OSError) as error:
            self.say(f"Error: {error}")
            status = await self._failed(error)
        await self._ended(status)

    async def _launch(self) -> None:
        port = self.machine.free_port() if self.generation else 0
        record = new_record(self.spec, self.name, self.process, port)
        self.dyno = Dyno(self.machine, self.key, record)
        self.say(f"Starting process with command `{self.process.command}`")
        self.event(DynoEvent.STARTED)
        output = self.dyno.hold()
        self.changed()
        await self.dyno.start(
            self.spec, output=output, shared=self.generation.socket if self.generation else None
        )

    async def _boot(self, dyno: Dyno) -> None:
        """Wait until it serves. Raises NotServing."""
        if self.generation:
            road = await self._probe(dyno)
            dyno.set_road(road)
            self.lead()
        self.event(DynoEvent.ANSWERED)
        if not self.first.done():
            self.first.set_result(None)
        self.trial = False

    async def _probe(self, dyno: Dyno) -> str:
        loop = asyncio.get_running_loop()
        health, findings = self.spec.health, Findings()
        search = asyncio.create_task(find_road(dyno.addresses, health, findings))
        deadline = loop.time() + health.timeout
        try:
            while self.wanted and not search.done() and dyno.alive:
                patience = findings.since + PATIENCE if findings.since else deadline
                left = min(deadline, patience) - loop.time()
                if left <= 0:
                    raise self._timeout(findings)
                waits: list[asyncio.Future[Any]] = [search, dyno.gone]
                await asyncio.wait(waits, timeout=min(left, 1.0), return_when=asyncio.FIRST_COMPLETED)
            # One that is being stopped must not be led to any more, even if it has just answered.
            if dyno.alive and self.wanted:
                return search.result()
        finally:
            search.cancel()
        raise self._crash(await dyno.gone)

    def lead(self) -> None:
        """Lead connections of the generation's socket to a dyno that can't take them from there itself."""
        dyno, generation = self.dyno, self.generation
        if dyno is None or generation is None or dyno.record.road in ("", "inherit"):
            return
        name = f"relay:{dyno.record.id}"
        pid = None if self.machine.store.get(name) is not None else self._spawn_relay(dyno, generation)
        self.relay = Process(self.machine, name, pid)
        self.relay.gone.add_done_callback(lambda _: self._relay_gone(dyno))

    def _spawn_relay(self, dyno: Dyno, generation: Generation) -> int:
        address = dyno.addresses[dyno.record.road]
        target = f"unix:{address}" if isinstance(address, str) else f"tcp:{address[0]}:{address[1]}"
        return spawn_relay(self.machine, generation.socket, target, generation.app_front, self.spec)

    def _relay_gone(self, dyno: Dyno) -> None:
        if self.wanted and self.dyno is dyno and dyno.alive and self.state is DynoState.UP:
            self.lead()

    async def _failed(self, error: Exception) -> int | None:
        """The dyno did not come to serve: end it and tell who waits."""
        status = None
        if self.dyno:
            if self.dyno.process is None:
                self.dyno.adopt()
            elif self.dyno.alive and not self.dyno.terminated:
                await self.dyno.kill() if isinstance(error, BootTimeout) else await self.dyno.terminate()
            status = await self.dyno.gone
        if not self.first.done():
            self.first.set_exception(error)
            self.first.exception()
        if self.trial:
            self.wanted = False
        return status

    async def _ended(self, status: int | None) -> None:
        if self.relay and self.relay.alive:
            # Not waited for: callers that it has handed back to the front wait for the next dyno.
            self.machine.background(asyncio.create_task(self.relay.stop(self.machine.drain)))
        self.relay = self.dyno = None
        if self.state is DynoState.DOWN:
            return
        self.say(f"Process exited with status {'unknown' if status is None else status}")
        if self.wanted or self.trial:
            self.failures += 1
            self.event(DynoEvent.EXITED)

    # Errors

    def _timeout(self, findings: Findings) -> NotServing:
        health, who = self.spec.health, f"{self.name} of v{self.spec.release}"
        if findings.status is not None:
            wanted = "200 to 399" if health.path else "below 500"
            return Unhealthy(
                f"{who} should answer {health.path or '/'} with a status {wanted}; "
                f"it answered {findings.status}.",
                f"See why with `heroku logs -a {self.spec.name}`; the check asks with `Host: {health.host}`.",
                self.excerpt(),
            )
        self.say(
            "Error R10 (Boot timeout) -> Web process failed to bind to $PORT "
            f"within {health.timeout} seconds of launch"
        )
        return BootTimeout(
            f"{who} should listen on $PORT and answer within {health.timeout} seconds of its start; "
            "nothing answered (R10).",
            "Bind to $PORT in the Procfile's web line, for example: "
            "web: gunicorn PROJECT.wsgi --bind 0.0.0.0:$PORT",
            self.excerpt(),
        )

    def _crash(self, status: int | None) -> NotServing:
        ended = "ended" if status is None else f"ended with status {status}"
        return Crashed(
            f"{self.name} of v{self.spec.release} should serve, and {ended} before it did (H10).",
            f"Its last lines are above; try the command with `heroku run bash -a {self.spec.name}`.",
            self.excerpt(),
        )

    def excerpt(self) -> list[str]:
        """The last lines that this dyno wrote."""
        if self.dyno and self.dyno.stream and not self.dyno.stream.ended.is_set():
            self.dyno.stream.move()
        began = self.dyno.record.began if self.dyno else now()
        lines = self.machine.book(self.key).select(EXCERPT_LINES, source="app", dyno=self.name)
        return [line.partition("]: ")[2] for _, line in lines if line >= began]

    # What a successor needs

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "process": vars(self.process),
            "state": self.state,
            "since": self.since,
            "failures": self.failures,
            "wanted": self.wanted,
            "trial": self.trial,
            "ending": self.ending,
            "release_id": self.spec.release_id,
            "dyno": self.dyno.record.to_json() if self.dyno else None,
        }

    def adopt(self, document: dict[str, Any]) -> None:
        """Go on where a predecessor was."""
        self.state, self.since = DynoState(document["state"]), document["since"]
        self.failures, self.wanted, self.trial = document["failures"], document["wanted"], document["trial"]
        if document["dyno"]:
            self.dyno = Dyno(self.machine, self.key, DynoRecord(**document["dyno"]))
            self.dyno.adopt()
            if self.state is DynoState.UP:
                self.lead()
        if self.wanted:
            self.keeping = asyncio.create_task(self.keep())
            self.machine.background(self.keeping)
        elif self.dyno:
            self.keeping = asyncio.create_task(self._outlive(self.dyno))
            self.machine.background(self.keeping)
            self.machine.background(asyncio.create_task(self.stop(DynoEvent(document["ending"]))))

    async def _outlive(self, dyno: Dyno) -> None:
        await self._ended(await dyno.gone)

    def describe(self) -> dict[str, Any]:
        """As Heroku's API shows a dyno."""
        return {
            "name": self.name,
            "type": self.process.type,
            "state": str(self.state),
            "since": self.since,
            "command": self.process.command,
            "size": self.process.size,
            "release": self.spec.release,
            "id": self.dyno.record.id if self.dyno else "",
        }


def spawn_relay(
    machine: Machine, listener: int, target: str, fallback: str, spec: AppSpec | None, *, once: bool = False
) -> int:
    """Start a relay from `listener`; as root it becomes the app's user."""
    argv = [sys.executable, "-S", "-E", str(Path(relay.__file__)), "listen", "--target", target]
    argv += ["--fallback", fallback] if fallback else []
    argv += ["--user", f"{spec.uid}:{spec.gid}"] if spec and machine.root else []
    argv += ["--once"] if once else []
    with open("/dev/null", "r+b") as null:  # noqa: PTH123
        fds = {0: null.fileno(), 1: null.fileno(), 2: 2, relay.LISTENER: listener}
        return spawn(argv, {"PATH": "/usr/bin:/bin"}, fds)
