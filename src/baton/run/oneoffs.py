"""One-off dynos: a command beside the formation; bound to a caller, detached, or attached to one's
terminal.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import socket
import struct
import sys
import termios
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from baton.run import relay
from baton.run.dynos import Dyno, DynoRecord, new_record
from baton.run.errors import RunError
from baton.run.logs import now
from baton.run.machine import Machine, Process
from baton.run.spawn import spawn
from baton.run.specs import AppSpec, ProcessSpec

GRACE = 30
SIZE = "Standard-1X"
ORPHAN_PATIENCE = 15.0  # seconds that a bound one-off of a restarted supervisor waits for its caller
REMEMBERED = 200


@dataclass(frozen=True)
class Command:
    """What is to run: `dyno` is its name ("run.1234"), `bound` ends it when its caller's connection goes."""

    dyno: str
    command: str
    type: str
    env: dict[str, str] = field(repr=False)
    operation: str
    bound: bool

    @classmethod
    def from_json(cls, request: Mapping[str, Any], **more: Any) -> Command:
        """From a request to the supervisor; KeyError where a field is missing."""
        names = ("dyno", "command", "type", "env", "operation", "bound")
        return cls(**{name: more[name] if name in more else request[name] for name in names})


class OneOff:
    """One command. `after` is the log's sequence number before its first line."""

    def __init__(self, machine: Machine, key: str, record: DynoRecord, held: Mapping[str, Any]) -> None:
        self.machine, self.key = machine, key
        self.operation, self.bound, self.after = held["operation"], held["bound"], held["after"]
        self.dyno = Dyno(machine, key, record)
        self.state = "starting"
        self.since = now()
        self.callers = 0
        self.status: int | None = None

    @property
    def name(self) -> str:
        return self.dyno.record.name

    @property
    def carrier(self) -> str:
        return f"relay:{self.dyno.record.id}"

    def become(self, state: str) -> None:
        self.machine.say(self.key, self.name, f"State changed from {self.state} to {state}")
        self.state, self.since = state, now()

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "record": self.dyno.record.to_json(),
            "operation": self.operation,
            "bound": self.bound,
            "after": self.after,
        }

    def describe(self) -> dict[str, Any]:
        record = self.dyno.record
        return {
            "name": record.name,
            "type": record.type,
            "state": self.state,
            "since": self.since,
            "command": record.command,
            "size": record.size,
            "release": record.release,
            "id": record.id,
        }


class OneOffs:
    """Those that run, and the exit statuses of the last ones, by operation; one document in the store."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.running: dict[str, OneOff] = {}
        self.results: dict[str, tuple[int | None, int]] = {}

    def adopt(self) -> None:
        document = self.machine.store.load("oneoffs") or {"running": [], "results": {}}
        self.results = {operation: tuple(result) for operation, result in document["results"].items()}
        for held in document["running"]:
            record = DynoRecord(**held["record"])
            one = OneOff(self.machine, held["key"], record, held)
            one.state = "up"
            self.running[one.operation] = one
            one.dyno.adopt()
            self._watch(one)
            if self.machine.store.get(one.carrier) is not None:
                self._follow(one, None)
            if one.bound:
                self.machine.background(asyncio.create_task(self._end_orphan(one)))

    async def _end_orphan(self, one: OneOff) -> None:
        await asyncio.wait([one.dyno.gone], timeout=ORPHAN_PATIENCE)
        if one.dyno.alive and not one.callers:
            await one.dyno.terminate()

    async def start(self, spec: AppSpec, command: Command) -> OneOff:
        """Start a command whose output goes to the app's log. Raises RunError."""
        one = self._new(spec, command)
        output = one.dyno.hold()
        self._save()
        await self._run(one, spec, output=output, extra=command.env)
        return one

    def _new(self, spec: AppSpec, command: Command) -> OneOff:
        if not spec.slug:
            raise RunError(
                f"{spec.name} has no slug yet, so nothing can run in it.", "Deploy it first: git push."
            )
        known = spec.process(command.type)
        process = ProcessSpec(command.type, command.command, 1, known.size if known else SIZE, grace=GRACE)
        record = new_record(spec, command.dyno, process)
        held = {**vars(command), "after": self.machine.book(spec.key).sequence}
        one = OneOff(self.machine, spec.key, record, held)
        self.machine.say(spec.key, command.dyno, f"Starting process with command `{command.command}`")
        self.running[command.operation] = one
        return one

    async def _run(self, one: OneOff, spec: AppSpec, **how: Any) -> None:
        try:
            await one.dyno.start(spec, **how)
        except (RunError, OSError):
            self.running.pop(one.operation, None)
            one.dyno.adopt()
            self._save()
            raise
        one.become("up")
        self._watch(one)

    def _watch(self, one: OneOff) -> None:
        self.machine.background(asyncio.create_task(self._note_end(one)))

    async def _note_end(self, one: OneOff) -> None:
        one.status = await one.dyno.gone
        self.machine.say(
            one.key, one.name, f"Process exited with status {'unknown' if one.status is None else one.status}"
        )
        one.become("complete" if one.status == 0 else "crashed")
        self.running.pop(one.operation, None)
        self.results[one.operation] = (one.status, one.after)
        for operation in list(self.results)[:-REMEMBERED]:
            del self.results[operation]
        self._save()

    def _save(self) -> None:
        running = [one.to_json() for one in self.running.values()]
        self.machine.store.save("oneoffs", {"running": running, "results": self.results})

    # Attached

    async def attach(
        self, spec: AppSpec, command: Command, window: tuple[int, int] | None, caller: socket.socket
    ) -> OneOff:
        """Join a command's terminal (`window` is rows and columns) or its pipes to the caller's connection.

        A relay of its own carries the bytes, so the session outlives this supervisor. The caller gets a line
        saying so before any byte of the program.
        """
        one = self._new(spec, command)
        one.dyno.hold(logged=False)
        self._save()
        ours, theirs = _terminal(window) if window else _pipes()
        try:
            await self._run(one, spec, stdio=theirs, tty=window is not None, extra=command.env)
            caller.sendall(b'{"ready": true}\n')
            pid = _spawn_terminal(caller.fileno(), ours, "tty" if window else "pipes")
        finally:
            for fd in ours:
                os.close(fd)
        self._follow(one, pid)
        return one

    def _follow(self, one: OneOff, pid: int | None) -> None:
        """When the relay has gone, so has the caller."""
        one.callers = 1
        carrier = Process(self.machine, one.carrier, pid)
        carrier.gone.add_done_callback(
            lambda _: self.machine.background(asyncio.create_task(one.dyno.terminate()))
        )

    def of(self, key: str) -> list[OneOff]:
        return [one for one in self.running.values() if one.key == key]

    async def stop(self, key: str | None = None, name: str | None = None) -> None:
        """End those of an app, or all; returns when they are gone."""
        chosen = [one for one in self.running.values() if key in (None, one.key) and name in (None, one.name)]
        await asyncio.gather(*(one.dyno.terminate() for one in chosen))


def _terminal(window: tuple[int, int]) -> tuple[list[int], list[int]]:
    """A pty: our descriptors, and the program's three."""
    master, slave = pty.openpty()
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", *window, 0, 0))
    return [master], [slave, slave, slave]


def _pipes() -> tuple[list[int], list[int]]:
    stdin, typed = os.pipe2(os.O_CLOEXEC)
    printed, stdout = os.pipe2(os.O_CLOEXEC)
    return [typed, printed], [stdin, stdout, stdout]


def _spawn_terminal(caller: int, ours: list[int], style: str) -> int:
    argv = [sys.executable, "-S", "-E", str(Path(relay.__file__)), "terminal", "--style", style]
    with open(os.devnull, "r+b") as null:  # noqa: PTH123
        fds = {0: null.fileno(), 1: null.fileno(), 2: 2, **dict(enumerate([caller, *ours], relay.LISTENER))}
        return spawn(argv, {"PATH": "/usr/bin:/bin"}, fds)
