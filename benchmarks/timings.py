"""How long a change takes until it is served: first deploy, redeploy, config change, rollback.

Each figure goes from the start of the command to the first answer of the new version through the front door,
seen by a load of 100 requests/s, on Baton and by hand in turn.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from benchmarks import quiet, report
from benchmarks.apps import SETTING, tree
from benchmarks.load import Load
from benchmarks.site import Outcome, Site, wait_for

RATE = 100.0
FIRST = "first deploy"

# One of them more in each first deploy: no round's environment can be the one that an earlier round made.
SMALL_REQUIREMENTS = ("iniconfig==2.3.1", "pathspec==1.1.1", "attrs==26.1.0", "urllib3==2.8.0", "idna==3.20")
MOST_FIRST_DEPLOYS = len(SMALL_REQUIREMENTS)


@dataclass
class Timing:
    """The rounds of one kind of change on one site. Seconds."""

    what: str
    site: str
    served: list[float] = field(default_factory=list)
    returned: list[float] = field(default_factory=list)
    lost: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def median(self) -> float:
        return statistics.median(self.served)

    def measure(self, site: Site, tag: str, act: Callable[[], Outcome]) -> None:
        """One round: `act` under load until `tag` answers. Raises RuntimeError or TimeoutError."""
        quiet.wait()
        with Load(replace(site.target(), rate=RATE, mix="get")) as load:
            wait_for(lambda: load.sent() > RATE / 5, "the load")
            load.phase("change")
            outcome = must(act())
            wait_for(lambda: load.first_seen(tag) is not None, f"{tag} on {self.site} after {self.what}")
            self.served.append((load.first_seen(tag) or 0.0) - outcome.began)
        self.returned.append(outcome.seconds)
        counted = load.total(["change"])
        self.lost += counted.failed
        self.failures += counted.failures


def must(outcome: Outcome) -> Outcome:
    if outcome.code:
        raise RuntimeError(f"a deploy that has to work failed:\n{outcome.output}")
    return outcome


def redeploys(sites: Iterable[Site], rounds: int, release: bool) -> list[Timing]:
    """Pushes that change no dependency, in turn on each site."""
    what = "redeploy, with a release command" if release else "redeploy"
    timings = [(site, Timing(what, site.name)) for site in sites]
    for site, _ in timings:
        must(site.push(tree("gunicorn", "v1", release=release)))
    for number in range(2, rounds + 2):
        files = tree("gunicorn", f"v{number}", release=release)
        for site, timing in timings:
            timing.measure(site, f"v{number}/", partial(site.push, files))
    return [timing for _, timing in timings]


def first_deploys(make: Mapping[str, Callable[[], Site]], rounds: int) -> list[Timing]:
    """First pushes of new applications: packages are in the cache, the environment is not yet made."""
    timings = {name: Timing(FIRST, name) for name in make}
    for new in make.values():
        must(new().push(tree("gunicorn", "v0", requirements=SMALL_REQUIREMENTS)))
    for number in range(rounds):
        files = tree("gunicorn", f"v{number}", requirements=SMALL_REQUIREMENTS[number : number + 1])
        for name, new in make.items():
            site = new()
            timings[name].measure(site, f"v{number}/", partial(site.push, files))
    return list(timings.values())


def changes(sites: Iterable[Site], rounds: int) -> list[Timing]:
    """A config change and the rollback behind it, round by round, in turn on each site."""
    pairs = [(site, Timing("config change", site.name), Timing("rollback", site.name)) for site in sites]
    for site, _, _ in pairs:
        must(site.configure(SETTING, "calm"))
        must(site.push(tree("gunicorn", "v1")))
    for number in range(rounds):
        for site, config, back in pairs:
            before = site.release()
            config.measure(site, f"v1/n{number}", partial(site.configure, SETTING, f"n{number}"))
            back.measure(site, "v1/calm", partial(site.rollback, before))
    return [timing for _, *both in pairs for timing in both]


def show(title: str, timings: Sequence[Timing]) -> None:
    spread = report.spread
    rows = [
        (
            f"{each.what}: {each.site}",
            len(each.served),
            spread(each.served),
            spread(each.returned),
            _lost(each),
        )
        for each in timings
    ]
    report.table(
        title, ("median (range) in seconds", "rounds", "served after", "returned after", "lost"), rows
    )
    for each in timings:
        # By hand every change interrupts; that is what the column says.
        if each.site == "Baton" and each.what != FIRST:
            for failure in each.failures[:5]:
                report.note(f"  {each.what}: {failure}")
    quiet.say()


def promise(timings: Iterable[Timing], what: str, site: str, limit: float) -> report.Promise:
    found = next(each.median for each in timings if (each.what, each.site) == (what, site))
    return report.Promise(f"{what}, median until served", found, limit, " s")


def nothing_lost(timings: Iterable[Timing], site: str) -> report.Promise:
    lost = sum(each.lost for each in timings if each.site == site)
    return report.Promise("requests lost meanwhile", lost, 0)


def _lost(timing: Timing) -> str:
    """Before a first deploy there is nothing that could answer."""
    return "-" if timing.what == FIRST else str(timing.lost)
