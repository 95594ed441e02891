"""What a start does first: finish or undo what the last process left open.

Then the supervisor is made to run what the records say.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

from baton.base.errors import BatonError
from baton.base.paths import Home
from baton.control import (
    applications,
    collecting,
    frontdoor,
    ledger,
    machine,
    operations,
    planning,
    repositories,
    settling,
    threads,
    trees,
)
from baton.control.models import App, Build, Operation
from baton.control.operations import Kind
from baton.control.states import State, Status
from baton.control.turns import turn
from baton.run.errors import RunError, Unavailable

log = logging.getLogger(__name__)
SUPERVISOR_SECONDS = 60
AT_ONCE = 4  # apps brought up together after a reboot


def recover(home: Home) -> list[UUID]:
    """Leaves no half-done operation, app or file, and the front door in place. Raises BatonError.

    To be called before anything is served. The apps that it returns are left to `bring_up`, which takes as
    long as their hand-overs do.
    """
    repositories.install_hook(home)
    status = supervisor_status()
    standing = dead_operations()
    settle_quick(standing)
    fail_waiting_builds()
    sweep(home)
    frontdoor.register()
    for app in App.objects.exclude(destroyed_at=None):
        applications.finish_destroying(app)
    for app in App.objects.filter(destroyed_at=None):
        repositories.create(home, app.key)
    touched = {operation.app_id for operation in standing}
    return [
        app.pk
        for app in App.objects.filter(destroyed_at=None)
        if app.pk in touched or not planning.agrees(app, status)
    ]


def supervisor_status() -> Mapping[str, Any]:
    """What is served; at a machine's start the supervisor may be a moment behind us. Raises Unavailable."""
    deadline = time.monotonic() + SUPERVISOR_SECONDS
    while True:
        try:
            return machine.supervisor().status()
        except Unavailable:
            if time.monotonic() > deadline:
                raise


def dead_operations() -> list[Operation]:
    return [operation for operation in operations.open_operations() if not operations.is_owned(operation)]


def settle_quick(standing: list[Operation]) -> None:
    """All but hand-overs, which may go on for a minute, and the builds that ordered those."""
    handed = {operation.app_id for operation in standing if operation.state == State.HANDING_OVER}
    changes_first = sorted(standing, key=lambda operation: operation.kind == Kind.BUILD)
    for operation in changes_first:
        if operation.app_id not in handed:
            settling.settle(operation, reapply=False)


def fail_waiting_builds() -> None:
    """Builds that waited for their turn in a process that is gone."""
    running = Operation.objects.filter(ended_at=None, build__isnull=False).values("build")
    for build in Build.objects.filter(status=Status.PENDING).exclude(pk__in=running):
        ledger.fail_waiting_build(build, settling.REASON)


def sweep(home: Home) -> None:
    """Directories of builds that no open operation has."""
    open_builds = {str(pk) for pk in Operation.objects.filter(ended_at=None).values_list("build", flat=True)}
    for folder in home.builds.iterdir() if home.builds.exists() else ():
        if folder.name not in open_builds and not folder.name.startswith("."):
            trees.remove(folder)


def bring_up(home: Home, apps: list[UUID]) -> None:
    """Settles the hand-overs of these apps, and has the supervisor run their current releases."""
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="bring-up") as pool:
        list(pool.map(threads.closing(_bring_up), apps))
    collecting.soon(home)


def _bring_up(pk: UUID) -> None:
    app = App.objects.filter(pk=pk, destroyed_at=None).first()
    if app is None:
        return
    try:
        with turn(app, Kind.RESTART, None, say=log.info):
            planning.reapply(app)
        for operation in operations.open_operations(app).filter(kind=Kind.BUILD):
            if not operations.is_owned(operation):
                settling.settle(operation)
    except RunError as error:
        log.error("%s does not come up: %s", app.name, error)
    except BatonError:
        log.exception("%s does not come up", app.name)
