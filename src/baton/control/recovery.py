"""What a start does first.

Finish or undo what the last process left open, then have everything run as the records say.
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from baton.base.errors import BatonError
from baton.base.paths import Home
from baton.control import (
    applications,
    frontdoor,
    ledger,
    machine,
    operations,
    releases,
    repositories,
    settling,
    threads,
    trees,
)
from baton.control.errors import Conflict
from baton.control.models import App, Build, Operation
from baton.control.operations import Kind
from baton.control.states import Status
from baton.control.turns import turn
from baton.run.errors import RunError, Unavailable

log = logging.getLogger(__name__)
SUPERVISOR_SECONDS = 60
AT_ONCE = 4  # apps brought up together after a reboot


def recover(home: Home) -> None:
    """Leaves no half-done operation, app or file, and the front door in place. Raises BatonError.

    To be called before anything is served. Does not wait for the apps' dynos: see `reapply_all`.
    """
    repositories.install_hook(home)
    status = _status()
    settle_all(home, status)
    finish_waiting_builds()
    sweep(home)
    frontdoor.register()
    for app in App.objects.exclude(destroyed_at=None):
        applications.finish_destroying(app)
    for app in App.objects.filter(destroyed_at=None):
        repositories.create(home, app.key)


def _status() -> dict[str, object]:
    """What the supervisor serves; at a machine's start it may be a moment behind us."""
    deadline = time.monotonic() + SUPERVISOR_SECONDS
    while True:
        try:
            return machine.supervisor().status()
        except Unavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def settle_all(home: Home, status: dict[str, object]) -> None:
    """Releases before the builds that brought them."""
    standing = [each for each in operations.open_operations() if not operations.is_owned(each)]
    for operation in sorted(standing, key=lambda each: each.kind == Kind.BUILD):
        settling.settle(operation, home, status)


def finish_waiting_builds() -> None:
    """Builds that waited for their turn in a process that is gone."""
    running = Operation.objects.filter(ended_at=None, build__isnull=False).values("build")
    for build in Build.objects.filter(status=Status.PENDING).exclude(pk__in=running):
        ledger.fail_waiting_build(build, settling.REASON)


def sweep(home: Home) -> None:
    """Directories of builds that no open operation has."""
    open_builds = {str(pk) for pk in Operation.objects.filter(ended_at=None).values_list("build", flat=True)}
    for folder in home.builds.iterdir() if home.builds.exists() else ():
        if folder.name not in open_builds:
            trees.remove(folder)


def reapply_all() -> None:
    """Every app's current release to the supervisor, which does nothing where it serves it already."""
    keys = list(App.objects.filter(destroyed_at=None).order_by("number").values_list("pk", flat=True))
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="reapply") as pool:
        for key in keys:
            pool.submit(threads.closing(_reapply), key)


def _reapply(pk: UUID) -> None:
    app = App.objects.filter(pk=pk, destroyed_at=None).first()
    if app is None:
        return
    try:
        with turn(app, Kind.RESTART, None):
            releases.reapply(app)
    except Conflict:
        log.info("%s is being changed, which brings it up", app.name)
    except RunError as error:
        log.error("%s does not come up: %s", app.name, error)
    except BatonError:
        log.exception("%s does not come up", app.name)
