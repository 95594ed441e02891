"""A home with a running supervisor, small real programs as slugs, and clients that count what they lose."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import sysconfig
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from baton.base.ids import new_key
from baton.base.paths import Home
from baton.run import client
from baton.run.client import Supervisor
from baton.run.sandbox import interpreter_mounts
from baton.run.specs import AppSpec, Health, Mount, ProcessSpec

VENV = Path(sys.prefix)
SITE = Path(sysconfig.get_path("purelib"))
MOUNTS = (Mount(str(VENV), str(VENV)), *interpreter_mounts(VENV))
PATIENCE = 30.0

WSGI = """
import os, time
def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/slow":
        time.sleep(0.5)
    if path == "/environ":
        body = repr(dict(os.environ)).encode()
    else:
        body = (os.environ.get("VERSION", "") + " " + str(os.getpid())).encode()
    status = os.environ.get("STATUS", "200 OK")
    start_response(status, [("Content-Length", str(len(body)))])
    return [body]
"""
ASGI = """
import os
async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    body = os.environ.get("VERSION", "").encode() + b" asgi"
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""
PLAIN = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = os.environ.get("VERSION", "").encode() + b" plain"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
http.server.HTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""
# What the build puts into an app's site-packages.
LISTEN = """
import os, sys
if "LISTEN_FDS" in os.environ and any("gunicorn" in word for word in sys.orig_argv):
    os.environ["LISTEN_PID"] = str(os.getpid())
"""
FILES = {"wsgi.py": WSGI, "asgi.py": ASGI, "plain.py": PLAIN, "site/sitecustomize.py": LISTEN}

COMMANDS = {
    "gunicorn sync": "python -m gunicorn wsgi --workers 2 --bind 0.0.0.0:$PORT",
    "gunicorn gthread": "python -m gunicorn wsgi --workers 1 --threads 8 --bind 0.0.0.0:$PORT",
    "gunicorn by port": "env -u LISTEN_FDS python -m gunicorn wsgi --workers 2 --bind 0.0.0.0:$PORT",
    "uvicorn": "python -m uvicorn asgi:application --host 0.0.0.0 --port $PORT",
    "granian": "python -m granian --interface wsgi wsgi:application --host 0.0.0.0 --port $PORT",
    "plain": "python plain.py",
}


def make_slug(root: Path, files: dict[str, str] | None = None, uid: int = 0) -> Path:
    slug = Path(tempfile.mkdtemp(dir=root, prefix="slug"))
    for name, text in {**FILES, **(files or {})}.items():
        (slug / name).parent.mkdir(exist_ok=True)
        (slug / name).write_text(text)
    for path in [slug, *slug.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        if os.geteuid() == 0:
            os.chown(path, uid, uid)
    return slug


@dataclass
class Stage:
    home: Home
    supervisor: Supervisor
    uids: Iterator[int] = field(default_factory=lambda: iter(range(31000, 40000)))

    def app(
        self,
        web: str = "",
        *,
        quantity: int = 1,
        size: str = "Standard-1X",
        files: dict[str, str] | None = None,
        workers: tuple[ProcessSpec, ...] = (),
        health: Health | None = None,
        grace: int = 30,
        **env: str,
    ) -> AppSpec:
        uid = next(self.uids)
        processes = (ProcessSpec("web", web, quantity, size, grace=grace),) if web else ()
        key = new_key()
        environment = {
            "PATH": f"{VENV}/bin:/usr/bin:/bin",
            "PYTHONPATH": "/app/site",
            "PYTHONUNBUFFERED": "1",
            "VERSION": "one",
        }
        return AppSpec(
            key=key,
            name=f"app-{key}",
            app_id=key,
            release=1,
            release_id=f"{key}-1",
            slug=str(make_slug(self.home.root, files, uid)),
            mounts=MOUNTS,
            env={**environment, **env},
            processes=(*processes, *workers),
            uid=uid,
            gid=uid,
            health=health or Health("example.test", timeout=30),
        )

    def deploy(self, spec: AppSpec, operation: str = "") -> None:
        self.supervisor.deploy(spec, operation or os.urandom(8).hex())

    def get(self, spec: AppSpec, path: str = "/", timeout: float = 30) -> tuple[int, bytes]:
        return get(self.home.front_socket(spec.key), path, timeout)

    def state(self, spec: AppSpec, name: str = "web.1") -> str:
        return next(
            (dyno["state"] for dyno in self.supervisor.dynos(spec.key) if dyno["name"] == name), "gone"
        )

    def lines(self, spec: AppSpec, **how: Any) -> list[str]:
        return [line for _, line in self.supervisor.logs(spec.key, lines=1500, **how)]

    def log(self, spec: AppSpec) -> str:
        return "\n".join(self.lines(spec))

    def pid(self, module: str = "supervisor") -> int:
        return eventually(lambda: next(iter(self.pids(module)), 0))

    def pids(self, module: str) -> list[int]:
        return [
            pid
            for pid, words in processes()
            if f"baton.run.{module}" in words and str(self.home.root) in words
        ]


def next_release(spec: AppSpec, **env: str) -> AppSpec:
    release = spec.release + 1
    return replace(spec, release=release, release_id=f"{spec.key}-{release}", env={**spec.env, **env})


def with_quantity(spec: AppSpec, quantity: int, kind: str = "web") -> AppSpec:
    changed = tuple(replace(one, quantity=quantity) if one.type == kind else one for one in spec.processes)
    return replace(spec, processes=changed)


def with_command(spec: AppSpec, command: str) -> AppSpec:
    changed = tuple(replace(one, command=command) if one.type == "web" else one for one in spec.processes)
    return replace(next_release(spec), processes=changed)


def processes() -> list[tuple[int, list[str]]]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                found.append(
                    (int(entry.name), (entry / "cmdline").read_bytes().decode("utf-8", "replace").split("\0"))
                )
    return found


def get(path: Path, url: str = "/", timeout: float = 30) -> tuple[int, bytes]:
    """One request on a connection of its own. Raises OSError when anything but a whole answer comes."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        connection.sendall(f"GET {url} HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while piece := connection.recv(65536):
            data += piece
    head, found, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        ),
        0,
    )
    if not found or len(body) < length:
        raise ConnectionError(f"an answer cut off after {len(data)} bytes")
    return int(head.split()[1]), body


def eventually(condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    deadline = time.monotonic() + patience
    while True:
        found = condition()
        if found or time.monotonic() > deadline:
            assert found, f"never came true: {condition}"
            return found
        time.sleep(0.02)


def restarted_pid(made: Stage, module: str, before: int) -> int:
    """The pid of the next keeper or supervisor."""
    return eventually(lambda: next((pid for pid in made.pids(module) if pid != before), 0))


class Load:
    """Clients that ask all the time; every request that is not answered with 200 is kept in `lost`."""

    def __init__(self, path: Path, clients: int = 6, url: str = "/", fine: tuple[int, ...] = (200,)) -> None:
        self.path, self.url, self.fine = path, url, fine
        self.answered = 0
        self.lost: list[str] = []
        self.bodies: set[bytes] = set()
        self.slowest = 0.0
        self.over = threading.Event()
        self.threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(clients)]

    def _ask(self) -> None:
        while not self.over.is_set():
            began = time.monotonic()
            try:
                status, body = get(self.path, self.url)
            except OSError as error:
                self.lost.append(repr(error))
                continue
            self.slowest = max(self.slowest, time.monotonic() - began)
            if status not in self.fine:
                self.lost.append(f"{status} {body[:100]!r}")
            else:
                self.answered += 1
                self.bodies.add(body.split()[0] if body.split() else b"")
            time.sleep(0.005)

    def __enter__(self) -> Load:
        for thread in self.threads:
            thread.start()
        eventually(lambda: self.answered > 5 or self.lost)
        return self

    def __exit__(self, *_: object) -> None:
        self.more()
        self.over.set()
        for thread in self.threads:
            thread.join(40)

    def more(self, count: int = 30) -> None:
        """Wait until so many more have been answered."""
        goal = self.answered + count
        eventually(lambda: self.answered >= goal or len(self.lost) > 20)


@contextmanager
def page(made: Stage, code: str) -> Iterator[None]:
    """What the front door answers for an app that can't: 503 and the code."""
    path = made.home.page_socket(code)
    path.parent.mkdir(exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(128)
    body = code.encode()
    answer = b"HTTP/1.1 503 No\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        path.unlink()
        thread.join(5)


@contextmanager
def stage(**env: str) -> Iterator[Stage]:
    root = Path(tempfile.mkdtemp(prefix="b", dir="/tmp"))
    root.chmod(0o711)
    home = Home.at(root)
    source = str(Path(client.__file__).parents[2])
    paths = os.pathsep.join([source, *filter(None, [os.environ.get("PYTHONPATH")])])
    client.start(home, {**os.environ, "PYTHONPATH": paths, **env})
    made = Stage(home, Supervisor(home))
    try:
        yield made
    finally:
        end(made)
        if sys.exc_info()[0] or "KEEP" in os.environ:
            print((home.logs / "supervisor.out").read_text()[-4000:])
        shutil.rmtree(root, ignore_errors=True)


def end(made: Stage) -> None:
    made.supervisor.shutdown()
    eventually(lambda: not made.pids("supervisor") and not made.pids("keeper"), 60)


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
