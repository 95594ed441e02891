"""A Baton of the benchmark's own: all its processes, in a temporary home, on free ports of loopback."""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from baton.base.paths import Home
from baton.base.settings import Settings
from baton.cli.machine import start
from baton.run.client import Supervisor
from benchmarks import memory
from benchmarks.hand import Work, free_port
from benchmarks.load import Target
from benchmarks.site import Outcome, timed, wait_for

ACCEPT = "application/vnd.heroku+json; version=3"
SERVED_SECONDS = 120.0


class Stage:
    """Runs while the `with` block does; then everything it started has ended and its home is gone."""

    def __init__(self, sleep_after: int = 1800) -> None:
        # Short, for the sockets below it; /tmp may be entered by the apps' users.
        self.root = Path(tempfile.mkdtemp(prefix="bench-", dir="/tmp"))
        self.root.chmod(0o755)
        self.home = Home.at(self.root / "home")
        self.settings = Settings(
            bind="127.0.0.1", http_port=free_port(), https_port=0, control_port=free_port(),
            rendezvous_port=free_port(), sleep_after=sleep_after,
        )  # fmt: skip
        self.token = ""
        self.keeper = 0

    def __enter__(self) -> Stage:
        self.home.root.mkdir(mode=0o755)
        self.settings.save(self.home)
        start.start_keeper(self.home)
        self.keeper = memory.keeper_of(self.home.root)
        self.token = start.prepare(self.home, "benchmark@localhost").token or ""
        start.start_control(self.home, self.settings)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        try:
            Supervisor(self.home).shutdown()
            wait_for(lambda: not Path(f"/proc/{self.keeper}").exists(), "the end of the keeper")
        finally:
            if kind is None:
                shutil.rmtree(self.root, ignore_errors=True)

    def api(self, method: str, path: str, document: object = None) -> Any:
        """The API's answer, decoded. Raises RuntimeError with the body of an error."""
        headers = {"Accept": ACCEPT, "Authorization": f"Bearer {self.token}"}
        url = f"{self.settings.control_url}{path}"
        answer = httpx.request(method, url, json=document, headers=headers, timeout=180, trust_env=False)
        if answer.is_error:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer.json()

    def app(self, name: str = "") -> OnBaton:
        """A new app."""
        return OnBaton(
            self, self.api("POST", "/apps", {"name": name or f"bench-{uuid.uuid4().hex[:8]}"})["name"]
        )

    def processes(self, mark: str) -> list[int]:
        """The process ids of Baton's own processes whose command line holds `mark`."""
        return [each.pid for each in memory.tree(self.keeper) if each.part and mark in each.command]


class OnBaton:
    """One app of a stage, as its owner sees it: git and the API."""

    name = "Baton"

    def __init__(self, stage: Stage, app: str) -> None:
        self.stage, self.app = stage, app
        self.work = Work(stage.root / "work" / app)

    def target(self) -> Target:
        return Target(f"{self.app}.{self.stage.settings.domain}", self.stage.settings.http_port)

    def push(self, files: Mapping[str, str]) -> Outcome:
        self.work.commit(files)
        return timed(self._push)

    def configure(self, name: str, value: str) -> Outcome:
        return self._changed("PATCH", "/config-vars", {name: value})

    def release(self) -> int:
        releases = self.stage.api("GET", f"/apps/{self.app}/releases")
        return max(int(each["version"]) for each in releases if each["current"])

    def rollback(self, release: int) -> Outcome:
        return self._changed("POST", "/releases", {"release": str(release)})

    def restart_platform(self) -> Outcome:
        """The supervisor dies of SIGKILL, control of SIGTERM, the front door reads its document anew."""
        return timed(self._restart)

    def scale(self, dynos: int, size: str = "standard-1x") -> None:
        update = [{"type": "web", "quantity": dynos, "size": size}]
        self.stage.api("PATCH", f"/apps/{self.app}/formation", {"updates": update})
        wait_for(lambda: self.states().count("up") == dynos, f"{dynos} dynos of {self.app}")

    def states(self) -> list[str]:
        return [each["state"] for each in self.stage.api("GET", f"/apps/{self.app}/dynos")]

    def _push(self) -> tuple[int, str]:
        basic = base64.b64encode(f":{self.stage.token}".encode()).decode()
        # The token goes by the environment: an argument list is there for all to read.
        secret = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
            "GIT_TERMINAL_PROMPT": "0",
        }
        argv = ["git", "push", f"{self.stage.settings.control_url}/{self.app}.git", "HEAD:refs/heads/main"]
        environment = os.environ | secret
        done = subprocess.run(
            argv,
            cwd=self.work.where,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return done.returncode, re.sub(r"(?m)^remote: ?|[ \x1b\[K]+$", "", done.stdout + done.stderr)

    def _changed(self, method: str, path: str, document: object) -> Outcome:
        """Ask for a new release and wait until the API calls it current."""
        before = self._newest()

        def act() -> tuple[int, str]:
            self.stage.api(method, f"/apps/{self.app}{path}", document)
            wait_for(
                lambda: self._settled(before), f"a release after v{before} of {self.app}", SERVED_SECONDS
            )
            return 0, ""

        return timed(act)

    def _newest(self) -> int:
        return max(int(each["version"]) for each in self.stage.api("GET", f"/apps/{self.app}/releases"))

    def _settled(self, before: int) -> bool:
        releases = self.stage.api("GET", f"/apps/{self.app}/releases")
        newest = max(releases, key=lambda each: int(each["version"]))
        if newest["status"] == "failed":
            raise RuntimeError(f"v{newest['version']} of {self.app} failed: {newest['description']}")
        return int(newest["version"]) > before and newest["status"] == "succeeded" and bool(newest["current"])

    def _restart(self) -> tuple[int, str]:
        stage = self.stage
        for mark, how in (("baton.run.supervisor", signal.SIGKILL), ("baton.control", signal.SIGTERM)):
            former = set(stage.processes(mark))
            for pid in former:
                os.kill(pid, how)
            wait_for(lambda: bool(set(stage.processes(mark)) - former), f"the next {mark}")  # noqa: B023
            wait_for(lambda: start.is_running(stage.home), "the supervisor's answer")
        wait_for(lambda: start.answers(f"{stage.settings.control_url}/schema"), "control's answer")
        for pid in stage.processes("nginx: master"):
            os.kill(pid, signal.SIGHUP)
        return 0, ""
