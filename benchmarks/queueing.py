"""One queue for all dynos against a router that picks one at random: how long the slowest requests take.

Four workers that take one request at a time. Requests of exponentially distributed length, 40 ms on average,
come at random, at a rate that keeps the workers busy for 80 % of the time. They wait rather than compute, so
that four workers at 80 % fit on two cores and only the queueing differs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from benchmarks import report
from benchmarks.apps import tree
from benchmarks.hand import answers, environment, free_port, nginx, start_web
from benchmarks.load import Load, Tally, Target
from benchmarks.load.plan import WAIT_MEAN_MS
from benchmarks.load.tally import total
from benchmarks.site import Site, wait_for
from benchmarks.timings import must

WORKERS = 4
SHARE = 0.8
COMMAND = "gunicorn project.wsgi --workers 1"
ONE_QUEUE, RANDOM = "Baton, one queue", "nginx, random"


def rate(overhead_ms: float) -> float:
    """Requests a second that keep WORKERS busy for SHARE of the time."""
    return SHARE * WORKERS * 1000 / (WAIT_MEAN_MS + overhead_ms)


def run(
    site: Site, scale: Callable[[int], None], where: Path, rounds: int, seconds: float
) -> dict[str, Tally]:
    """`scale` sets the number of web dynos of `site`. Returns all rounds of each way together."""
    files = tree("gunicorn", "v1", release=False) | {"Procfile": f"web: {COMMAND}\n"}
    must(site.push(files))
    scale(WORKERS)
    programs = environment(where / "tree", files)
    with ExitStack() as stack:
        ports = [free_port() for _ in range(WORKERS)]
        for port in ports:
            stack.callback(start_web(COMMAND, where / "tree", port, programs).stop)
        front_port = free_port()
        stack.callback(nginx(where / "nginx", _random(front_port, ports)).stop)
        targets = {ONE_QUEUE: site.target(), RANDOM: Target("app.localhost", front_port)}
        for port in (*ports, front_port):
            wait_for(lambda port=port: answers(port), "a worker by hand")  # type: ignore[misc]
        found: dict[str, list[Tally]] = {name: [] for name in targets}
        overhead = _overhead(targets[RANDOM])
        for _ in range(rounds):
            for name, target in targets.items():
                found[name].append(_round(target, rate(overhead), seconds))
    return {name: total(tallies, name) for name, tallies in found.items()}


def _overhead(target: Target) -> float:
    """What a request costs a worker besides its length, in ms: the median of requests that do not wait."""
    with Load(replace(target, rate=20, mix="get")) as load:
        wait_for(lambda: load.sent() >= 60, "requests that do not wait")
    return load.total().percentile(0.5) * 1000


def _round(target: Target, per_second: float, seconds: float) -> Tally:
    with Load(replace(target, rate=per_second, mix="wait", poisson=True)) as load:
        load.phase("measured")
        time.sleep(seconds)
    return load.total(["measured"])


def _random(port: int, ports: list[int]) -> str:
    servers = "".join(f"server 127.0.0.1:{each} max_fails=0;\n" for each in ports)
    return (
        f"upstream web {{ random; {servers} }}\nserver {{ listen 127.0.0.1:{port} backlog=2048;\n"
        "location / { proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Host $http_host;\n"
        'proxy_set_header Connection ""; proxy_next_upstream off; } }'
    )


def show(found: dict[str, Tally]) -> None:
    shares = (0.5, 0.9, 0.99, 1)
    rows = [
        (name, tally.sent, tally.failed, *(report.milliseconds(tally.percentile(share)) for share in shares))
        for name, tally in found.items()
    ]
    title = f"{WORKERS} single workers at {SHARE:.0%} load, requests of {WAIT_MEAN_MS:.0f} ms on average"
    report.table(title, ("ms", "requests", "failed", "p50", "p90", "p99", "slowest"), rows)


def promise(found: dict[str, Tally]) -> report.Promise:
    share = found[ONE_QUEUE].percentile(0.99) / found[RANDOM].percentile(0.99)
    return report.Promise("p99 with one queue, against random routing", share, 0.5)
