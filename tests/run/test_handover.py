"""Nothing is lost while an app changes under load, with real servers that know nothing of Baton."""

from __future__ import annotations

from dataclasses import replace

import pytest

from baton.run import errors
from baton.run.specs import Health, ProcessSpec
from tests.run.stage import (
    COMMANDS,
    Load,
    Stage,
    eventually,
    next_release,
    page,
    with_command,
    with_quantity,
)

pytestmark = pytest.mark.slow


def load_of(stage: Stage, spec, **how) -> Load:
    return Load(stage.home.front_socket(spec.key), **how)


@pytest.mark.parametrize("server", COMMANDS)
def test_releases_scaling_and_restarts_lose_no_request(shared: Stage, server: str) -> None:
    spec = shared.app(COMMANDS[server])
    shared.deploy(spec)
    with load_of(shared, spec) as load:
        spec = next_release(spec, VERSION="two")
        shared.deploy(spec)
        load.more()
        assert b"two" in load.bodies
        shared.deploy(spec := with_quantity(spec, 3))
        load.more()
        shared.supervisor.restart(spec.key, None)
        load.more()
        shared.supervisor.restart(spec.key, "web.2")
        load.more()
        shared.deploy(spec := with_quantity(spec, 1))
        load.more()
    assert load.lost == []
    assert [dyno["name"] for dyno in shared.supervisor.dynos(spec.key)] == ["web.1"]
    eventually(lambda: len(list((shared.home.run / "web" / spec.key).iterdir())) == 1)


def test_ten_releases_in_a_row_lose_no_request(shared: Stage) -> None:
    spec = shared.app(COMMANDS["plain"])
    shared.deploy(spec)
    with load_of(shared, spec) as load:
        for number in range(10):
            shared.deploy(spec := next_release(spec, VERSION=f"n{number}"))
            load.more(10)
    assert load.lost == []
    assert b"n9" in load.bodies


def test_slow_requests_are_finished_by_the_generation_that_has_them(shared: Stage) -> None:
    spec = shared.app(COMMANDS["gunicorn gthread"])
    shared.deploy(spec)
    with load_of(shared, spec, url="/slow") as load:
        for number in range(3):
            shared.deploy(spec := next_release(spec, VERSION=f"n{number}"))
            load.more(8)
    assert load.lost == []


def test_maintenance_shows_its_page_and_goes_again(shared: Stage) -> None:
    spec = shared.app(COMMANDS["gunicorn sync"])
    shared.deploy(spec)
    with page(shared, "h80"), load_of(shared, spec, fine=(200, 503)) as load:
        for _ in range(3):
            shared.supervisor.maintenance(spec.key, True)
            assert shared.get(spec) == (503, b"h80")
            load.more(10)
            shared.supervisor.maintenance(spec.key, False)
            assert shared.get(spec)[0] == 200
            load.more(10)
    assert load.lost == []


def test_without_web_dynos_the_page_says_so_and_scaling_up_serves_again(shared: Stage) -> None:
    spec = shared.app(COMMANDS["gunicorn sync"])
    shared.deploy(spec)
    with page(shared, "h14"), load_of(shared, spec, fine=(200, 503)) as load:
        shared.deploy(spec := with_quantity(spec, 0))
        assert shared.get(spec) == (503, b"h14")
        load.more()
        shared.deploy(spec := with_quantity(spec, 2))
        assert shared.get(spec)[0] == 200
        load.more()
    assert load.lost == []


def test_stopped_dynos_stay_down_until_they_are_restarted(shared: Stage) -> None:
    spec = shared.app(COMMANDS["plain"])
    shared.deploy(spec)
    with page(shared, "h14"):
        shared.supervisor.stop(spec.key, "web")
        assert shared.state(spec) == "down"
        assert shared.get(spec) == (503, b"h14")
        shared.supervisor.restart(spec.key, "web")
        assert shared.state(spec) == "up"
        assert shared.get(spec)[0] == 200


def test_a_blank_app_and_a_destroyed_one(shared: Stage) -> None:
    spec = shared.app(COMMANDS["plain"])
    with page(shared, "h81"):
        shared.deploy(replace(spec, slug=None, release=0, release_id=""))
        assert shared.get(spec) == (503, b"h81")
    shared.deploy(spec)
    assert shared.get(spec)[0] == 200
    shared.supervisor.destroy(spec.key)
    assert not shared.home.front_socket(spec.key).is_symlink()
    assert not (shared.home.logs / f"{spec.key}.log").exists()
    assert shared.supervisor.dynos(spec.key) == []
    assert spec.key not in shared.supervisor.status()["apps"]


def test_web_processes_that_may_not_run_twice_hand_over_one_after_the_other(shared: Stage) -> None:
    # The lock in the app's data directory is taken for the life of the process.
    locked = (
        "import fcntl, time\n"
        "lock = open('/data/lock', 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)\n"
    )
    from tests.run.stage import PLAIN

    spec = shared.app("python locked.py", files={"locked.py": locked + PLAIN})
    spec = replace(spec, processes=(replace(spec.processes[0], stop_first=True),))
    shared.deploy(spec)
    with load_of(shared, spec) as load:
        shared.deploy(spec := next_release(spec, VERSION="two"))
        load.more()
        broken = with_command(spec, "false")
        with pytest.raises(errors.Crashed):
            shared.deploy(broken)
        load.more()
    assert load.lost == []
    assert b"two" in load.bodies


BAD = {
    "crashes at boot": (
        "python -c 'raise ImportError(\"no module named yesterday\")'",
        errors.Crashed,
        "yesterday",
    ),
    "never binds": ("echo waiting; sleep 60", errors.BootTimeout, "waiting"),
    "binds and crashes": (
        "python -c \"import socket,os,time; s=socket.create_server(('',int(os.environ['PORT']))); "
        "time.sleep(.3); "
        "exit('lost the will')\"",
        errors.Crashed,
        "lost the will",
    ),
    "gunicorn fails to import": (
        "python -m gunicorn nothing:here",
        errors.Crashed,
        "No module named 'nothing'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_release_changes_nothing_and_says_what_was_wrong(shared: Stage, case: str) -> None:
    command, error, said = BAD[case]
    spec = shared.app(COMMANDS["gunicorn sync"], health=Health("example.test", timeout=3))
    shared.deploy(spec)
    before = shared.supervisor.dynos(spec.key)
    with load_of(shared, spec) as load:
        with pytest.raises(error) as raised:
            shared.deploy(with_command(spec, command))
        load.more()
    assert load.lost == []
    assert load.bodies == {b"one"}
    assert said in "\n".join(raised.value.excerpt)
    assert raised.value.hint
    assert shared.supervisor.dynos(spec.key) == before
    eventually(lambda: len(list((shared.home.run / "web" / spec.key).iterdir())) == 1)


def test_a_release_that_answers_500_at_its_health_path_is_refused(shared: Stage) -> None:
    spec = shared.app(COMMANDS["gunicorn sync"], health=Health("example.test", "/up", timeout=3))
    shared.deploy(spec)
    with load_of(shared, spec) as load, pytest.raises(errors.Unhealthy, match="answered 500"):
        shared.deploy(next_release(spec, STATUS="500 No"))
    assert load.lost == []
    assert shared.get(spec)[0] == 200


def test_an_answer_of_404_is_alive_without_a_path_and_not_with_one(shared: Stage) -> None:
    alive = shared.app(COMMANDS["gunicorn sync"], STATUS="404 Not Found")
    shared.deploy(alive)
    assert shared.get(alive)[0] == 404
    picky = shared.app(
        COMMANDS["gunicorn sync"], health=Health("a.test", "/up", timeout=1), STATUS="404 Not Found"
    )
    with pytest.raises(errors.Unhealthy):
        shared.deploy(picky)


def test_a_dyno_that_fails_while_scaling_up_is_stopped_and_told_and_the_others_serve_on(
    shared: Stage,
) -> None:
    lonely = (
        "import os\nif os.environ['DYNO'] != 'web.1':\n    raise SystemExit('one is enough')\nimport plain\n"
    )
    spec = shared.app("python lonely.py", files={"lonely.py": lonely})
    shared.deploy(spec)
    with load_of(shared, spec) as load, pytest.raises(errors.Crashed) as raised:
        shared.deploy(with_quantity(spec, 3))
    assert load.lost == []
    assert "one is enough" in raised.value.excerpt
    assert [dyno["name"] for dyno in shared.supervisor.dynos(spec.key)] == ["web.1"]


def test_boot_timeout_is_logged_as_r10(shared: Stage) -> None:
    spec = shared.app("sleep 60", health=Health("a.test", timeout=1))
    with pytest.raises(errors.BootTimeout, match="within 1 seconds"):
        shared.deploy(spec)
    assert (
        "heroku[web.1]: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 1 seconds"
        in shared.log(spec)
    )


def test_the_same_operation_twice_is_done_once(shared: Stage) -> None:
    spec = shared.app(COMMANDS["plain"])
    shared.deploy(spec, "operation-1")
    before = shared.supervisor.dynos(spec.key)
    shared.deploy(spec, "operation-1")
    assert shared.supervisor.dynos(spec.key) == before


def test_workers_are_replaced_and_one_that_may_not_run_twice_waits(shared: Stage) -> None:
    def workers(number: int) -> tuple[ProcessSpec, ...]:
        loop = "while sleep 0.1; do :; done"
        return (
            ProcessSpec("worker", f"echo worker {number}; {loop}", 2, "Standard-1X"),
            ProcessSpec(
                "clock",
                f"flock -n /data/clock echo clock {number} && flock -n /data/clock sleep 600",
                1,
                "Standard-1X",
                True,
            ),
        )

    spec = shared.app(COMMANDS["plain"], workers=workers(1))
    shared.deploy(spec)
    eventually(lambda: shared.state(spec, "clock.1") == "up" and "app[clock.1]: clock 1" in shared.log(spec))
    spec = replace(next_release(spec), processes=(spec.processes[0], *workers(2)))
    shared.deploy(spec)
    eventually(lambda: "app[clock.1]: clock 2" in shared.log(spec))
    eventually(lambda: "app[worker.2]: worker 2" in shared.log(spec))
    names = [dyno["name"] for dyno in shared.supervisor.dynos(spec.key)]
    assert sorted(names) == ["clock.1", "web.1", "worker.1", "worker.2"]
    assert "State changed from up to crashed" not in shared.log(spec)
    shared.deploy(with_quantity(spec, 0, "worker"))
    eventually(lambda: shared.state(spec, "worker.1") == "gone")


def test_a_program_on_the_old_generation_keeps_its_long_connection_until_the_drain_ends(
    shared: Stage,
) -> None:
    websockets = pytest.importorskip("websockets.sync.client")
    echo = (
        "import asyncio, os\nimport websockets\n"
        "async def echo(socket):\n"
        "    async for message in socket:\n"
        "        await socket.send(os.environ['VERSION'] + message)\n"
        "async def main():\n    async with websockets.serve(echo, '', int(os.environ['PORT'])):\n"
        "        await asyncio.Future()\nasyncio.run(main())\n"
    )
    spec = shared.app("python echo.py", files={"echo.py": echo})
    shared.deploy(spec)
    with websockets.unix_connect(str(shared.home.front_socket(spec.key)), "ws://example.test/") as connection:
        connection.send("1")
        assert connection.recv() == "one1"
        shared.deploy(next_release(spec, VERSION="two"))
        with websockets.unix_connect(str(shared.home.front_socket(spec.key)), "ws://example.test/") as other:
            other.send("1")
            assert other.recv() == "two1"
        connection.send("2")
        assert connection.recv() == "one2"
    eventually(lambda: len(list((shared.home.run / "web" / spec.key).iterdir())) == 1)
