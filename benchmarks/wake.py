"""Waking a sleeping app: from the request to the first byte, against starting gunicorn by hand."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import quiet, report
from benchmarks.apps import tree
from benchmarks.hand import answers, environment, free_port, start_web, web_command
from benchmarks.site import Site, wait_for

FILES = tree("gunicorn", "v1", release=False)


def run(site: Site, asleep: Callable[[], bool], where: Path, rounds: int) -> dict[str, list[float]]:
    """`asleep` says whether the app of `site`, which has FILES and sleeps soon, does. Seconds by way."""
    programs = environment(where / "tree", FILES)
    found: dict[str, list[float]] = {
        "Baton, asleep": [],
        "Baton, awake": [],
        "gunicorn from nothing, by hand": [],
    }
    for _ in range(rounds):
        wait_for(asleep, "sleep", 120)
        quiet.wait()
        found["Baton, asleep"].append(first_byte(site.target().host, site.target().port))
        found["Baton, awake"].append(first_byte(site.target().host, site.target().port))
        found["gunicorn from nothing, by hand"].append(_by_hand(where / "tree", programs))
    return found


def first_byte(host: str, port: int) -> float:
    """Seconds from connecting to the first byte of a 200."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/?nonce=n", headers={"Host": host})
    answer = connection.getresponse()
    seconds = time.monotonic() - began
    answer.read()
    connection.close()
    if answer.status != 200:
        raise RuntimeError(f"{host} should answer 200 and answered {answer.status}")
    return seconds


def _by_hand(where: Path, programs: Path) -> float:
    port = free_port()
    began = time.monotonic()
    web = start_web(web_command(FILES), where, port, programs)
    try:
        wait_for(lambda: answers(port), "gunicorn by hand")
        return time.monotonic() - began
    finally:
        web.stop()


def show(found: dict[str, list[float]]) -> None:
    figures = (statistics.median, min, max)
    rows = [
        (name, len(each), *(report.milliseconds(figure(each)) for figure in figures))
        for name, each in found.items()
    ]
    report.table("first byte, ms", ("", "rounds", "median", "least", "most"), rows)
    quiet.say()


def promise(found: dict[str, list[float]]) -> report.Promise:
    median = statistics.median(found["Baton, asleep"]) * 1000
    return report.Promise("first byte of a sleeping Django app, median", median, 150, " ms")
