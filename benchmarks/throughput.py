"""Requests a second through Baton's front door, against the same program alone and behind a plain nginx.

The same tree runs alone on a TCP port, behind a plain nginx, and as an app of Baton. Each round measures all
of them one after another, so that what else the machine does falls on all alike.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import memory, quiet, report, wrk
from benchmarks.apps import tree
from benchmarks.hand import answers, environment, free_port, nginx, proxy, start_web, web_command
from benchmarks.site import wait_for
from benchmarks.stage import OnBaton
from benchmarks.timings import must

# Kind of tree and command of the web process.
SERVERS = {
    "gunicorn sync, 3 workers": ("gunicorn", "gunicorn project.wsgi --workers 3"),
    "gunicorn gthread 2 x 4": ("gunicorn", "gunicorn project.wsgi --workers 2 --threads 4"),
    "granian WSGI": ("granian", ""),
    "uvicorn ASGI": ("uvicorn", ""),
}
ALONE, NGINX, BATON = "alone", "plain nginx", "Baton"


@dataclass
class Rates:
    """Requests a second, round by round, of one program in each of its places."""

    server: str
    by_place: dict[str, list[float]] = field(default_factory=dict)
    cpu: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    failed: Counter[str] = field(default_factory=Counter)

    def share(self, place: str, against: str = ALONE) -> float:
        """Median over the rounds of this place's rate against another's in the same round."""
        pairs = zip(self.by_place[place], self.by_place[against], strict=True)
        return statistics.median(one / other for one, other in pairs)


def run(
    make: Callable[[str], OnBaton],
    where: Path,
    rounds: int,
    seconds: int,
    servers: Mapping[str, tuple[str, str]] = SERVERS,
) -> list[Rates]:
    """`make` gives a fresh app on Baton by name."""
    return [
        _server(name, kind, command, make(f"speed-{number}"), where / str(number), rounds, seconds)
        for number, (name, (kind, command)) in enumerate(servers.items())
    ]


def _server(
    name: str, kind: str, command: str, site: OnBaton, where: Path, rounds: int, seconds: int
) -> Rates:
    files = tree(kind, "v1", release=False)
    if command:
        files["Procfile"] = f"web: {command}\n"
    must(site.push(files))
    programs = environment(where / "tree", files)
    port, front_port = free_port(), free_port()
    web = start_web(web_command(files), where / "tree", port, programs)
    front = nginx(where / "nginx", proxy(front_port, f"http://127.0.0.1:{port}"))
    places = {ALONE: ("app.localhost", port), NGINX: ("app.localhost", front_port)}
    target = site.target()
    places[BATON] = (target.host, target.port)
    try:
        for host, at in places.values():
            wait_for(lambda at=at, host=host: answers(at, host=host), name)  # type: ignore[misc]
        return _rounds(Rates(name), places, rounds, seconds, site.stage.keeper)
    finally:
        front.stop()
        web.stop()


def _rounds(
    rates: Rates, places: Mapping[str, tuple[str, int]], rounds: int, seconds: int, keeper: int
) -> Rates:
    for number in range(rounds):
        # Each round begins with another place, so that no place always has the warmest processor.
        order = [*places][number % len(places) :] + [*places][: number % len(places)]
        for place in order:
            host, port = places[place]
            quiet.wait()
            before = memory.cpu_by_part(memory.tree(keeper))
            found = wrk.measure(f"http://127.0.0.1:{port}/?nonce=n", host, seconds)
            rates.failed[place] += found.failed
            if place == BATON:
                rates.cpu += memory.cpu_by_part(memory.tree(keeper)) - before
                rates.requests += found.requests
            rates.by_place.setdefault(place, []).append(found.per_second)
    return rates


def promises(all_rates: list[Rates]) -> list[report.Promise]:
    """The default server against itself alone; and for each, that Baton costs no more than an nginx does.

    Where a server answers faster than nginx passes on, nginx itself costs a share of the processors.
    """
    default = all_rates[0]
    first = report.Promise(f"{default.server}, against alone", default.share(BATON), 0.95, at_least=True)
    what = "{}, against behind a plain nginx"
    others = (
        report.Promise(what.format(each.server), each.share(BATON, NGINX), 0.95, at_least=True)
        for each in all_rates
    )
    return [first, *others]


def show(all_rates: list[Rates]) -> None:
    rows = [
        (
            rates.server,
            *(f"{statistics.median(rates.by_place[place]):.0f}" for place in (ALONE, NGINX, BATON)),
            f"{rates.share(NGINX):.0%}",
            f"{rates.share(BATON):.0%}",
            f"{rates.share(BATON, NGINX):.0%}",
            "/".join(str(rates.failed[place]) for place in (ALONE, NGINX, BATON)),
        )
        for rates in all_rates
    ]
    columns = (
        "requests/s, median",
        ALONE,
        NGINX,
        BATON,
        "nginx / alone",
        "Baton / alone",
        "Baton / nginx",
        "failed",
    )
    report.table(f"throughput, wrk with {wrk.CONNECTIONS} kept-alive connections", columns, rows)
    parts = sorted({part for rates in all_rates for part in rates.cpu})
    costs = [
        (rates.server, *(f"{rates.cpu[part] / rates.requests * 1000:.2f}" for part in parts))
        for rates in all_rates
    ]
    report.table("processor ms a request on Baton, by part", ("", *parts), costs)
    quiet.say()
