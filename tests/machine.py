"""A whole Baton in a directory of its own, driven as its users drive it.

    def test_something(machine: Machine) -> None:
        machine.create("shop")
        assert machine.push("shop", APP).exit_code == 0
        assert machine.get("shop", "/").text == "..."

Import the fixtures `machine` (one a session) or `fresh_machine` (one a test) into a conftest.py.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from baton.base.paths import Home
from baton.base.settings import Settings
from baton.cli.machine import start
from baton.run.client import Supervisor
from baton.run.client import start as start_supervisor

PATIENCE = 30.0
Tree = Mapping[str, "str | bytes | None"]
T = TypeVar("T")

# A web process that needs nothing but an interpreter, and tells its environment and files.
SERVER = """
import http.server, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        path = self.path.partition("?")[0]
        if path == "/slow":
            time.sleep(1)
        body = os.environ.get(path[5:], "") if path.startswith("/env/") else open("version.txt").read()
        self.send_response(int(os.environ.get("STATUS", "200")))
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())
    def log_message(self, *_):
        pass
print("serving", flush=True)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
APP: dict[str, str | bytes | None] = {
    "requirements.txt": "",
    "Procfile": "web: python server.py\nworker: python worker.py\n",
    "server.py": SERVER,
    "worker.py": "import signal\nprint('working', flush=True)\nsignal.pause()\n",
    "version.txt": "one",
}


@dataclass(frozen=True)
class PushResult:
    """`output` is what git printed on both channels."""

    exit_code: int
    output: str
    seconds: float = 0.0


@dataclass
class Machine:
    """One home. Everything of it listens on loopback, on ports that were free."""

    home: Home
    settings: Settings
    email: str = "me@example.org"
    token: str = ""
    password: str = ""
    repositories: dict[str, Path] = field(default_factory=dict)

    @property
    def supervisor(self) -> Supervisor:
        return Supervisor(self.home)

    # As its users do

    def api(self, method: str, path: str, json: Any = None, **headers: str) -> httpx.Response:
        """A request to the Platform API with the first user's token."""
        accept = "application/vnd.heroku+json; version=3"
        sent = {"Authorization": f"Bearer {self.token}", "Accept": accept, **headers}
        url = f"{self.settings.control_url}{path}"
        with httpx.Client(timeout=120, trust_env=False) as client:
            return client.request(method, url, json=json, headers=sent)

    def ask(self, method: str, path: str, json: Any = None, **headers: str) -> Any:
        """As `api`, for what has to succeed: the answer's body."""
        answer = self.api(method, path, json, **headers)
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def create(self, name: str) -> dict[str, Any]:
        return dict(self.ask("POST", "/apps", {"name": name}))

    def get(self, app: str, path: str = "/", **options: Any) -> httpx.Response:
        """A request to an app through the front door."""
        headers = {"Host": f"{app}.{self.settings.domain}", **options.pop("headers", {})}
        url = f"http://127.0.0.1:{self.settings.http_port}{path}"
        with httpx.Client(timeout=60, trust_env=False) as client:
            return client.get(url, headers=headers, **options)

    def remote(self, app: str) -> str:
        return f"http://me:{self.token}@127.0.0.1:{self.settings.control_port}/{app}.git"

    def push(
        self, app: str, tree: Tree, branch: str = "main", *options: str, refspec: str | None = None
    ) -> PushResult:
        """Commits `tree` (None removes a file) to the app's working copy and pushes it as `branch`."""
        self.commit(app, tree)
        return self.push_again(app, refspec or f"HEAD:refs/heads/{branch}", *options)

    def push_again(self, app: str, *arguments: str) -> PushResult:
        """`git push` of what is committed already."""
        began = time.monotonic()
        with self.pushing(app, *arguments) as process:
            output, _ = process.communicate(timeout=300)
        return PushResult(process.returncode, output, time.monotonic() - began)

    @contextmanager
    def pushing(self, app: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """A push under way; it is ended with the block."""
        process = subprocess.Popen(
            ["git", "push", self.remote(app), *(arguments or ("HEAD:refs/heads/main",))],
            cwd=self.working_copy(app),
            env=self.git_environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def commit(self, app: str, tree: Tree) -> str:
        """Writes files, commits them, and returns the commit's name."""
        place = self.working_copy(app)
        for name, content in tree.items():
            path = place / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git(app, "add", "--all", "--force", ".")
        self.git(app, "commit", "--quiet", "--allow-empty", "-m", "A change")
        return self.git(app, "rev-parse", "HEAD").strip()

    def git(self, app: str, *arguments: str) -> str:
        """A git command in the app's working copy that has to succeed; what it printed."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.working_copy(app),
            env=self.git_environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, f"git {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def working_copy(self, app: str) -> Path:
        if app not in self.repositories:
            place = self.home.root.parent / "work" / app
            place.mkdir(parents=True)
            self.repositories[app] = place
            self.git(app, "init", "--quiet", "--initial-branch=main")
        return self.repositories[app]

    @property
    def git_environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home.root.parent),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_AUTHOR_NAME": "Me",
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_COMMITTER_NAME": "Me",
            "GIT_COMMITTER_EMAIL": self.email,
            "LC_ALL": "C.UTF-8",
        }

    # As its tests do

    def releases(self, app: str) -> list[dict[str, Any]]:
        """The oldest first."""
        return list(self.ask("GET", f"/apps/{app}/releases", Range="version ..; max=1000"))

    def log_lines(self, app: str) -> list[str]:
        key = self.key(app)
        return [line for _, line in self.supervisor.logs(key, lines=1500)]

    def key(self, app: str) -> str:
        status = self.supervisor.status()["apps"]
        return next(key for key, each in status.items() if each["name"] == app)

    def pids(self, *words: str) -> list[int]:
        """Processes of this home whose argument list has all of these words."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and self._is_ours(entry, words):
                found.append(int(entry.name))
        return sorted(found)

    def _is_ours(self, entry: Path, words: tuple[str, ...]) -> bool:
        try:
            argv = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            environ = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            return False
        return all(word in argv for word in words) and f"BATON_HOME={self.home.root}".encode() in environ

    def kill_control(self) -> None:
        """SIGKILL, in the midst of whatever it does. The supervisor starts another one."""
        for pid in self.pids("baton.control", "serve"):
            os.kill(pid, signal.SIGKILL)

    def wait_for_control(self) -> None:
        wait_until(lambda: start.answers(f"{self.settings.control_url}/schema"))

    def start(self) -> None:
        start_supervisor(self.home, start.environment(self.home, self.settings))
        admin = start.prepare(self.home, self.email)
        self.token, self.password = admin.token or self.token, admin.password or self.password
        start.start_control(self.home, self.settings)

    def stop(self) -> None:
        """Ends all that it started; what does not end in time is killed by its id."""
        ending = threading.Thread(target=self._shut_down, daemon=True)
        ending.start()
        ending.join(PATIENCE)
        deadline = time.monotonic() + PATIENCE / 3
        while (left := self.pids()) and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def _shut_down(self) -> None:
        with suppress(Exception):
            self.supervisor.shutdown()


def wait_until(condition: Callable[[], T], seconds: float = PATIENCE) -> T:
    """What `condition` gives once it is true. Fails when the time is over."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]


@contextmanager
def running_machine(**settings: Any) -> Iterator[Machine]:
    """A machine with these settings besides ports; all of it is gone after the block."""
    root = Path(tempfile.mkdtemp(prefix="bt", dir="/tmp"))
    root.chmod(0o711)
    home = Home.at(root / "b")
    ports = free_ports(4)
    names = ("control_port", "rendezvous_port", "http_port", "https_port")
    chosen = Settings(bind="127.0.0.1", **dict(zip(names, ports, strict=True)), **settings)
    chosen.save(home)
    machine = Machine(home, chosen)
    try:
        machine.start()
        yield machine
    finally:
        machine.stop()
        if os.environ.get("BATON_KEEP"):
            print(f"kept {root}", file=sys.stderr)
        else:
            shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """One for all tests of a session: each uses apps of its own names."""
    with running_machine() as one:
        yield one


@pytest.fixture
def fresh_machine() -> Iterator[Machine]:
    """One for a single test, which may kill what it likes."""
    with running_machine() as one:
        yield one
