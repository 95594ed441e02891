"""What a clumsy push, a killed front door and a full disk may do: a clear word, and nothing lost."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from baton.run.client import Supervisor
from tests.machine import APP, Machine, running_machine, wait_until

pytestmark = pytest.mark.slow


@dataclass
class Visits:
    """What a visitor who asks again and again got."""

    answers: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


@contextmanager
def visiting(machine: Machine, app: str) -> Iterator[Visits]:
    """A new connection for every request, one after the other, for the time of the block."""
    visits, over = Visits(), threading.Event()

    def visit() -> None:
        while not over.is_set():
            try:
                answer = machine.get(app)
            except httpx.HTTPError as error:
                visits.lost.append(repr(error))
                continue
            (visits.answers if answer.status_code == 200 else visits.lost).append(answer.text)

    visitor = threading.Thread(target=visit)
    visitor.start()
    try:
        yield visits
    finally:
        over.set()
        visitor.join()


@pytest.fixture(scope="module")
def served(machine: Machine) -> str:
    machine.create("laws")
    assert machine.push("laws", APP).exit_code == 0
    return "laws"


def test_a_push_of_fifty_thousand_files_is_served(machine: Machine) -> None:
    machine.create("many")
    tree = {f"data/{number // 500}/{number}.txt": str(number) for number in range(50_000)}
    pushed = machine.push("many", {**APP, **tree})
    assert pushed.exit_code == 0, pushed.output
    assert machine.get("many").text == "one"


def test_a_file_name_with_a_newline_is_a_file_name(machine: Machine) -> None:
    machine.create("newline")
    pushed = machine.push("newline", {**APP, "a\nb.txt": "odd", "spa ce \u2603.txt": "odd"})
    assert pushed.exit_code == 0, pushed.output
    assert machine.get("newline").text == "one"


def test_a_link_out_of_the_tree_is_refused_where_baton_would_read_it(machine: Machine, served: str) -> None:
    copy = machine.working_copy(served)
    (copy / "Procfile").unlink()
    (copy / "Procfile").symlink_to("/etc/passwd")
    pushed = machine.push(served, {"version.txt": "linked"})
    (copy / "Procfile").unlink()
    machine.commit(served, {"Procfile": APP["Procfile"], "version.txt": "one"})
    assert pushed.exit_code != 0
    assert "leads out of the tree" in pushed.output
    assert "root:" not in pushed.output
    assert machine.get(served).text == "one"


def test_a_mistake_in_the_procfile_is_shown_with_its_line(machine: Machine, served: str) -> None:
    pushed = machine.push(served, {"Procfile": "web: python server.py\nthis is no process\n"})
    machine.commit(served, {"Procfile": APP["Procfile"]})
    assert pushed.exit_code != 0
    assert "line 2" in pushed.output
    assert machine.get(served).text == "one"


def test_a_killed_front_door_comes_back_while_its_visitors_wait(machine: Machine, served: str) -> None:
    with visiting(machine, served) as visits:
        wait_until(lambda: len(visits.answers) > 5)
        for _ in range(3):
            masters = nginx_masters(machine)
            for pid in masters:
                os.kill(pid, signal.SIGKILL)
            seen = len(visits.answers)
            wait_until(lambda: nginx_masters(machine) not in ([], masters))  # noqa: B023
            wait_until(lambda: len(visits.answers) > seen + 5)  # noqa: B023
    assert not visits.lost, visits.lost[:3]


def nginx_masters(machine: Machine) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            line = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            if b"nginx: master" in line and str(machine.home.root).encode() in line:
                found.append(int(entry.name))
    return sorted(found)


def test_a_disk_that_is_nearly_full_refuses_a_build_and_serves_on() -> None:
    with running_machine() as machine:
        machine.create("full")
        assert machine.push("full", APP).exit_code == 0
        free = shutil.disk_usage(machine.home.root).free // 2**20
        settings = machine.home.root / "settings.toml"
        wanted = f"disk_reserve_mb = {free * 2}"
        settings.write_text(settings.read_text().replace("disk_reserve_mb = 1024", wanted))
        machine.kill_control()
        wait_until(lambda: machine.pids("baton.control", "serve"))
        machine.wait_for_control()
        pushed = machine.push("full", {"version.txt": "two"})
        assert pushed.exit_code != 0
        assert "free" in pushed.output
        assert machine.get("full").text == "one"


def test_pushes_to_two_apps_at_once_both_succeed(machine: Machine) -> None:
    results = {}

    def push(name: str) -> None:
        results[name] = machine.push(name, {**APP, "version.txt": name})

    for name in ("twin-a", "twin-b"):
        machine.create(name)
        machine.working_copy(name)
    both = [threading.Thread(target=push, args=(name,)) for name in ("twin-a", "twin-b")]
    for each in both:
        each.start()
    for each in both:
        each.join()
    assert {name: result.exit_code for name, result in results.items()} == {"twin-a": 0, "twin-b": 0}
    assert machine.get("twin-a").text == "twin-a"
    assert machine.get("twin-b").text == "twin-b"


def test_baton_renews_itself_while_visitors_lose_nothing(machine: Machine, served: str) -> None:
    with visiting(machine, served) as visits:
        wait_until(lambda: len(visits.answers) > 5)
        before = Supervisor(machine.home).status()["pid"]
        machine.supervisor.reexec()
        wait_until(lambda: Supervisor(machine.home).status()["pid"] != before or len(visits.answers) > 50)
        seen = len(visits.answers)
        wait_until(lambda: len(visits.answers) > seen + 10)
    assert not visits.lost, visits.lost[:3]
