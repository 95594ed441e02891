"""`python -m benchmarks NAME`: the programs that measure what the design promises."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer

from benchmarks import memory as memory_figures
from benchmarks import queueing, report, timings
from benchmarks import static as static_files
from benchmarks import ten_pushes as pushes
from benchmarks import throughput as speeds
from benchmarks import wake as waking
from benchmarks.apps import KINDS
from benchmarks.hand import ByHand
from benchmarks.load import tally as counts
from benchmarks.site import Site
from benchmarks.stage import stage

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Measure what Baton promises, beside the usual ways, in one run. Each program starts a Baton of its "
    "own on loopback, prints a table and a verdict, and exits with 1 when a promise is broken.\n\n"
    "Example: python -m benchmarks ten_pushes --kinds gunicorn,port",
)

Rounds = Annotated[int, typer.Option(min=1, help="How often each is measured, in turn.")]
Seconds = Annotated[int, typer.Option(min=1, help="Length of one measurement.")]


@contextmanager
def by_hand() -> Iterator[tuple[Path, ExitStack]]:
    """A directory for what is run by hand, and a stack that ends it."""
    where = Path(tempfile.mkdtemp(prefix="bench-hand-", dir="/tmp"))
    try:
        with ExitStack() as stack:
            yield where, stack
    finally:
        shutil.rmtree(where, ignore_errors=True)


def a_site_by_hand(where: Path, stack: ExitStack) -> ByHand:
    site = ByHand(where / f"site-{len([*where.iterdir()])}")
    stack.callback(site.close)
    return site


@cli.command(name="ten_pushes")
def ten_pushes(
    kinds: Annotated[str, typer.Option(help="Sample applications, by comma.")] = ",".join(KINDS),
    rate: Annotated[float, typer.Option(help="Requests a second, whatever the answers take.")] = 200,
    hand: Annotated[bool, typer.Option(help="The same by hand for comparison (gunicorn only).")] = True,
) -> None:
    """Ten kinds of push under load: nothing lost, the right version served, every failure explained."""
    report.header("Ten pushes under load")
    broken, tallies = 0, []
    with stage() as baton:
        for kind in kinds.split(","):
            rows = pushes.Course(baton.app(), kind).run(rate)
            pushes.show(f"{kind} on Baton, {rate:g} requests/s", rows)
            broken += sum(not row.kept for row in rows)
            tallies += [row.tally for row in rows]
    if hand:
        with by_hand() as (where, stack):
            rows = pushes.Course(a_site_by_hand(where, stack), "gunicorn").run(rate)
            pushes.show(f"gunicorn by hand, {rate:g} requests/s", rows, strict=False)
    whole = counts.total(tallies)
    report.note(
        f"On Baton: {whole.sent} requests, {whole.sessions} WebSocket sessions, {whole.retried} retried."
    )
    raise typer.Exit(
        report.verdict(
            [
                report.Promise("requests and sessions lost", whole.lost, 0),
                report.Promise("wrong answers", whole.wrong, 0),
                report.Promise("pushes that did not end as promised", broken, 0),
            ]
        )
    )


@cli.command(name="redeploy")
def redeploy(rounds: Rounds = 7) -> None:
    """A push that changes no dependency, until it is served."""
    report.header("Redeploy, dependencies unchanged")
    with stage() as baton, by_hand() as (where, stack):
        found = [
            timing
            for release in (False, True)
            for timing in timings.redeploys([baton.app(), a_site_by_hand(where, stack)], rounds, release)
        ]
    timings.show("from git push to the first answer of the new version", found)
    kept = [timings.promise(found, "redeploy", "Baton", 1.5), timings.nothing_lost(found, "Baton")]
    raise typer.Exit(report.verdict(kept))


@cli.command(name="rollback")
def rollback(rounds: Rounds = 7) -> None:
    """A config change and a rollback, until they are served."""
    report.header("Config change and rollback")
    with stage() as baton, by_hand() as (where, stack):
        found = timings.changes([baton.app(), a_site_by_hand(where, stack)], rounds)
    timings.show("from the request to the first answer of the new version", found)
    kept = [timings.promise(found, what, "Baton", 1.0) for what in ("config change", "rollback")]
    raise typer.Exit(report.verdict([*kept, timings.nothing_lost(found, "Baton")]))


@cli.command(name="first_deploy")
def first_deploy(
    rounds: Annotated[int, typer.Option(min=1, max=timings.MOST_FIRST_DEPLOYS, help="New apps.")] = 3,
) -> None:
    """The first push of a Django application whose packages are in the cache, until it is served."""
    report.header("First deploy, warm package cache")
    with stage() as baton, by_hand() as (where, stack):
        makers: dict[str, Callable[[], Site]] = {
            "Baton": baton.app,
            "by hand": lambda: a_site_by_hand(where, stack),
        }
        found = timings.first_deploys(makers, rounds)
    timings.show("from git push to the first answer", found)
    raise typer.Exit(report.verdict([timings.promise(found, timings.FIRST, "Baton", 6.0)]))


@cli.command(name="throughput")
def throughput(rounds: Rounds = 5, seconds: Seconds = 4) -> None:
    """Requests a second through the front door, against the application server alone and a plain nginx."""
    report.header("Throughput")
    with stage() as baton, by_hand() as (where, _):
        found = speeds.run(baton.app, where, rounds, seconds)
    speeds.show(found)
    raise typer.Exit(report.verdict(speeds.promises(found)))


@cli.command(name="queue")
def queue(rounds: Rounds = 3, seconds: Seconds = 30) -> None:
    """Slowest requests with one queue for four dynos, against routing at random."""
    report.header("One queue, against random routing")
    with stage() as baton, by_hand() as (where, _):
        site = baton.app()
        found = queueing.run(site, site.scale, where, rounds, seconds)
    queueing.show(found)
    raise typer.Exit(report.verdict([queueing.promise(found)]))


@cli.command(name="static")
def static(rounds: Rounds = 5, seconds: Seconds = 3) -> None:
    """Static files from the front door, from a plain nginx, and from whitenoise."""
    report.header("Static files")
    with stage() as baton, by_hand() as (where, _):
        found = static_files.run(baton.app(), where, rounds, seconds)
    static_files.show(found)
    raise typer.Exit(report.verdict(static_files.promises(found)))


@cli.command(name="memory")
def memory() -> None:
    """What Baton itself takes, idle, with one app."""
    report.header("Memory, idle")
    with stage() as baton:
        timings.must(baton.app().push(waking.FILES))
        found = memory_figures.idle(baton.keeper)
    memory_figures.show(found)
    raise typer.Exit(report.verdict([report.Promise("Baton itself", memory_figures.own(found), 150, " MB")]))


@cli.command(name="wake")
def wake(rounds: Rounds = 5) -> None:
    """First byte of a sleeping application."""
    report.header("Waking a sleeping application")
    with stage(sleep_after=2) as baton, by_hand() as (where, _):
        site = baton.app()
        timings.must(site.push(waking.FILES))
        site.scale(1, "eco")
        found = waking.run(site, lambda: site.states() == ["idle"], where, rounds)
    waking.show(found)
    raise typer.Exit(report.verdict([waking.promise(found)]))


if __name__ == "__main__":
    cli(prog_name="python -m benchmarks")
