"""What is kept and what goes.

The slugs that can be rolled back to stay, everything else on disk is collected.
"""

from __future__ import annotations

import logging
import threading

from baton.base.errors import BatonError
from baton.base.paths import Home
from baton.control import threads
from baton.control.models import App, Operation, Release
from baton.control.states import Status

log = logging.getLogger(__name__)
KEPT_RELEASES = 10
KEPT_BUILDS = 50  # records with their output, an app
_lock = threading.Lock()


def kept_slugs() -> set[str]:
    """Ids of the slugs of each app's last releases that served, and of what is being brought."""
    kept = {
        str(slug)
        for slug in Operation.objects.filter(ended_at=None).values_list("build__slug", flat=True)
        if slug
    }
    kept |= {
        str(slug)
        for slug in Release.objects.filter(status=Status.PENDING).values_list("slug", flat=True)
        if slug
    }
    for app in App.objects.all():
        served = app.releases.filter(status=Status.SUCCEEDED, slug__isnull=False).order_by("-version")
        distinct = dict.fromkeys(str(slug) for slug in served.values_list("slug", flat=True))
        kept |= set(list(distinct)[:KEPT_RELEASES])
    return kept


def soon(home: Home) -> None:
    """Collects in a thread of its own, so that nobody's push waits for it."""
    threads.start(_collect, home)


def _collect(home: Home) -> None:
    if not _lock.acquire(blocking=False):
        return
    try:
        collect(home)
    except (BatonError, OSError):
        log.exception("collecting")
    finally:
        _lock.release()
