"""An eco app sleeps without traffic, and whoever comes wakes it."""

from __future__ import annotations

import threading

import pytest

from baton.run.specs import ProcessSpec
from tests.run.stage import COMMANDS, Load, Stage, eventually, kill, next_release, restarted_pid, stage

pytestmark = pytest.mark.slow


def sleeper(made: Stage, command: str = COMMANDS["gunicorn sync"]):
    worker = ProcessSpec("worker", "sleep 600", 1, "Eco", grace=2)
    return made.app(command, size="Eco", workers=(worker,))


def ask(made: Stage, spec, answers: list[int]) -> None:
    answers.append(made.get(spec)[0])


def test_the_request_that_wakes_an_app_is_answered_and_workers_sleep_with_it() -> None:
    with stage(BATON_SLEEP_AFTER="1", BATON_DRAIN="3") as made:
        spec = sleeper(made)
        made.deploy(spec)
        for command in (None, COMMANDS["plain"]):
            if command:
                made.deploy(next_release(spec, VERSION="two"))
            eventually(lambda: made.state(spec) == "idle" and made.state(spec, "worker.1") == "idle")
            answers: list[int] = []
            threads = [threading.Thread(target=ask, args=(made, spec, answers)) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            assert answers == [200] * 8
            eventually(lambda: made.state(spec) == "up")
            eventually(lambda: made.state(spec, "worker.1") == "up")
        log = made.log(spec)
        assert "heroku[web.1]: Idling" in log
        assert "heroku[web.1]: State changed from up to idle" in log
        assert "heroku[web.1]: Unidling" in log


def test_sleep_outlives_the_supervisor_and_a_deploy_wakes() -> None:
    with stage(BATON_SLEEP_AFTER="1", BATON_DRAIN="3") as made:
        spec = sleeper(made, COMMANDS["plain"])
        made.deploy(spec)
        eventually(lambda: made.state(spec) == "idle")
        old = made.pid()
        kill(old)
        restarted_pid(made, "supervisor", old)
        assert made.state(spec) == "idle"
        assert made.get(spec)[0] == 200
        eventually(lambda: made.state(spec) == "idle")
        made.deploy(next_release(spec, VERSION="two"))
        assert made.get(spec)[1].startswith(b"two")


def test_requests_at_the_moment_of_falling_asleep_are_answered() -> None:
    with stage(BATON_SLEEP_AFTER="0.3", BATON_DRAIN="3") as made:
        spec = sleeper(made, COMMANDS["plain"])
        made.deploy(spec)
        load = Load(made.home.front_socket(spec.key), clients=1)
        for _ in range(4):
            eventually(lambda: "idle" in made.state(spec) or "Idling" in made.log(spec).splitlines()[-1])
            for _ in range(3):
                assert made.get(spec)[0] == 200
        assert load.lost == []


def test_other_sizes_and_apps_with_traffic_stay_awake() -> None:
    with stage(BATON_SLEEP_AFTER="1", BATON_DRAIN="3") as made:
        basic = made.app(COMMANDS["plain"], size="Basic")
        busy = sleeper(made, COMMANDS["gunicorn gthread"])
        made.deploy(basic)
        made.deploy(busy)
        with Load(made.home.front_socket(busy.key), clients=2, url="/slow") as load:
            load.more(12)
            assert made.state(busy) == "up"
        assert made.state(basic) == "up"
        assert "Idling" not in made.log(basic)
        assert load.lost == []
