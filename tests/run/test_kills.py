"""Whatever is killed with SIGKILL, at whatever moment: requests are answered, lines kept, dynos owned
again.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from baton.run import errors
from tests.run.stage import (
    COMMANDS,
    Load,
    Stage,
    eventually,
    kill,
    next_release,
    processes,
    restarted_pid,
    with_quantity,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("server", ["gunicorn sync", "plain", "granian"])
def test_a_supervisor_killed_again_and_again_under_load_loses_nothing_and_owns_its_dynos(
    own: Stage, server: str
) -> None:
    spec = own.app(COMMANDS[server], quantity=2)
    own.deploy(spec)
    before = own.supervisor.dynos(spec.key)
    with Load(own.home.front_socket(spec.key)) as load:
        for _ in range(4):
            old = own.pid()
            kill(old)
            load.more()
            restarted_pid(own, "supervisor", old)
        assert own.supervisor.dynos(spec.key) == before
        own.deploy(spec := with_quantity(spec, 3))
        load.more()
        own.deploy(spec := with_quantity(spec, 1))
        load.more()
        own.deploy(next_release(spec, VERSION="two"))
        load.more()
    assert load.lost == []
    assert b"two" in load.bodies
    own.supervisor.stop(spec.key, None)
    assert "Process exited with status" in own.log(spec)


def test_the_exit_status_of_a_dyno_that_ended_while_there_was_no_supervisor_is_known(own: Stage) -> None:
    from baton.run.specs import ProcessSpec

    worker = ProcessSpec(
        "worker", "while [ ! -e /data/go ]; do sleep 0.05; done; rm /data/go; exit 37", 1, "Standard-1X"
    )
    spec = own.app(workers=(worker,))
    own.deploy(spec)
    eventually(lambda: own.state(spec, "worker.1") == "up")
    old, keeper = own.pid(), own.pid("keeper")
    os.kill(keeper, signal.SIGSTOP)
    kill(old)
    (own.home.data(spec.key) / "go").touch()
    eventually(lambda: not (own.home.data(spec.key) / "go").exists())
    os.kill(keeper, signal.SIGCONT)
    eventually(lambda: "heroku[worker.1]: Process exited with status 37" in own.log(spec))


def test_no_log_line_is_lost_or_doubled_when_the_supervisor_is_killed_while_lines_come(own: Stage) -> None:
    from baton.run.specs import ProcessSpec

    count = (
        "import time\n"
        "for n in range(40000):\n"
        "    print('line', n, flush=True)\n"
        "    n % 50 or time.sleep(0.002)\n"
        "print('end')\n"
        "time.sleep(600)\n"
    )
    worker = ProcessSpec("worker", "python count.py", 1, "Standard-1X")
    spec = own.app(workers=(worker,), files={"count.py": count})
    own.deploy(spec)
    seen: list[str] = []

    def follow() -> None:
        for _, line in own.supervisor.logs(spec.key, lines=50000, tail=True, after=0, source="app"):
            seen.append(line.partition("]: ")[2])
            if seen[-1] == "end":
                return

    follower = threading.Thread(target=follow, daemon=True)
    follower.start()
    eventually(lambda: len(seen) > 100)
    for _ in range(8):
        old = own.pid()
        kill(old)
        restarted_pid(own, "supervisor", old)
        more = len(seen) + 500
        eventually(lambda: len(seen) > more or seen[-1] == "end")  # noqa: B023
    follower.join(60)
    assert seen == [f"line {n}" for n in range(40000)] + ["end"]


def test_a_deploy_whose_supervisor_is_killed_in_the_middle_is_finished_when_it_is_asked_again(
    own: Stage,
) -> None:
    spec = own.app(COMMANDS["gunicorn sync"])
    own.deploy(spec)
    slow = replace(
        next_release(spec, VERSION="two"),
        processes=(replace(spec.processes[0], command="sleep 1; " + spec.processes[0].command),),
    )
    with Load(own.home.front_socket(spec.key)) as load:
        deploy = threading.Thread(target=own.supervisor.deploy, args=(slow, "the-operation"))
        deploy.start()
        sockets = own.home.run / "web" / spec.key
        eventually(lambda: len(list(sockets.iterdir())) == 2)
        old = own.pid()
        kill(old)
        restarted_pid(own, "supervisor", old)
        deploy.join(60)
        load.more()
    assert load.lost == []
    assert own.get(spec)[1].startswith(b"two")
    assert own.supervisor.status()["apps"][spec.key]["operation"] == "the-operation"
    eventually(lambda: len(list(sockets.iterdir())) == 1)


def test_a_deploy_that_nobody_asks_for_again_is_undone(own: Stage) -> None:
    import socket

    spec = own.app(COMMANDS["plain"])
    own.deploy(spec)
    never = replace(
        next_release(spec, VERSION="two"), processes=(replace(spec.processes[0], command="sleep 600"),)
    )
    with socket.socket(socket.AF_UNIX) as connection:
        import json

        connection.connect(str(own.home.supervisor_socket))
        connection.sendall(
            json.dumps({"op": "deploy", "spec": never.to_json(), "operation": "x"}).encode() + b"\n"
        )
        eventually(lambda: sum("sleep 600" in " ".join(words) for _, words in processes()) > 0)
        old = own.pid()
        kill(old)
        restarted_pid(own, "supervisor", old)
    eventually(lambda: not any("sleep" in words[0] and "600" in words for _, words in processes()))
    eventually(lambda: len(list((own.home.run / "web" / spec.key).iterdir())) == 1)
    assert own.get(spec)[1].startswith(b"one")
    assert own.supervisor.status()["apps"][spec.key]["release"] == 1


def test_supervisors_killed_at_many_moments_of_hand_overs_lose_nothing(own: Stage) -> None:
    spec = own.app(COMMANDS["plain"])
    own.deploy(spec)
    with Load(own.home.front_socket(spec.key)) as load:
        for number in range(10):
            killer = threading.Timer(0.04 * number, lambda: kill(own.pid()))
            killer.start()
            own.deploy(spec := next_release(spec, VERSION=f"n{number}"))
            killer.join()
        load.more()
    assert load.lost == []
    assert own.get(spec)[1].startswith(b"n9")
    eventually(lambda: len(list((own.home.run / "web" / spec.key).iterdir())) == 1)


def test_a_killed_keeper_is_replaced_and_what_it_held_survives_the_next_supervisor_too(own: Stage) -> None:
    spec = own.app(COMMANDS["gunicorn sync"])
    own.deploy(spec)
    before = own.supervisor.dynos(spec.key)
    with Load(own.home.front_socket(spec.key)) as load:
        for _ in range(2):
            keeper = own.pid("keeper")
            kill(keeper)
            restarted_pid(own, "keeper", keeper)
            load.more()
            supervisor = own.pid()
            kill(supervisor)
            restarted_pid(own, "supervisor", supervisor)
            load.more()
    assert load.lost == []
    assert own.supervisor.dynos(spec.key) == before


def test_reexec_renews_supervisor_and_keeper_under_load(own: Stage) -> None:
    spec = own.app(COMMANDS["plain"])
    own.deploy(spec)
    before = own.supervisor.dynos(spec.key), own.pid(), own.pid("keeper")
    with Load(own.home.front_socket(spec.key)) as load:
        own.supervisor.reexec()
        load.more()
    assert load.lost == []
    assert own.supervisor.dynos(spec.key) == before[0]
    assert own.pid() != before[1]
    assert own.pids("keeper") != [before[2]]


def first_process(stage: Stage, spec, words: str) -> int:
    return next(pid for pid, argv in processes() if words in " ".join(argv) and _uid(pid) == spec.uid)


def _uid(pid: int) -> int:
    try:
        return Path(f"/proc/{pid}").stat().st_uid
    except OSError:
        return -1


@pytest.mark.parametrize("server", ["gunicorn sync", "plain", "granian"])
def test_a_killed_dyno_is_started_again_and_requests_wait_for_it(own: Stage, server: str) -> None:
    spec = own.app(COMMANDS[server])
    own.deploy(spec)
    own.get(spec)
    dyno = [pid for pid, words in processes() if _uid(pid) == spec.uid and "relay.py" not in " ".join(words)]
    for pid in dyno:
        kill(pid)
    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in dyno))
    assert [own.get(spec)[0] for _ in range(5)] == [200] * 5
    eventually(lambda: own.state(spec) == "up")
    log = own.log(spec)
    assert "heroku[web.1]: Process exited with status 137" in log
    assert "State changed from up to crashed" in log


def test_a_killed_relay_is_started_again(own: Stage) -> None:
    spec = own.app(COMMANDS["plain"])
    own.deploy(spec)
    own.get(spec)
    relay = first_process(own, spec, "relay.py listen")
    kill(relay)
    assert own.get(spec)[0] == 200
    assert first_process(own, spec, "relay.py listen") != relay


def test_dynos_that_lost_keeper_and_supervisor_at_once_are_ended_by_the_next_start(own: Stage) -> None:
    from baton.run import client
    from baton.run.specs import ProcessSpec

    spec = own.app(workers=(ProcessSpec("worker", "sleep 700", 1, "Standard-1X"),))
    own.deploy(spec)
    eventually(lambda: any(words[:2] == ["sleep", "700"] for _, words in processes()))
    keeper, supervisor = own.pid("keeper"), own.pid()
    os.kill(supervisor, signal.SIGSTOP)
    kill(keeper)
    kill(supervisor)
    eventually(lambda: not own.pids("supervisor"))
    client.start(own.home)
    eventually(lambda: not any(words[:2] == ["sleep", "700"] for _, words in processes()))
    assert own.supervisor.status()["apps"] == {}
    own.deploy(spec)
    eventually(lambda: own.state(spec, "worker.1") == "up")


def test_an_app_that_crashes_again_and_again_pauses_and_a_new_release_starts_at_once(own: Stage) -> None:
    from tests.run.stage import page

    files = {
        "fragile.py": "import os\nif os.path.exists('/data/broken'): raise SystemExit(3)\nimport plain\n"
    }
    spec = own.app("python fragile.py", files=files)
    own.deploy(spec)
    with page(own, "h10"):
        (own.home.data(spec.key) / "broken").touch()
        for pid, _ in processes():
            if _uid(pid) == spec.uid:
                kill(pid)
        eventually(lambda: own.log(spec).count("Process exited with status 3") >= 2)
        eventually(lambda: own.get(spec) == (503, b"h10"))
        began = time.monotonic()
        with pytest.raises(errors.Crashed):
            own.deploy(next_release(spec))
        (own.home.data(spec.key) / "broken").unlink()
        own.deploy(next_release(next_release(spec, VERSION="two")))
        assert own.get(spec)[1].startswith(b"two")
        assert time.monotonic() - began < 30
    assert own.state(spec) == "up"
