"""The ten pushes under load: what is lost, what is served after each, and what each bad one says.

Ten ways to change a served application, five of them bad, one after another while an open loop of GET, POST,
requests of two seconds and WebSocket sessions goes through the front door. The same ten by hand show that the
load does find losses.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from benchmarks import report
from benchmarks.apps import ASGI_KINDS, EXTRA_REQUIREMENT, SETTING, tree
from benchmarks.load import Load, Tally
from benchmarks.load.tally import total
from benchmarks.site import Outcome, Site, wait_for

# After each push the load goes on, so that two-second requests and draining servers fall into its phase.
SETTLE_SECONDS = 3.0
STEADY_SECONDS = 3.0
SESSIONS = 5
ADVICE = re.compile(r"\b(push again|(baton|set|add|check|see|mend|fix|look|remove|correct|try|bind) )", re.I)


class Act(Enum):
    PUSH = "push"
    CONFIGURE = "configure"
    ROLLBACK = "rollback"
    RESTART = "restart"


@dataclass(frozen=True)
class Push:
    """One of the ten: what is done, and what its message has to name when it is bad."""

    name: str
    act: Act = Act.PUSH
    flaw: str | None = None
    requirements: tuple[str, ...] = ()
    says: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return self.flaw is None


PUSHES = (
    Push("a good one"),
    Push("a new dependency", requirements=(EXTRA_REQUIREMENT,)),
    Push("ImportError in settings", flaw="import_error", says=("no_such_module",)),
    Push("failing release command", flaw="release_fails", says=("cart_item", "release")),
    Push("binds, then crashes", flaw="crash_after_bind", says=("crash|H10|exited|exit code",)),
    Push("never binds", flaw="never_binds", says=("R10|bind|listen", r"PORT|60 seconds|boot")),
    Push("no such requirement", flaw="no_such_requirement", says=("idna",)),
    Push("config change", Act.CONFIGURE),
    Push("rollback", Act.ROLLBACK),
    Push("restart of the platform", Act.RESTART),
)


@dataclass
class Row:
    """What became of one push."""

    push: Push
    outcome: Outcome
    expected: str
    served: str
    switched: float | None
    tally: Tally = field(default_factory=lambda: Tally(""))

    @property
    def complaints(self) -> list[str]:
        """What was not as promised, besides what `tally` counted."""
        found = []
        if (self.outcome.code == 0) is not self.push.good:
            found.append(f"exit code {self.outcome.code}")
        if self.served != self.expected:
            found.append(f"{self.served} is served, not {self.expected}")
        missing = [each for each in self.push.says if not re.search(each, self.outcome.output, re.IGNORECASE)]
        found += [f"its message does not say {each!r}" for each in missing]
        if not self.push.good and not ADVICE.search(self.outcome.output):
            found.append("its message does not say what to do")
        return found

    @property
    def kept(self) -> bool:
        return not self.complaints and not self.tally.failed


class Course:
    """The ten pushes of one kind of application on one site."""

    def __init__(self, site: Site, kind: str, pushes: Sequence[Push] = PUSHES) -> None:
        self.site, self.kind, self.pushes = site, kind, pushes
        self.version, self.setting = 1, "one"
        self.served = self.tag(1)
        self.marked: tuple[int, str] = (0, "")
        self.rows: list[Row] = []

    def tag(self, version: int) -> str:
        return f"v{version}/{self.setting}"

    def run(self, rate: float) -> list[Row]:
        """Deploys a first version, then all pushes under `rate` requests a second."""
        self.site.configure(SETTING, self.setting)
        first = self.site.push(tree(self.kind, "v1"))
        if first.code:
            raise RuntimeError(f"the first push of {self.kind} failed:\n{first.output}")
        sessions = SESSIONS if self.kind in ASGI_KINDS else 0
        with Load(replace(self.site.target(), rate=rate, sessions=sessions)) as load:
            wait_for(lambda: load.first_seen(self.served) is not None, "the first version under load")
            load.phase("steady", self.served)
            time.sleep(STEADY_SECONDS)
            for push in self.pushes:
                self.rows.append(self._one(load, push))
        for row in self.rows:
            row.tally = load.total([row.push.name])
        return self.rows

    def _one(self, load: Load, push: Push) -> Row:
        act, expected = self._plan(push)
        load.phase(push.name, *dict.fromkeys((self.served, expected)))
        outcome = act()
        load.allow(expected)
        time.sleep(SETTLE_SECONDS)
        seen = load.first_seen(expected) if expected != self.served else None
        found = load.latest()
        if push.act is Act.PUSH and push.good and not self.marked[1]:
            self.marked = (self.site.release(), expected)
        self.served = expected
        return Row(push, outcome, expected, found, seen - outcome.began if seen else None)

    def _plan(self, push: Push) -> tuple[Callable[[], Outcome], str]:
        """What to do, and the tag that has to be served afterwards."""
        if push.act is Act.CONFIGURE:
            self.setting = "two"
            version = self.served.partition("/")[0]
            return lambda: self.site.configure(SETTING, "two"), f"{version}/two"
        if push.act is Act.ROLLBACK:
            release, tag = self.marked
            return lambda: self.site.rollback(release), tag
        if push.act is Act.RESTART:
            return self.site.restart_platform, self.served
        self.version += 1
        files = tree(self.kind, f"v{self.version}", push.flaw, requirements=push.requirements)
        return lambda: self.site.push(files), self.tag(self.version) if push.good else self.served


COLUMNS = (
    *("push", "sent", "lost", "wrong", "retried", "ws", "p50", "p99", "max", "slow max"),
    *("exit", "served", "seconds", "switched", ""),
)
EXPLAINED = """\
sent to slow max: the phase's requests, and their latency in ms from when they were due (slow: those of 2 s);
ws: WebSocket sessions and messages; retried: GETs that met a kept-alive connection as it was being closed;
seconds: until the push returned; switched: from its start to the first answer of the new version."""


def show(title: str, rows: Sequence[Row], strict: bool = True) -> None:
    """One line a push, and a line of totals; when `strict`, also what was not as promised."""
    whole = total([row.tally for row in rows])
    seconds = sum(row.outcome.seconds for row in rows)
    last = Row(Push("total"), Outcome(0, "", 0, seconds), "", "", None, whole)
    lines = [(*_line(row), "" if row.kept else "BROKEN" if strict else "bad") for row in rows]
    report.table(title, COLUMNS, [*lines, (*_line(last), "")])
    report.note(EXPLAINED)
    for row in rows:
        if not row.kept:
            _explain(row, strict)


def _explain(row: Row, strict: bool) -> None:
    for reason, count in row.tally.reasons.items():
        report.note(f"  {row.push.name}: {count} x {reason}")
    if not strict:
        return
    for failure in row.tally.failures[:3]:
        report.note(f"    {failure}")
    for complaint in row.complaints:
        report.note(f"  {row.push.name}: {complaint}")
    if row.complaints:
        report.note("    " + "\n    ".join(row.outcome.output.strip().splitlines()[-15:]))


def _line(row: Row) -> tuple[object, ...]:
    tally, ms = row.tally, report.milliseconds
    return (
        row.push.name,
        *(tally.sent, tally.lost, tally.wrong, tally.retried, f"{tally.sessions}/{tally.messages}"),
        *(ms(tally.percentile(0.5)), ms(tally.percentile(0.99)), ms(max(tally.latencies, default=0))),
        ms(max(tally.slow_latencies, default=0)),
        *(row.outcome.code, row.served, f"{row.outcome.seconds:.2f}"),
        "-" if row.switched is None else f"{row.switched:.2f}",
    )
