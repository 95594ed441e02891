"""A machine of its own for the command line: the real supervisor, control, builds and front door."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.cli.person import Person

APP = {
    "requirements.txt": "",
    "Procfile": (
        "web: python -u -m http.server $PORT\nworker: python -u worker.py\nrelease: python release.py\n"
    ),
    "worker.py": "import signal\nprint('the worker works', flush=True)\nsignal.pause()\n",
    "release.py": (
        "import os, sys\n"
        "print('migrating', os.environ.get('GREETING', ''))\n"
        "sys.exit(9 if os.environ.get('GREETING') == 'fail' else 0)\n"
    ),
    "echo.py": "import sys\nsys.stdout.buffer.write(sys.stdin.buffer.read().upper())\nsys.exit(7)\n",
}


@pytest.fixture(scope="session")
def person() -> Iterator[Person]:
    """Signed in nowhere yet, on a machine where Baton has just been set up."""
    with ExitStack() as stack:
        root = Path(tempfile.mkdtemp(prefix="baton-", dir="/tmp"))
        stack.callback(shutil.rmtree, root, ignore_errors=True)
        for name in ("operator", "person", "work"):
            (root / name).mkdir()
        ports = _free_ports(4)
        environ = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("BATON_", "HEROKU_", "GIT_"))
            },
            "HOME": str(root / "operator"),
            "BATON_HOME": str(root / "b"),
            "BATON_BIND": "127.0.0.1",
        }
        kinds = ("CONTROL", "RENDEZVOUS", "HTTP", "HTTPS")
        environ |= {f"BATON_{kind}_PORT": str(port) for kind, port in zip(kinds, ports, strict=True)}
        stack.callback(_baton, environ, "down")
        shown = _baton(environ, "up", "--no-sample", "--email", "me@example.org")
        password = next(line.split()[1] for line in shown.splitlines() if line.startswith("Password:"))
        server = f"http://127.0.0.1:{ports[0]}"
        yield Person(root / "person", root / "work", server, "me@example.org", password)


def _baton(environ: dict[str, str], *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "baton.cli", *words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}\n{done.stderr}"
    return done.stdout


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in held:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in held]


@pytest.fixture(scope="session")
def signed_in(person: Person) -> Person:
    person.baton("login", "--email", person.email, stdin=f"{person.password}\n".encode())
    return person


@pytest.fixture(scope="session")
def shop(signed_in: Person) -> Person:
    """In the repository of an app that has been created and pushed."""
    place = signed_in.place / "shop"
    place.mkdir()
    for name, text in APP.items():
        (place / name).write_text(text)
    here = Person(signed_in.home, place, signed_in.server, signed_in.email, signed_in.password)
    here.types("git", "init", "--quiet", "--initial-branch=main")
    here.types("git", "config", "user.email", "me@example.org")
    here.types("git", "config", "user.name", "Me")
    here.types("git", "add", ".")
    here.types("git", "commit", "--quiet", "-m", "A shop")
    here.baton("create", "shop")
    here.types("git", "push", "baton", "main")
    return here
