"""From a wanted release to a served one.

Recorded, its release phase run, handed over, made current, or marked failed.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from baton.base.errors import BatonError
from baton.build import StaticFiles, publish_static
from baton.control import (
    collecting,
    frontdoor,
    ledger,
    machine,
    operations,
    planning,
    settling,
)
from baton.control.errors import Cancelled, ReleaseFailed
from baton.control.models import App, Operation, Release, Slug, User
from baton.control.operations import Kind
from baton.control.outputs import Output
from baton.control.specs import RELEASE_TYPE
from baton.control.states import Event, Settlement, State, Status
from baton.control.turns import never, turn
from baton.run.errors import NotServing, RunError, SpecError, Superseded
from baton.run.specs import AppSpec

log = logging.getLogger(__name__)
PHASE_SECONDS = 3600  # Heroku's limit of a release phase
CANCEL_POLL_SECONDS = 0.5
STATIC_RELEASES = 3  # whose static files stay reachable
Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What the next release is to be. `phase`: whether its release command runs before it is handed over."""

    slug: Slug | None
    config: Mapping[str, str]
    description: str
    phase: bool = True


def quiet(_line: str) -> None:
    """For those who read the outcome instead."""


def make(
    app: App,
    user: User,
    choose: Callable[[Release | None], Wanted],
    *,
    say: Say | None = None,
    cancelled: Callable[[], bool] = never,
) -> Release:
    """A new release, served when this returns. `choose` gets the current release once it is our turn.

    With `say`, waits for its turn as long as it takes. Raises ReleaseFailed: what was served before is
    served still.
    """
    with turn(app, Kind.RELEASE, user, say=say, cancelled=cancelled) as operation:
        before = ledger.current_release(app)
        wanted = choose(before)
        home = machine.home()
        release = ledger.open_release(operation, home, wanted.slug, wanted.config, wanted.description)
        tell(app, f"{release.description} by user {user.email}")
        tell(app, f"Release v{release.version} created by user {user.email}")
        output = Output(home, release.id)
        try:
            _bring(operation, release, wanted, _both(output, say or quiet), cancelled)
        except Exception as error:
            shown = _after_error(operation, before, error)
            if shown is not None:
                raise shown from error
        finally:
            output.close()
    _tidy(app, say or quiet)
    return release


def tell(app: App, message: str) -> None:
    """A line in the app's own log, as Heroku's API writes them."""
    machine.supervisor().log(app.key, "app", "api", message)


def _bring(
    operation: Operation, release: Release, wanted: Wanted, say: Say, cancelled: Callable[[], bool]
) -> None:
    app = operation.app
    spec = planning.spec_of_release(app, release)
    if wanted.phase and wanted.slug and RELEASE_TYPE in wanted.slug.process_types:
        operations.move(operation, Event.START_PHASE)
        _run_phase(operation, spec, wanted.slug.process_types[RELEASE_TYPE], say, cancelled)
    if cancelled():
        raise Cancelled("Cancelled before the hand-over.")
    _publish_before(app, release)
    operations.move(operation, Event.HAND_OVER)
    machine.supervisor().deploy(spec, str(operation.id), lambda event: _say_event(event, say))
    ledger.finish_release(operation, machine.home())


def _run_phase(
    operation: Operation, spec: AppSpec, command: str, say: Say, cancelled: Callable[[], bool]
) -> None:
    dyno = f"{RELEASE_TYPE}.{secrets.randbelow(9000) + 1000}"
    say("-----> Running release command...")
    supervisor = machine.supervisor()
    with _stopping(cancelled, lambda: supervisor.stop(spec.key, dyno)):
        status = supervisor.run(
            spec,
            dyno,
            command,
            type=RELEASE_TYPE,
            timeout=PHASE_SECONDS,
            on_output=lambda line: say(f"       {line}"),
            operation=f"{operation.id}-phase",
        )
    if cancelled():
        raise Cancelled("Cancelled during the release phase.")
    if status != 0:
        raise ReleaseFailed(
            f"The release command ended with status {status}: {command}",
            f"Its output: baton releases:output v{spec.release}. What it did to a database stays done.",
        )


@contextmanager
def _stopping(cancelled: Callable[[], bool], stop: Callable[[], None]) -> Iterator[None]:
    """Calls `stop` once when `cancelled` comes true during the block, which may be silent for an hour."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(CANCEL_POLL_SECONDS):
            if cancelled():
                with suppress(RunError):  # it has just ended by itself
                    stop()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _say_event(event: Mapping[str, object], say: Say) -> None:
    if event.get("event") == "booting":
        say(f"       Starting web dynos: {event['quantity']}")


def _after_error(operation: Operation, before: Release | None, error: Exception) -> Exception | None:
    """Closes the operation as what is served demands.

    The error to be shown; None when the release is served after all.
    """
    app = operation.app
    if operation.state == State.HANDING_OVER and not isinstance(error, NotServing | SpecError | Superseded):
        if _settle(operation) is Settlement.FINISH:
            return None
    else:
        ledger.fail_release(operation, str(error))
    if isinstance(error, Cancelled) or not isinstance(error, BatonError):
        return error
    version = operation.release.version if operation.release else 0
    still = f"v{before.version} is served still." if before and before.slug else "Nothing is served yet."
    tell(app, f"Release v{version} failed")
    return ReleaseFailed(f"Release v{version} failed: {error}", still)


def _settle(operation: Operation) -> Settlement | None:
    """When the answer to a hand-over was lost.

    Asks the supervisor how it ended; None when it can't be asked, and the next one whose turn it is will ask.
    """
    operations.disown(operation)
    operation.refresh_from_db()
    try:
        return settling.settle(operation)
    except RunError:
        return None


def _publish_before(app: App, release: Release) -> None:
    """The new release's static files, beside those of the last ones.

    The front door learns of a first static URL.
    """
    found = static_releases(app, release)
    if not found:
        return
    publish_static(machine.home(), app.key, found)
    before = ledger.current_release(app)
    if release.slug and release.slug.static and not (before and before.slug and before.slug.static):
        frontdoor.refresh({app.key: release.slug.static["url"]})


def static_releases(app: App, coming: Release) -> list[tuple[Path, StaticFiles]]:
    """Slugs and static files of the coming release and of the last ones that were served, newest first."""
    served = app.releases.filter(status=Status.SUCCEEDED).order_by("-version").select_related("slug")
    releases = (coming, *served[: 3 * STATIC_RELEASES])
    slugs = {r.slug.id: r.slug for r in releases if r.slug and r.slug.path and r.slug.static}
    return [(Path(slug.path), static_files(slug)) for slug in list(slugs.values())[:STATIC_RELEASES]]


def static_files(slug: Slug) -> StaticFiles:
    assert slug.static is not None
    return StaticFiles(slug.static["url"], slug.static["directory"], tuple(slug.static["hashed"]))


def _tidy(app: App, say: Say) -> None:
    """After the flip.

    Nothing here can unserve the release, so an error is told and logged, and fails nothing.
    """
    try:
        frontdoor.refresh()
    except (BatonError, OSError) as error:
        log.exception("after a release of %s", app.name)
        for line in str(error).splitlines():
            say(f" !     {line}")
    collecting.soon(machine.home())


def _both(output: Output, say: Say) -> Say:
    def write(line: str) -> None:
        output.write(line)
        say(line)

    return write
