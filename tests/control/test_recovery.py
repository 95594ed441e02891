"""SIGKILL to control in the midst of everything: what the next one finds, finishes and undoes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.machine import APP, SERVER, Machine, wait_until

pytestmark = pytest.mark.slow

SLOW_BUILD = {"bin/post_compile": "#!/bin/sh\necho slowly\nsleep 60\n"}
SLOW_BOOT = SERVER.replace('print("serving"', 'time.sleep(5)\nprint("serving"')
SLOW_CRASH = 'import time\ntime.sleep(4)\nraise SystemExit("it does not work")\n'


@pytest.fixture
def served(fresh_machine: Machine) -> Machine:
    """A machine with the app `shop`, whose second release serves `one`."""
    fresh_machine.create("shop")
    result = fresh_machine.push("shop", APP)
    assert result.exit_code == 0, result.output
    return fresh_machine


def records(machine: Machine, query: str) -> list[tuple[Any, ...]]:
    with sqlite3.connect(machine.home.database, timeout=20) as database:
        return database.execute(query).fetchall()


def open_operations(machine: Machine) -> list[tuple[str, str]]:
    return records(machine, "select kind, state from control_operation where ended_at is null")


def versions(machine: Machine) -> dict[int, str]:
    return {release["version"]: release["status"] for release in machine.releases("shop")}


def current(machine: Machine) -> int:
    return next(release["version"] for release in machine.releases("shop") if release["current"])


def kill_and_wait(machine: Machine) -> None:
    before = machine.pids("baton.control", "serve")
    machine.kill_control()
    wait_until(lambda: (now := machine.pids("baton.control", "serve")) and now != before)
    machine.wait_for_control()


@contextmanager
def killed_during(
    machine: Machine, tree: dict[str, Any], kind: str, state: str
) -> Iterator[subprocess.Popen[str]]:
    """A push during which control is killed once an operation of this kind is in this state."""
    machine.commit("shop", tree)
    with machine.pushing("shop") as push:
        wait_until(lambda: (kind, state) in open_operations(machine))
        kill_and_wait(machine)
        yield push


def assert_as_before(machine: Machine) -> None:
    wait_until(lambda: open_operations(machine) == [])
    assert machine.get("shop").text == "one"
    assert current(machine) == 2
    assert "pending" not in versions(machine).values()
    assert all(build["status"] != "pending" for build in machine.ask("GET", "/apps/shop/builds"))
    assert [path for path in machine.home.builds.iterdir() if not path.name.startswith(".")] == []
    change = {"bin/post_compile": "", "Procfile": APP["Procfile"], "server.py": SERVER, "version.txt": "next"}
    result = machine.push("shop", change, "main", "--force")
    assert result.exit_code == 0, result.output
    assert machine.get("shop").text == "next"


def test_a_kill_during_a_build_leaves_what_was_served(served: Machine) -> None:
    served.commit("shop", {**SLOW_BUILD, "version.txt": "two"})
    with served.pushing("shop") as push:
        wait_until(lambda: any("slowly" in path.read_text() for path in outputs(served)))
        kill_and_wait(served)
        output, _ = push.communicate(timeout=30)
    assert push.returncode != 0, output
    assert [build["status"] for build in served.ask("GET", "/apps/shop/builds")] == ["succeeded", "failed"]
    wait_until(lambda: served.pids("sleep", "60") == [])
    assert_as_before(served)


def outputs(machine: Machine) -> list[Any]:
    return list((machine.home.logs / "output").glob("*.log"))


def test_a_kill_during_the_release_phase_leaves_what_was_served(served: Machine) -> None:
    change = {"Procfile": "web: python server.py\nrelease: sleep 600\n", "version.txt": "two"}
    with killed_during(served, change, "release", "release-phase") as push:
        assert push.wait(30) != 0
    assert versions(served) == {1: "succeeded", 2: "succeeded", 3: "failed"}
    wait_until(lambda: not any(dyno["type"] == "release" for dyno in served.ask("GET", "/apps/shop/dynos")))
    assert_as_before(served)


def test_a_hand_over_outlives_control_and_is_written_down(served: Machine) -> None:
    change = {"server.py": SLOW_BOOT, "version.txt": "two"}
    with killed_during(served, change, "release", "handing-over") as push:
        assert push.wait(30) != 0
    wait_until(lambda: open_operations(served) == [])
    assert served.get("shop").text == "two"
    assert current(served) == 3 and versions(served)[3] == "succeeded"
    assert served.ask("GET", "/apps/shop/builds")[-1]["status"] == "succeeded"


def test_a_hand_over_that_fails_after_control_was_killed_is_undone(served: Machine) -> None:
    change = {"server.py": SLOW_CRASH, "version.txt": "two"}
    with killed_during(served, change, "release", "handing-over") as push:
        assert push.wait(30) != 0
    wait_until(lambda: open_operations(served) == [])
    assert versions(served)[3] == "failed"
    assert served.ask("GET", "/apps/shop/builds")[-1]["status"] == "failed"
    assert_as_before(served)


@contextmanager
def frozen_at_the_flip(machine: Machine, version: int) -> Iterator[None]:
    """Control stands still from its order until the supervisor has handed over, and is killed then."""
    wait_until(lambda: ("release", "handing-over") in open_operations(machine))
    pids = machine.pids("baton.control", "serve")
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    key = machine.key("shop")
    wait_until(lambda: machine.supervisor.status()["apps"][key]["release"] == version)
    yield
    kill_and_wait(machine)


def test_a_kill_between_the_flip_and_its_record_finishes_the_release(served: Machine) -> None:
    served.commit("shop", {"server.py": SLOW_BOOT, "version.txt": "two"})
    with served.pushing("shop"), frozen_at_the_flip(served, 3):
        assert served.get("shop").text == "two"
        assert records(served, "select version from control_release where current") == [(2,)]
    wait_until(lambda: open_operations(served) == [])
    assert served.get("shop").text == "two"
    assert current(served) == 3
    assert served.ask("GET", "/apps/shop/builds")[-1]["status"] == "succeeded"


def test_a_config_change_whose_flip_was_not_recorded_is_finished(served: Machine) -> None:
    assert served.push("shop", {"server.py": SLOW_BOOT}).exit_code == 0
    url = f"{served.settings.control_url}/apps/shop/config-vars"
    argv = ["curl", "--silent", "--noproxy", "*", "-X", "PATCH", url, "-d", '{"GREETING": "hello"}']
    argv += ["-H", f"Authorization: Bearer {served.token}", "-H", "Content-Type: application/json"]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL) as asking:
        with frozen_at_the_flip(served, 4):
            assert records(served, "select name from control_configvar") == []
        asking.wait(30)
    wait_until(lambda: open_operations(served) == [])
    assert served.ask("GET", "/apps/shop/config-vars") == {"GREETING": "hello"}
    assert served.get("shop", "/env/GREETING").text == "hello"
    assert current(served) == 4


def test_an_idle_control_that_is_killed_changes_nothing(served: Machine) -> None:
    before = [dyno["id"] for dyno in served.ask("GET", "/apps/shop/dynos")]
    kill_and_wait(served)
    assert served.get("shop").text == "one"
    assert [dyno["id"] for dyno in served.ask("GET", "/apps/shop/dynos")] == before
    assert_as_before(served)


def test_a_half_destroyed_app_is_destroyed(served: Machine) -> None:
    key = served.key("shop")
    with sqlite3.connect(served.home.database, timeout=20) as database:
        database.execute("update control_app set destroyed_at = created_at")
    kill_and_wait(served)
    assert records(served, "select * from control_app") == []
    assert key not in served.supervisor.status()["apps"]
    assert served.get("shop").status_code == 404
    assert not served.home.repository(key).exists()


def test_a_half_made_app_is_completed(served: Machine) -> None:
    served.create("bare")
    key = served.key("bare")
    shutil.rmtree(served.home.repository(key))
    served.supervisor.destroy(key)
    kill_and_wait(served)
    wait_until(lambda: key in served.supervisor.status()["apps"])
    assert served.get("bare").status_code == 503
    result = served.push("bare", APP)
    assert result.exit_code == 0, result.output
    assert served.get("bare").text == "one"


def test_after_a_reboot_everything_runs_as_the_records_say(served: Machine) -> None:
    served.ask("PATCH", "/apps/shop/config-vars", {"GREETING": "hello"})
    served.ask("PATCH", "/apps/shop/formation", {"updates": [{"type": "worker", "quantity": 1}]})
    served.supervisor.shutdown()
    wait_until(lambda: served.pids() == [])
    served.start()
    wait_until(lambda: served.get("shop").status_code == 200)
    assert served.get("shop", "/env/GREETING").text == "hello"
    wait_until(
        lambda: (
            {dyno["name"]: dyno["state"] for dyno in served.ask("GET", "/apps/shop/dynos")}
            == {"web.1": "up", "worker.1": "up"}
        )
    )


def test_a_supervisor_that_is_killed_during_a_hand_over_fails_no_push(served: Machine) -> None:
    served.commit("shop", {"server.py": SLOW_BOOT, "version.txt": "two"})
    with served.pushing("shop") as push:
        wait_until(lambda: ("release", "handing-over") in open_operations(served))
        for pid in served.pids("baton.run.supervisor"):
            os.kill(pid, signal.SIGKILL)
        output, _ = push.communicate(timeout=90)
    assert push.returncode == 0, output
    assert served.get("shop").text == "two"
