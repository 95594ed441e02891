"""An app as it runs: its serving generation, its workers, where its front leads; deploy, scale, restart,
sleep.

The document in the store is the truth: it is replaced as a whole before anything is done that it speaks of,
and a
successor makes the machine what it says.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from baton.run.errors import RunError, Superseded, UnknownDyno
from baton.run.generations import Generation
from baton.run.machine import Machine
from baton.run.sizes import size
from baton.run.slots import Slot
from baton.run.specs import AppSpec, Health, ProcessSpec
from baton.run.states import (
    DynoEvent,
    DynoState,
    HandoverEvent,
    HandoverState,
    handover_after,
    page,
)

Emit = Callable[[dict[str, Any]], None]
NOT_KEPT = ("web", "release")  # process types that are not workers


def same_code(one: AppSpec, other: AppSpec) -> bool:
    """True when going from one to the other needs no process to be started anew."""
    return _code(one) == _code(other)


def _code(spec: AppSpec) -> AppSpec:
    processes = tuple(replace(process, quantity=0) for process in spec.processes)
    return replace(
        spec, processes=processes, maintenance=False, hosts=(), health=Health(""), name="", description=""
    )


class App:
    """`lock` is held by whatever changes the formation; crashes and restarts of single dynos go on beside
    it.
    """

    def __init__(self, machine: Machine, spec: AppSpec) -> None:
        self.machine, self.spec, self.key = machine, spec, spec.key
        self.operation = ""
        self.last_number = 0
        self.serving: Generation | None = None
        self.generations: dict[int, Generation] = {}
        self.workers: dict[str, Slot] = {}
        self.leaving: list[Slot] = []
        self.stopped: set[str] = set()
        self.asleep = False
        self.traffic = time.monotonic()
        self.lock = asyncio.Lock()
        self.destroyed = False
        self.holding = False  # between two generations that may not run at once: callers wait

    # The document and the front

    def changed(self) -> None:
        """Write down what is, then let the front lead where it should."""
        if not self.destroyed:
            self.machine.store.save(f"app:{self.key}", self.to_json())
            self.point()

    @property
    def page(self) -> str | None:
        """The H-code of the page that is shown instead of the app."""
        if self.holding and not self.spec.maintenance:
            return None
        web = [slot.view for slot in self.serving.slots.values()] if self.serving else []
        return page(blank=self.spec.slug is None, maintenance=self.spec.maintenance, web=web)

    def point(self) -> None:
        """The flip: one rename, so that every connect finds the old or the new."""
        code = self.page
        home = self.machine.home
        target = self.serving.path if self.serving and not code else home.page_socket(code or "h14")
        front = home.front_socket(self.key)
        if front.is_symlink() and str(front.readlink()) == str(target):
            return
        scratch = front.with_suffix(".new")
        scratch.unlink(missing_ok=True)
        scratch.symlink_to(target)
        scratch.rename(front)
        if code == "h10" and self.serving:
            self.machine.background(asyncio.create_task(self.serving.rescue()))

    def to_json(self) -> dict[str, Any]:
        return {
            "spec": self.spec.to_json(),
            "operation": self.operation,
            "last_number": self.last_number,
            "serving": self.serving.number if self.serving else None,
            "generations": [generation.to_json() for generation in self.generations.values()],
            "workers": [slot.to_json() for slot in self.workers.values()],
            "leaving": [slot.to_json() for slot in self.leaving],
            "stopped": sorted(self.stopped),
            "asleep": self.asleep,
        }

    @classmethod
    def from_json(cls, machine: Machine, document: dict[str, Any]) -> App:
        """Take back what a predecessor had. What it had not yet let serve is undone; what drained goes on
        draining.
        """
        app = cls(machine, AppSpec.from_json(document["spec"]))
        app.operation, app.last_number = document["operation"], document["last_number"]
        app.stopped, app.asleep = set(document["stopped"]), document["asleep"]
        app.destroyed = True  # Nothing is written down before everything has been read.
        for held in document["generations"]:
            app.generations[held["number"]] = Generation.from_json(machine, held, app.changed)
        app.serving = app.generations.get(document["serving"]) if document["serving"] else None
        for held in document["workers"]:
            app._adopt_worker(held, app.workers.__setitem__)
        for held in document["leaving"]:
            app._adopt_worker(held, lambda _, slot: app.leaving.append(slot))
        app.destroyed = False
        app._go_on()
        return app

    def _adopt_worker(self, held: dict[str, Any], keep: Callable[[str, Slot], object]) -> None:
        same = held["release_id"] == self.spec.release_id
        spec = self.spec if same else replace(self.spec, release_id=held["release_id"])
        slot = Slot(
            self.machine,
            spec,
            ProcessSpec(**held["process"]),
            held["name"],
            generation=None,
            changed=self.changed,
        )
        slot.adopt(held)
        keep(held["name"], slot)

    def _go_on(self) -> None:
        for generation in list(self.generations.values()):
            if generation.state in (HandoverState.BOOTING, HandoverState.READY):
                generation.state = handover_after(generation.state, HandoverEvent.FAILED)
            if generation is not self.serving:
                self._let_go(generation)
        for slot in self.leaving:
            self.machine.background(asyncio.create_task(self._leave(slot)))
        if self.asleep:
            self._wait_for_caller()
        else:
            self._start_wanted()
        self._fit_workers()
        self.changed()

    def _start_wanted(self) -> None:
        """Slots that should have a dyno and that nobody has started."""
        slots = [*(self.serving.slots.values() if self.serving else ()), *self.workers.values()]
        for slot in slots:
            if not slot.wanted and slot.dyno is None and not self._is_stopped(slot):
                slot.start()

    # Deploy

    async def deploy(self, spec: AppSpec, operation: str, emit: Emit) -> None:
        """Bring the app to `spec`; returns after the flip. Raises RunError, and then nothing served has
        changed.
        """
        async with self.lock:
            if self.destroyed:
                raise Superseded(
                    f"{spec.name} was destroyed while it waited for its deploy.", "Create it anew."
                )
            if operation and operation == self.operation:
                return
            if self.serving and same_code(self.spec, spec) and not self.stopped:
                await self._scale(spec, emit)
            else:
                await self._hand_over(spec, emit, operation)
            self.operation = operation
            self.changed()

    async def _scale(self, spec: AppSpec, emit: Emit) -> None:
        web = spec.process("web")
        self.wake()
        if self.serving and web and web.quantity:
            self.serving.spec = spec
            for slot in self.serving.slots.values():
                slot.spec = spec
            await self.serving.scale(web)
        self.spec = spec
        if not spec.web_quantity:
            self._replace_serving(None)
        self._fit_workers()
        emit({"event": "scaled"})

    async def _hand_over(self, spec: AppSpec, emit: Emit, operation: str) -> None:
        """A new generation for `spec`, and the flip to it once all of its dynos serve."""
        web = spec.process("web")
        candidate = await self._boot(spec, web, emit) if web and spec.web_quantity else None
        self.spec, self.operation = spec, operation
        self.stopped.clear()
        self.asleep, self.traffic = False, time.monotonic()
        self._replace_serving(candidate)
        emit({"event": "flipped", "generation": candidate.number if candidate else None})
        self._fit_workers()

    async def _boot(self, spec: AppSpec, web: ProcessSpec, emit: Emit) -> Generation:
        self.last_number += 1
        candidate = Generation(self.machine, spec, self.last_number, self.changed)
        self.generations[candidate.number] = candidate
        self.changed()
        emit({"event": "booting", "generation": candidate.number, "quantity": web.quantity})
        old = self.serving if web.stop_first else None
        try:
            if old:
                self.holding = True
                await old.halt()
            await candidate.boot(web)
        except RunError:
            self._let_go(candidate)
            if old:
                self._start_wanted()
            raise
        finally:
            self.holding = False
        return candidate

    def _replace_serving(self, candidate: Generation | None) -> None:
        """One write of the document makes the candidate the serving one; the old one then drains."""
        old, self.serving = self.serving, candidate
        if candidate:
            candidate.state = handover_after(candidate.state, HandoverEvent.FLIPPED)
        if old:
            old.state = handover_after(old.state, HandoverEvent.REPLACED)
        self.changed()
        if old:
            asyncio.get_running_loop().remove_reader(old.socket)
            self._let_go(old)

    def _let_go(self, generation: Generation) -> None:
        self.machine.background(asyncio.create_task(self._close(generation)))

    async def _close(self, generation: Generation) -> None:
        await generation.close()
        self.generations.pop(generation.number, None)
        self.changed()

    # Workers

    def _fit_workers(self) -> None:
        """Make the workers what the spec wants; of those that change, each new one replaces its old one."""
        wanted: dict[str, ProcessSpec] = {}
        for process in self.spec.processes if self.spec.slug else ():
            if process.type not in NOT_KEPT:
                wanted |= {f"{process.type}.{number}": process for number in range(1, process.quantity + 1)}
        for name, slot in list(self.workers.items()):
            if name in wanted and same_code(slot.spec, self.spec):
                slot.spec = self.spec
                del wanted[name]
            elif name not in wanted:
                self._dismiss(self.workers.pop(name))
        for name, process in wanted.items():
            self._replace_worker(name, process)
        self.changed()

    def _replace_worker(self, name: str, process: ProcessSpec) -> None:
        old = self.workers.get(name)
        slot = self.workers[name] = Slot(
            self.machine, self.spec, process, name, generation=None, changed=self.changed
        )
        leaving = self._dismiss(old) if old else None
        if self.asleep:
            return
        if process.stop_first and leaving:
            leaving.add_done_callback(lambda _: slot.start())
        else:
            slot.start()

    def _dismiss(self, slot: Slot) -> asyncio.Task[None]:
        self.leaving.append(slot)
        task = asyncio.create_task(self._leave(slot))
        self.machine.background(task)
        return task

    async def _leave(self, slot: Slot) -> None:
        await slot.stop()
        self.leaving.remove(slot)
        self.changed()

    # Restart and stop

    async def restart(self, target: str | None) -> None:
        """All dynos, those of a type, or one by name. Web dynos are replaced by a new generation."""
        async with self.lock:
            slots = self._find(target)
            self.stopped -= {
                target or "*",
                *(slot.name for slot in slots),
                *(slot.process.type for slot in slots),
            }
            web = [slot for slot in slots if slot.generation]
            alone = self.serving is not None and len(web) == len(self.serving.slots)
            if web and alone and (process := self.spec.process("web")):
                stopped = set(self.stopped)
                self._replace_serving(await self._boot(self.spec, process, lambda _: None))
                self.stopped, self.asleep = stopped, False
            elif web:
                await asyncio.gather(*(slot.restart() for slot in web))
            await asyncio.gather(*(slot.restart() for slot in slots if not slot.generation))
            self.changed()

    async def stop(self, target: str | None) -> None:
        """Stop dynos until they are restarted or something is deployed."""
        async with self.lock:
            slots = self._find(target)
            self.stopped.add(target or "*")
            await asyncio.gather(*(slot.stop() for slot in slots))
            self.changed()
            if self.serving and self.page == "h14":
                await self.serving.rescue()

    def _find(self, target: str | None) -> list[Slot]:
        slots = self.slots
        if target is not None:
            slots = [slot for slot in slots if target in (slot.name, slot.process.type)]
            if not slots:
                running = ", ".join(slot.name for slot in self.slots) or "none"
                raise UnknownDyno(
                    f"{self.spec.name} has no dyno or process type {target!r}; running: {running}.",
                    f"See `heroku ps -a {self.spec.name}`.",
                )
        return slots

    def _is_stopped(self, slot: Slot) -> bool:
        return bool(self.stopped & {"*", slot.name, slot.process.type})

    @property
    def slots(self) -> list[Slot]:
        web = list(self.serving.slots.values()) if self.serving else []
        return [*web, *self.workers.values()]

    def maintenance(self, on: bool) -> None:
        self.spec = replace(self.spec, maintenance=on)
        self.changed()

    async def destroy(self) -> None:
        """End everything and forget it. The app's data directory is not touched."""
        async with self.lock:
            front = self.machine.home.front_socket(self.key)
            front.unlink(missing_ok=True)
            self.destroyed = True
            self.machine.store.drop(f"app:{self.key}")
            closing = [generation.close() for generation in self.generations.values()]
            await asyncio.gather(*closing, *(slot.stop() for slot in [*self.workers.values(), *self.leaving]))

    async def end(self) -> None:
        """Stop all processes, without a change of what is wanted: Baton itself is going down."""
        slots = [slot for generation in self.generations.values() for slot in generation.slots.values()]
        await asyncio.gather(*(slot.stop() for slot in [*slots, *self.workers.values(), *self.leaving]))

    # Sleep

    @property
    def may_sleep(self) -> bool:
        """An app whose only web dyno is of a size that sleeps."""
        slots = list(self.serving.slots.values()) if self.serving else []
        return len(slots) == 1 and size(slots[0].process.size).sleeps and slots[0].state is DynoState.UP

    async def sleep(self) -> None:
        """Its workers sleep with it. The socket stays open, and the first connection wakes the app."""
        async with self.lock:
            if not self.may_sleep or self.asleep:
                return
            self.asleep = True
            self._each(self.slots, "Idling")
            await asyncio.gather(
                *(slot.stop(DynoEvent.SLEPT) for slot in self.slots if slot.state is DynoState.UP)
            )
            self.changed()
            self._wait_for_caller()

    def _wait_for_caller(self) -> None:
        if self.serving:
            asyncio.get_running_loop().add_reader(self.serving.socket, self.wake)

    def wake(self) -> None:
        if not self.asleep:
            return
        self.asleep, self.traffic = False, time.monotonic()
        if self.serving:
            asyncio.get_running_loop().remove_reader(self.serving.socket)
        self._each(self.slots, "Unidling")
        self._start_wanted()
        self.changed()

    def _each(self, slots: Iterable[Slot], message: str) -> None:
        for slot in slots:
            slot.say(message)

    # Shown to control

    def describe(self) -> list[dict[str, Any]]:
        return [slot.describe() for slot in self.slots]

    def status(self) -> dict[str, Any]:
        return {
            "name": self.spec.name,
            "release": self.spec.release,
            "release_id": self.spec.release_id,
            "operation": self.operation,
            "generation": self.serving.number if self.serving else None,
            "page": self.page,
            "asleep": self.asleep,
            "dynos": len(self.slots),
        }

    def check_memory(self) -> None:
        for slot in self.slots:
            if slot.dyno and slot.dyno.alive:
                slot.dyno.check_memory()


def tidy_fronts(machine: Machine, keys: set[str]) -> None:
    """Remove the symlinks of apps that are not here any more."""
    for front in (machine.home.run / "front").glob("*.sock"):
        if front.stem not in keys:
            os.unlink(front)  # noqa: PTH108
