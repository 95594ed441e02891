"""A generation: one listening socket and the web dynos of one release that share it, in one queue."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from baton.run.errors import NotServing, RunError
from baton.run.machine import Machine, Process
from baton.run.slots import Slot, spawn_relay
from baton.run.specs import AppSpec, ProcessSpec
from baton.run.states import DynoState, HandoverEvent, HandoverState, handover_after

EMPTY_AGAIN = 0.02  # seconds between two looks at the socket's connections
LISTENING, WAITING, ACCEPTED = "01", "02", "03"  # the column St of /proc/net/unix


class Generation:
    """Number `number` of an app. Its socket is open from the first moment to the last."""

    def __init__(self, machine: Machine, spec: AppSpec, number: int, changed: Callable[[], None]) -> None:
        self.machine, self.spec, self.number, self.changed = machine, spec, number, changed
        self.state = HandoverState.BOOTING
        self.path = machine.home.run / "web" / spec.key / f"{number:08x}.sock"
        self.slots: dict[str, Slot] = {}
        self.closing: asyncio.Task[None] | None = None
        name = f"web:{spec.key}:{number}"
        held = machine.store.get(name)
        self.socket = machine.store.put(name, machine.listen(self.path)) if held is None else held

    @property
    def app_front(self) -> str:
        return f"unix:{self.machine.home.front_socket(self.spec.key)}"

    def event(self, event: HandoverEvent) -> None:
        self.state = handover_after(self.state, event)
        self.changed()

    def add(self, process: ProcessSpec, number: int) -> Slot:
        slot = Slot(self.machine, self.spec, process, f"web.{number}", generation=self, changed=self.changed)
        self.slots[slot.name] = slot
        return slot

    async def boot(self, process: ProcessSpec) -> None:
        """Start all dynos at once and wait until each serves. Raises the first RunError after ending them."""
        added = [self.add(process, number) for number in range(1, process.quantity + 1)]
        for slot in added:
            slot.start(trial=True)
        try:
            await first_starts(added)
        except RunError:
            self.event(HandoverEvent.FAILED)
            raise
        self.event(HandoverEvent.PASSED)

    async def scale(self, process: ProcessSpec) -> None:
        """More or fewer dynos on the same socket; the newest go first. Raises RunError; the new ones are
        ended then.
        """
        wanted = {f"web.{number}" for number in range(1, process.quantity + 1)}
        added = [self.add(process, int(name[4:])) for name in sorted(wanted - set(self.slots))]
        for slot in added:
            slot.start(trial=True)
        try:
            await first_starts([slot for slot in self.slots.values() if slot.trial])
        except RunError:
            wanted -= {slot.name for slot in added}
            raise
        finally:
            surplus = [self.slots[name] for name in sorted(set(self.slots) - wanted)]
            await asyncio.gather(*(slot.stop() for slot in surplus))
            for slot in surplus:
                self.slots.pop(slot.name, None)
            self.changed()

    # Ending

    async def close(self) -> None:
        """Finish what is in the queue and in work, end the dynos, close the socket. Once, however often it is
        asked.
        """
        if self.closing is None:
            self.closing = asyncio.create_task(self._close())
        await asyncio.shield(self.closing)

    async def _close(self) -> None:
        await self.empty()
        await self.halt()
        await self.rescue()
        if self.state in (HandoverState.DRAINING, HandoverState.DISCARDED):
            self.event(HandoverEvent.EMPTIED)
        self.machine.store.drop(f"web:{self.spec.key}:{self.number}")
        self.path.unlink(missing_ok=True)

    async def empty(self) -> None:
        """Wait until nobody waits or is served here; at most the drain time, and only while a dyno serves."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.machine.drain
        while loop.time() < deadline and any(slot.state is DynoState.UP for slot in self.slots.values()):
            if not connections(self.path):
                return
            await asyncio.sleep(EMPTY_AGAIN)

    async def halt(self) -> None:
        """End all dynos; the socket stays, and whoever connects waits."""
        await asyncio.gather(*(slot.stop() for slot in self.slots.values()))

    async def rescue(self) -> None:
        """Connections that wait here for nobody are carried to the app's front."""
        if WAITING in connections(self.path):
            name = f"web:{self.spec.key}:{self.number}:rescue"
            pid = spawn_relay(self.machine, self.socket, self.app_front, "", None, once=True)
            process = Process(self.machine, name, pid)
            while process.alive and WAITING in connections(self.path):
                await asyncio.wait([process.gone], timeout=EMPTY_AGAIN)

    def to_json(self) -> dict[str, Any]:
        slots = [slot.to_json() for slot in self.slots.values()]
        return {"number": self.number, "state": self.state, "spec": self.spec.to_json(), "slots": slots}

    @classmethod
    def from_json(cls, machine: Machine, document: dict[str, Any], changed: Callable[[], None]) -> Generation:
        generation = cls(machine, AppSpec.from_json(document["spec"]), document["number"], changed)
        generation.state = HandoverState(document["state"])
        for held in document["slots"]:
            process = ProcessSpec(**held["process"])
            generation.add(process, int(held["name"].removeprefix("web."))).adopt(held)
        return generation


async def first_starts(slots: list[Slot]) -> None:
    """Wait for the first start of each; raises the first failure, which is a RunError, without waiting for
    the rest.
    """
    if not slots:
        return
    try:
        await asyncio.gather(*(slot.first for slot in slots))
    except RunError:
        raise
    except OSError as error:
        raise NotServing(f"A web dyno can't be started: {error}") from error


def connections(path: Path) -> list[str]:
    """The states of the connections that came in by the socket at `path`: waiting or accepted.

    /proc/net/unix is what the kernel tells of them; it has the path that was bound.
    """
    wanted = f" {path}\n"
    with open("/proc/net/unix") as table:  # noqa: PTH123
        found = [line.split()[5] for line in table if line.endswith(wanted)]
    return [state for state in found if state in (WAITING, ACCEPTED)]


def remove_leftovers(machine: Machine) -> None:
    """Sockets of generations that nobody holds."""
    for path in (machine.home.run / "web").glob("*/*.sock"):
        if machine.store.get(f"web:{path.parent.name}:{int(path.stem, 16)}") is None:
            os.unlink(path)  # noqa: PTH108
