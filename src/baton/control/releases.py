"""From a wanted release to a served one.

Recorded, its release phase run, handed over, made current, or marked failed.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from baton.base.errors import BatonError
from baton.build.request import StaticFiles
from baton.control import (
    collecting,
    configuration,
    formations,
    frontdoor,
    ledger,
    machine,
    operations,
    settling,
)
from baton.control.errors import Cancelled, ReleaseFailed
from baton.control.models import App, Operation, Release, Slug, User
from baton.control.operations import Kind
from baton.control.outputs import Output
from baton.control.specs import RELEASE_TYPE, spec_of
from baton.control.states import Event, Settlement, State, Status
from baton.control.turns import never, turn
from baton.run.errors import NotServing, RunError, SpecError, Superseded
from baton.run.specs import AppSpec

log = logging.getLogger(__name__)
PHASE_SECONDS = 3600  # Heroku's limit of a release phase
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


def spec_now(app: App) -> AppSpec | None:
    """What the supervisor should run according to the records; None for an app without a release."""
    release = ledger.current_release(app)
    return planned_spec(app, release, configuration.of_release(machine.home(), release)) if release else None


def planned_spec(app: App, release: Release, config: Mapping[str, str]) -> AppSpec:
    return spec_of(app, release, config, formations.of_slug(app, release.slug), frontdoor.hosts_of(app))


def tell(app: App, message: str) -> None:
    """A line in the app's own log, as Heroku's API writes them."""
    machine.supervisor().log(app.key, "app", "api", message)


def _bring(
    operation: Operation, release: Release, wanted: Wanted, say: Say, cancelled: Callable[[], bool]
) -> None:
    app = operation.app
    spec = planned_spec(app, release, wanted.config)
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
    status = machine.supervisor().run(
        spec,
        dyno,
        command,
        type=RELEASE_TYPE,
        env={},
        timeout=PHASE_SECONDS,
        on_output=lambda line: say(f"       {line}"),
        operation=str(operation.id),
        bound=True,
    )
    if cancelled():
        raise Cancelled("Cancelled during the release phase.")
    if status != 0:
        raise ReleaseFailed(
            f"The release command ended with status {status}: {command}",
            "Its output is above. Mend it and push again; what it changed in a database stays changed.",
        )


def _say_event(event: Mapping[str, object], say: Say) -> None:
    text = event.get("message")
    if isinstance(text, str):
        say(f"       {text}")


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

    Asks the supervisor what is served; None when it can't be asked either.
    """
    try:
        verdict = settling.settle(operation, machine.home(), machine.supervisor().status())
        if verdict is Settlement.UNDO:
            reapply(operation.app)
    except RunError:
        operations.disown(operation)
        return None
    return verdict


def reapply(app: App) -> None:
    """Has the supervisor run what the records say; changes nothing where it does already. Raises RunError."""
    spec = spec_now(app)
    if spec is not None:
        machine.supervisor().deploy(spec, f"{spec.release_id}-again", lambda event: None)


def _publish_before(app: App, release: Release) -> None:
    """The new release's static files, beside those of the last ones.

    The front door learns of a first static URL.
    """
    from baton.build.static import publish_static

    found = static_releases(app, release)
    if not found:
        return
    publish_static(machine.home(), app.key, found)
    before = ledger.current_release(app)
    if release.slug and release.slug.static and not (before and before.slug and before.slug.static):
        frontdoor.refresh({app.key: release.slug.static["url"]})


def static_releases(app: App, coming: Release | None = None) -> list[tuple[Path, StaticFiles]]:
    """Slugs and their static files of the last releases that were served, the newest first."""
    served = list(
        app.releases.filter(status=Status.SUCCEEDED)
        .order_by("-version")
        .select_related("slug")[: 3 * STATIC_RELEASES]
    )
    slugs = {
        r.slug.id: r.slug
        for r in ([coming] if coming else []) + served
        if r.slug and r.slug.path and r.slug.static
    }
    found = [(Path(slug.path), static_files(slug)) for slug in slugs.values()]
    return found[: STATIC_RELEASES + bool(coming)]


def static_files(slug: Slug) -> StaticFiles:
    assert slug.static is not None
    return StaticFiles(slug.static["url"], slug.static["directory"], tuple(slug.static["hashed"]))


def _tidy(app: App, say: Say) -> None:
    """After the flip.

    Nothing here can unserve the release, so an error is told and logged, and fails nothing.
    """
    from baton.build.static import publish_static

    steps = (
        frontdoor.refresh,
        lambda: publish_static(machine.home(), app.key, static_releases(app)),
    )
    for step in steps:
        try:
            step()
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
