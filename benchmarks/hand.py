"""The comparison: servers started by hand, and the steps of a careful deploy without a platform.

The steps: push to a bare repository, clone it afresh, make a virtual environment, install with uv (its cache
warm), run the release command, collect static files, stop the old server, start the new one.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from baton.base.paths import Home
from baton.build import interpreters
from baton.route.front import find_nginx
from benchmarks.apps import write
from benchmarks.load import Target
from benchmarks.site import Outcome, timed, wait_for

BIN = Path(sys.executable).parent
PERSON = ("-c", "user.name=benchmark", "-c", "user.email=benchmark@localhost", "-c", "commit.gpgsign=false")
STOP_SECONDS = 40
START_SECONDS = 10


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """One process group, started in a directory with a log beside it and ended by its own process id."""

    def __init__(self, argv: list[str], where: Path, environment: Mapping[str, str] | None = None) -> None:
        where.mkdir(parents=True, exist_ok=True)
        with (where / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                argv,
                cwd=where,
                env=dict(environment or os.environ),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Signal the server and wait; what outlives STOP_SECONDS is killed with its group."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


def nginx(where: Path, http: str) -> Server:
    """A plain nginx whose `http` block is given; it has two workers, as the machines here have two cores."""
    (where / "tmp").mkdir(parents=True, exist_ok=True)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {where}/tmp/{kind};\n" for kind in kinds)
    document = where / "nginx.conf"
    # Its files lie in a directory that only this user may enter.
    user = "user root;\n" if os.geteuid() == 0 else ""
    document.write_text(
        f"daemon off;\n{user}worker_processes 2;\npid {where}/nginx.pid;\nerror_log {where}/error.log;\n"
        f"events {{ worker_connections 2048; }}\nhttp {{\naccess_log off;\n{temporary}{http}\n}}\n"
    )
    options = ["-p", str(where), "-c", str(document), "-e", f"{where}/error.log"]
    return Server([str(find_nginx().binary), *options], where)


def proxy(port: int, to: str) -> str:
    """An `http` block that passes everything on `port` to the address `to`."""
    return (
        f"server {{ listen 127.0.0.1:{port} backlog=2048; client_max_body_size 0;\n"
        f"location / {{ proxy_pass {to}; proxy_http_version 1.1; proxy_set_header Host $http_host;\n"
        'proxy_set_header Connection ""; proxy_next_upstream off; } }'
    )


@cache
def python() -> Path:
    """The interpreter that Baton gives to an app without a wish: nobody is to have a faster one."""
    chosen = interpreters.choose(None, interpreters.installed(Home.at(Path("/nonexistent"))))
    if chosen is None:
        raise LookupError("no Python that Baton could use is installed")
    return chosen.path


def environment(where: Path, files: Mapping[str, str]) -> Path:
    """Write a tree and install its requirements in a virtual environment; the directory of its programs."""
    write(files, where)
    for step in _install(where):
        subprocess.run(step, check=True, env=os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"})
    return where / ".venv" / "bin"


def _install(tree: Path) -> list[list[str]]:
    return [
        ["uv", "venv", "-q", "--python", str(python()), str(tree / ".venv")],
        ["uv", "pip", "install", "-q", "-p", str(tree / ".venv"), "-r", str(tree / "requirements.txt")],
    ]


def web_command(files: Mapping[str, str]) -> str:
    """The command of the web process in a tree's Procfile."""
    return next(line[5:] for line in files["Procfile"].splitlines() if line.startswith("web: "))


def start_web(command: str, where: Path, port: int, binaries: Path, **config: str) -> Server:
    """A tree's web process on a TCP port, as a unit file would run it."""
    path = f"{binaries}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | config | {"PORT": str(port), "PATH": path}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    if command.startswith("gunicorn"):
        command = f"{command} --bind 127.0.0.1:{port} --no-control-socket"
    return Server(["bash", "-c", f"exec {command}"], where, environment)


def answers(port: int, path: str = "/", host: str = "app.localhost") -> bool:
    """Whether a 200 comes from there."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": host})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bool(answer.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


class Work:
    """A person's own clone: a tree that is committed and pushed."""

    def __init__(self, where: Path) -> None:
        self.where = where
        where.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *PERSON, *arguments], cwd=self.where, capture_output=True, text=True, check=True
        )
        return done.stdout

    def commit(self, files: Mapping[str, str]) -> None:
        """Everything but `files` goes, and the rest is committed."""
        for path in self.where.iterdir():
            if path.name != ".git":
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        write(files, self.where)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", f"Version {files['version.txt'].strip()}")


class ByHand:
    """One application, deployed by a script of the steps above, behind an nginx of its own."""

    name = "by hand"

    def __init__(self, where: Path) -> None:
        self.where = where
        self.work = Work(where / "work")
        self.bare = where / "bare.git"
        self.work.git("init", "-q", "--bare", "-b", "main", str(self.bare))
        self.port, self.front_port = free_port(), free_port()
        self.front = nginx(where / "nginx", proxy(self.front_port, f"http://127.0.0.1:{self.port}"))
        self.web: Server | None = None
        self.config: dict[str, str] = {}
        self.releases: list[tuple[Path, dict[str, str]]] = []
        self.count = 0

    def target(self) -> Target:
        return Target("app.localhost", self.front_port)

    def push(self, files: Mapping[str, str]) -> Outcome:
        self.work.commit(files)
        self.count += 1
        return timed(lambda: self._deploy(self.where / f"release-{self.count}"))

    def configure(self, name: str, value: str) -> Outcome:
        self.config[name] = value
        tree = self.releases[-1][0] if self.releases else None
        return timed(lambda: self._serve(tree) if tree else (0, ""))

    def release(self) -> int:
        return len(self.releases)

    def rollback(self, release: int) -> Outcome:
        tree, self.config = self.releases[release - 1][0], dict(self.releases[release - 1][1])
        return timed(lambda: self._serve(tree))

    def restart_platform(self) -> Outcome:
        def restart() -> tuple[int, str]:
            self.front.stop(signal.SIGQUIT)
            self.front = nginx(self.where / "nginx", proxy(self.front_port, f"http://127.0.0.1:{self.port}"))
            return 0, ""

        return timed(restart)

    def close(self) -> None:
        self.front.stop()
        if self.web:
            self.web.stop()

    def _deploy(self, tree: Path) -> tuple[int, str]:
        self.work.git("push", "-q", "--force", str(self.bare), "main")
        steps: list[list[str]] = [
            ["git", "clone", "-q", "--depth", "1", f"file://{self.bare}", str(tree)],
            *_install(tree),
        ]
        for step in steps:
            code, output = self._step(step, self.where)
            if code:
                return code, output
        for step in _prepare(tree):
            code, output = self._step(step, tree, tree / ".venv" / "bin")
            if code:
                return code, output
        return self._serve(tree)

    def _step(self, argv: list[str], where: Path, binaries: Path = BIN) -> tuple[int, str]:
        path = f"{binaries}{os.pathsep}{BIN}{os.pathsep}{os.environ['PATH']}"
        environment = os.environ | self.config | {"PATH": path}
        environment.pop("DJANGO_SETTINGS_MODULE", None)
        done = subprocess.run(argv, cwd=where, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def _serve(self, tree: Path) -> tuple[int, str]:
        """Stop, start, look; when nothing answers, start again what was served before."""
        former = self.releases[-1][0] if self.releases else None
        if self._restart(tree):
            self.releases.append((tree, dict(self.config)))
            return 0, ""
        if former and not self._restart(former):
            return 1, "neither the new release nor the former one answers"
        return 1, "the new release did not answer"

    def _restart(self, tree: Path) -> bool:
        if self.web:
            self.web.stop()
        command = web_command({"Procfile": (tree / "Procfile").read_text()})
        self.web = start_web(command, tree, self.port, tree / ".venv" / "bin", **self.config)
        try:
            wait_for(lambda: answers(self.port), "the server by hand", START_SECONDS)
        except TimeoutError:
            return False
        return True


def _prepare(tree: Path) -> list[list[str]]:
    """The release command and collectstatic of a cloned tree."""
    lines = (tree / "Procfile").read_text().splitlines()
    steps = [["bash", "-c", line[9:]] for line in lines if line.startswith("release: ")]
    if (tree / "manage.py").exists():
        steps.append(["python", "manage.py", "collectstatic", "--noinput", "-v", "0"])
    return steps
