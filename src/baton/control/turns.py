"""Whose turn it is.

One build and one other change an app at a time. Who waits is told for whom, and how long already.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from baton.control import ledger, operations, settling
from baton.control.errors import Cancelled, Conflict, NotFound
from baton.control.models import App, Build, Operation, User
from baton.control.operations import Busy, Kind

POLL_SECONDS = 0.25
SAY_SECONDS = 5.0
PATIENCE_SECONDS = 10.0  # of an API request; a push waits as long as its client does


def never() -> bool:
    return False


@contextmanager
def turn(
    app: App,
    kind: Kind,
    user: User | None,
    *,
    build: Build | None = None,
    say: Callable[[str], None] | None = None,
    cancelled: Callable[[], bool] = never,
) -> Iterator[Operation]:
    """An open operation for the time of the block; whatever the block raises closes it as undone.

    With `say`, waits without end and speaks every few seconds; without, waits briefly and raises Conflict.
    Raises Cancelled, NotFound when the app was destroyed meanwhile.
    """
    operation = _wait(app, kind, user, build, say, cancelled)
    try:
        app.refresh_from_db()
        if app.destroyed_at and kind != Kind.DESTROY:
            raise NotFound(f"{app.name} is being destroyed.")
        yield operation
    except BaseException as error:
        if operation.ended_at is None and operations.is_owned(operation):
            ledger.fail(operation, str(error) or type(error).__name__)
        raise
    operations.close(operation)


def _wait(  # noqa: PLR0917 - one call, just above
    app: App,
    kind: Kind,
    user: User | None,
    build: Build | None,
    say: Callable[[str], None] | None,
    cancelled: Callable[[], bool],
) -> Operation:
    began, said = time.monotonic(), 0.0
    while True:
        try:
            return operations.begin(app, kind, user, build)
        except Busy as busy:
            standing = busy.operation
        except App.DoesNotExist as error:
            raise NotFound(f"{app.name} was destroyed.") from error
        if not operations.is_owned(standing):
            settling.settle(standing)
            continue
        if cancelled():
            raise Cancelled("Cancelled while waiting for its turn; nothing was changed.")
        now = time.monotonic()
        if say is None and now - began > PATIENCE_SECONDS:
            raise Conflict(
                f"{app.name} is busy: {operations.describe(standing)}.",
                "Wait for it, or cancel it: baton builds:cancel"
                if standing.kind == Kind.BUILD
                else "Wait for it and try again.",
            )
        if say is not None and now - said > SAY_SECONDS:
            said = now
            say(f"-----> Waiting for {operations.describe(standing)}...")
        time.sleep(POLL_SECONDS)
