"""Somebody at a shell, and an app of theirs on a machine that really runs Baton."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.person import Person
from tests.machine import Machine, machine

__all__ = ["machine"]

SHOP = {
    "requirements.txt": "",
    "Procfile": (
        "web: python -u -m http.server --bind 127.0.0.1 $PORT\n"
        "worker: python -u worker.py\n"
        "release: python release.py\n"
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
def person(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """Signed in nowhere yet."""
    home = tmp_path_factory.mktemp("person")
    return Person(home, home, machine.settings.control_url, machine.email, machine.password)


@pytest.fixture(scope="session")
def signed_in(person: Person) -> Person:
    person.baton("login", "--email", person.email, stdin=f"{person.password}\n".encode())
    return person


@pytest.fixture(scope="session")
def shop(signed_in: Person, tmp_path_factory: pytest.TempPathFactory) -> Person:
    """In the repository of the app cli-shop, which has been created and pushed."""
    here = signed_in.at(tmp_path_factory.mktemp("shop"))
    fill(here.place)
    here.types("git", "init", "--quiet", "--initial-branch=main")
    here.types("git", "config", "user.email", "me@example.org")
    here.types("git", "config", "user.name", "Me")
    here.types("git", "add", ".")
    here.types("git", "commit", "--quiet", "-m", "A shop")
    here.baton("create", "cli-shop")
    here.types("git", "push", "baton", "main")
    return here


def fill(place: Path) -> None:
    for name, text in SHOP.items():
        (place / name).write_text(text)
