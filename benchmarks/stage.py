"""A Baton of the benchmark's own: all its processes, in a temporary home, on free ports of loopback."""

from __future__ import annotations

import os
import re
import signal
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from baton.cli.machine import start
from benchmarks import memory
from benchmarks.load import Target
from benchmarks.site import Outcome, timed, wait_for
from tests.machine import Machine, running_machine

SERVED_SECONDS = 120.0


@contextmanager
def stage(sleep_after: int = 1800) -> Iterator[Stage]:
    """Runs while the block does; then everything it started has ended and its home is gone."""
    with running_machine(sleep_after=sleep_after) as machine:
        yield Stage(machine)


class Stage:
    """What the benchmarks ask of a machine besides its apps."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.keeper = memory.keeper_of(machine.home.root)

    def app(self, name: str = "") -> OnBaton:
        """A new app."""
        name = name or f"bench-{uuid.uuid4().hex[:8]}"
        self.machine.create(name)
        return OnBaton(self, name)

    def processes(self, mark: str) -> set[int]:
        """The process ids of Baton's own processes whose command line holds `mark`."""
        return {each.pid for each in memory.tree(self.keeper) if each.part and mark in each.command}

    def replace(self, mark: str, how: signal.Signals) -> None:
        """Signal a part of Baton and wait until it has a successor."""
        former = self.processes(mark)
        for pid in former:
            os.kill(pid, how)
        wait_for(lambda: bool(self.processes(mark) - former), f"the next {mark}")
        wait_for(lambda: start.is_running(self.machine.home), "the supervisor's answer")


class OnBaton:
    """One app of a stage, as its owner sees it: git and the API."""

    name = "Baton"

    def __init__(self, stage: Stage, app: str) -> None:
        self.stage, self.machine, self.app = stage, stage.machine, app

    def target(self) -> Target:
        settings = self.machine.settings
        return Target(f"{self.app}.{settings.domain}", settings.http_port)

    def push(self, files: Mapping[str, str]) -> Outcome:
        self.machine.commit(self.app, files)
        return timed(self._push)

    def configure(self, name: str, value: str) -> Outcome:
        return self._changed("PATCH", "/config-vars", {name: value})

    def release(self) -> int:
        return max(int(each["version"]) for each in self.machine.releases(self.app) if each["current"])

    def rollback(self, release: int) -> Outcome:
        return self._changed("POST", "/releases", {"release": str(release)})

    def restart_platform(self) -> Outcome:
        """The supervisor dies of SIGKILL, control of SIGTERM; the front door reads its document anew."""
        return timed(self._restart)

    def scale(self, dynos: int, size: str = "standard-1x") -> None:
        """Returns when that many are up."""
        update = [{"type": "web", "quantity": dynos, "size": size}]
        self.machine.ask("PATCH", f"/apps/{self.app}/formation", {"updates": update})
        wait_for(lambda: self.states().count("up") == dynos, f"{dynos} dynos of {self.app}")

    def states(self) -> list[str]:
        return [each["state"] for each in self.machine.ask("GET", f"/apps/{self.app}/dynos")]

    def _push(self) -> tuple[int, str]:
        done = self.machine.push_again(self.app)
        return done.exit_code, re.sub(r"(?m)^remote: ?|[ \x1b\[K]+$", "", done.output)

    def _changed(self, method: str, path: str, document: object) -> Outcome:
        """Ask for a new release and wait until the API calls it current."""
        before = int(self.machine.releases(self.app)[-1]["version"])

        def act() -> tuple[int, str]:
            self.machine.ask(method, f"/apps/{self.app}{path}", document)
            wait_for(
                lambda: self._settled(before), f"a release after v{before} of {self.app}", SERVED_SECONDS
            )
            return 0, ""

        return timed(act)

    def _settled(self, before: int) -> bool:
        newest = self.machine.releases(self.app)[-1]
        if newest["status"] == "failed":
            raise RuntimeError(f"v{newest['version']} of {self.app} failed: {newest['description']}")
        return int(newest["version"]) > before and newest["status"] == "succeeded" and bool(newest["current"])

    def _restart(self) -> tuple[int, str]:
        self.stage.replace("baton.run.supervisor", signal.SIGKILL)
        self.stage.replace("baton.control", signal.SIGTERM)
        self.machine.wait_for_control()
        for pid in self.stage.processes("nginx: master"):
            os.kill(pid, signal.SIGHUP)
        return 0, ""
