"""The pure parts of the benchmarks: what is planned, counted, read from other programs, and judged."""

from __future__ import annotations

import hashlib
import json
from itertools import islice, pairwise

import pytest

from benchmarks import memory, quiet, ten_pushes, wrk
from benchmarks.load import judge
from benchmarks.load.plan import Shot, Target, shots
from benchmarks.load.tally import Tally, percentile, total
from benchmarks.report import Promise
from benchmarks.site import Outcome

WRK = """Running 3s test @ http://127.0.0.1:1/
  1 threads and 32 connections
  6422 requests in 3.01s, 2.62MB read
{complaint}Requests/sec:   2136.52
Transfer/sec:      0.87MB
"""


def test_the_full_mix_has_every_kind_of_request_and_two_slow_ones_a_second() -> None:
    planned = list(islice(shots(Target("x", 1, rate=200)), 400))
    kinds = {shot.kind for shot in planned}
    plain = {f"{method} {way}" for method in ("GET", "POST") for way in ("kept-alive", "fresh")}
    assert kinds == plain | {f"slow {kind}" for kind in plain}
    assert len([shot for shot in planned if shot.path == "/slow"]) == 4
    assert planned[-1].at == pytest.approx(399 / 200)


def test_every_request_of_a_plan_has_a_nonce_of_its_own_and_a_second_run_has_the_same() -> None:
    first, second = (list(islice(shots(Target("x", 1)), 500)) for _ in range(2))
    assert len({shot.nonce for shot in first}) == 500
    assert first == second


def test_random_arrivals_come_at_the_rate_that_was_asked_for() -> None:
    planned = list(islice(shots(Target("x", 1, rate=50, mix="wait", poisson=True)), 5000))
    gaps = {round(after.at - before.at, 9) for before, after in pairwise(planned)}
    assert planned[-1].at == pytest.approx(100, rel=0.1)
    assert len(gaps) > 4000


@pytest.mark.parametrize(
    ("status", "change", "found"),
    [
        (200, {}, None),
        (503, {}, ("lost", "status 503")),
        (200, {"nonce": "other"}, ("wrong", "another request's nonce")),
        (200, {"sha256": "0"}, ("wrong", "the body arrived changed")),
        (200, {"nonce": None}, ("wrong", "another request's nonce")),
    ],
)
def test_an_answer_is_judged_by_its_status_its_nonce_and_its_digest(
    status: int, change: dict[str, object], found: tuple[str, str] | None
) -> None:
    answer = {"nonce": "n1", "sha256": hashlib.sha256(b"abc").hexdigest()} | change
    assert judge.fault(Shot(0, "n1", "/echo", b"abc"), status, json.dumps(answer).encode()) == found


def test_a_page_that_is_not_the_samples_is_a_wrong_answer_even_with_status_200() -> None:
    assert judge.fault(Shot(0, "n1", "/"), 200, b"<h1>Welcome</h1>") == ("wrong", "not the sample's answer")


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [([], 0.99, 0), ([5], 0.5, 5), ([3, 1, 2], 0.5, 2), (list(range(1, 101)), 0.99, 99), ([1, 2], 1, 2)],
)
def test_a_percentile_is_a_value_that_was_measured(values: list[float], share: float, found: float) -> None:
    assert percentile(values, share) == found


def test_a_total_counts_each_phase_once_and_keeps_the_reasons() -> None:
    one, two = Tally("a", sent=3), Tally("b", sent=4)
    one.fail("lost", "status 502", "GET")
    two.fail("wrong", "another request's nonce", "POST")
    two.fail("lost", "status 502", "GET")
    whole = total([one, two])
    assert (whole.sent, whole.lost, whole.wrong, whole.failed) == (7, 2, 1, 3)
    assert whole.reasons["lost: status 502"] == 2


def test_a_tally_survives_its_way_between_the_processes() -> None:
    tally = Tally("a", sent=2, latencies=[0.5])
    tally.fail("lost", "status 502", "GET")
    assert Tally.from_fields(json.loads(tally.to_json())) == tally


def test_wrks_report_gives_its_rate_and_what_failed() -> None:
    assert wrk.parse(WRK.format(complaint="")) == wrk.Throughput(2136.52, 6422, 0)
    one = "  Socket errors: connect 0, read 1, write 0, timeout 0\n"
    assert wrk.parse(WRK.format(complaint=one)).failed == 1


@pytest.mark.parametrize(
    "complaint",
    ["  Non-2xx or 3xx responses: 6000\n", "  Socket errors: connect 0, read 9, write 0, timeout 0\n"],
)
def test_a_rate_of_failures_is_no_figure(complaint: str) -> None:
    with pytest.raises(wrk.WrkError, match="failed"):
        wrk.parse(WRK.format(complaint=complaint))


@pytest.mark.parametrize(
    ("found", "limit", "at_least", "kept"),
    [(0, 0, False, True), (1, 0, False, False), (0.96, 0.95, True, True), (0.94, 0.95, True, False)],
)
def test_a_promise_is_kept_on_its_own_side_of_the_limit(
    found: float, limit: float, at_least: bool, kept: bool
) -> None:
    promise = Promise("it", found, limit, at_least=at_least)
    assert promise.kept is kept
    assert str(promise).startswith("kept" if kept else "BROKEN")


def test_busy_is_the_share_that_was_not_idle() -> None:
    before = quiet.ticks("cpu  10 0 10 80 0 0 0 0 0 0\ncpu0 1\n")
    after = quiet.ticks("cpu  30 0 20 150 0 0 0 0 0 0\n")
    assert quiet.busy(before, after) == pytest.approx(0.3)


def test_memory_of_baton_leaves_out_the_apps_processes() -> None:
    own = memory.Process(2, 1, "python -m baton.run.supervisor --home /x", 15.0, 0.1)
    app = memory.Process(3, 2, "/app/.heroku/python/bin/python gunicorn", 40.0, 0.1)
    assert memory.own([own, app]) == 15.0
    assert memory.pss_mb("Rss: 9 kB\nPss:      2048 kB\nPss_Anon: 1 kB\n") == 2.0


@pytest.mark.parametrize(
    ("flaw", "code", "output", "served", "complaint"),
    [
        (None, 0, "", "v2/", ""),
        (None, 1, "", "v2/", "exit code 1"),
        (None, 0, "", "v1/", "v1/ is served, not v2/"),
        ("import_error", 0, "no_such_module: add it to requirements.txt", "v2/", "exit code 0"),
        ("import_error", 1, "no_such_module: add it to requirements.txt", "v2/", ""),
        ("import_error", 1, "it failed; add it", "v2/", "its message does not say 'no_such_module'"),
        ("import_error", 1, "no_such_module", "v2/", "its message does not say what to do"),
    ],
)
def test_a_push_is_held_to_its_exit_code_its_version_and_its_message(
    flaw: str | None, code: int, output: str, served: str, complaint: str
) -> None:
    push = ten_pushes.Push("it", flaw=flaw, says=("no_such_module",) if flaw else ())
    row = ten_pushes.Row(push, Outcome(code, output, 0, 0), "v2/", served, None)
    assert row.complaints == ([complaint] if complaint else [])


def test_there_are_ten_pushes_and_half_of_them_are_bad() -> None:
    assert len(ten_pushes.PUSHES) == 10
    assert len({push.name for push in ten_pushes.PUSHES}) == 10
    assert len([push for push in ten_pushes.PUSHES if not push.good]) == 5
