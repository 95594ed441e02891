"""An operation whose owner died is finished when what it was to bring is served, and undone otherwise."""

from __future__ import annotations

import logging

from baton.base.paths import Home
from baton.control import ledger, machine, operations, planning, trees
from baton.control.models import Build, Operation, Release
from baton.control.operations import Kind
from baton.control.states import Settlement, State, Status, settlement
from baton.run.errors import RunError, Unavailable

log = logging.getLogger(__name__)
REASON = "Baton was restarted before this was finished; what was served is served still. Do it again."


def settle(operation: Operation, *, reapply: bool = True) -> Settlement | None:
    """Closes it; None when another thread or process is at it already. Raises Unavailable.

    Takes as long as a hand-over that is still going on. `reapply`: after undoing a change, have the
    supervisor run what the records say.
    """
    if not operations.claim(operation):
        return None
    try:
        if operation.kind == Kind.BUILD:
            verdict = _settle_build(operation)
        else:
            verdict = _settle_change(operation, reapply)
    except BaseException:
        operations.disown(operation)
        raise
    log.info("%s %s of %s: %s", operation.kind, operation.pk, operation.app.name, verdict)
    return verdict


def _settle_change(operation: Operation, reapply: bool) -> Settlement:
    verdict = settlement(operation.state, operation.state == State.HANDING_OVER and is_served(operation))
    if verdict is Settlement.FINISH:
        ledger.finish_release(operation, machine.home())
    else:
        ledger.fail(operation, REASON)
        if reapply:
            planning.reapply(operation.app)
    return verdict


def is_served(operation: Operation) -> bool:
    """How the hand-over ended.

    One that goes on is joined; one that was lost with the supervisor is done now.
    """
    app, release = operation.app, operation.release
    if release is None or app.destroyed_at is not None:
        return False
    try:
        machine.supervisor().deploy(planning.spec_of_release(app, release), str(operation.id))
    except Unavailable:
        raise
    except RunError as error:
        log.info("%s of %s: %s", operation.pk, app.name, error.code)
        return False
    return True


def _settle_build(operation: Operation) -> Settlement:
    """After the change that it ordered, if it got that far."""
    for change in operations.open_operations(operation.app).exclude(kind=Kind.BUILD):
        if change.user_id == operation.user_id and not operations.is_owned(change):
            settle(change)
    build = operation.build
    release = _release_of(build)
    verdict = settlement(operation.state, release is not None)
    if verdict is Settlement.FINISH and release is not None:
        ledger.finish_build(operation, release)
    else:
        ledger.fail(operation, REASON)
    if build is not None:
        discard(build, machine.home())
    return verdict


def _release_of(build: Build | None) -> Release | None:
    if build is None or build.slug is None:
        return None
    return build.slug.releases.filter(app=build.app, status=Status.SUCCEEDED).order_by("-version").first()


def discard(build: Build, home: Home) -> None:
    """What a build leaves on disk besides its slug; and the slug's directory when it was not completed."""
    trees.remove(home.builds / str(build.id))
    if build.slug is None:
        trees.remove(home.slugs / str(build.id))
