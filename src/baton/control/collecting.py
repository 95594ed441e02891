"""What is kept and what goes: slugs that can be rolled back to stay, the rest is collected."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from pathlib import Path

from django.db.models import Q
from django.utils import timezone

from baton.base.errors import BatonError
from baton.base.ids import is_uuid
from baton.base.paths import Home
from baton.build import Freed, Keep, collect
from baton.control import threads
from baton.control.models import App, Build, Dyno, LogSession, Release, Slug
from baton.control.outputs import place
from baton.control.states import Status

log = logging.getLogger(__name__)
KEPT_RELEASES = 10  # of each app, whose slugs stay
KEPT_OUTPUTS = 50  # of builds, and as many of release phases, an app
UPLOAD_AGE = timedelta(days=1)  # for a slug that the API got to be released
SESSION_AGE = timedelta(days=7)  # of records of one-off dynos and log sessions
OUTPUT_SECONDS = 3600  # younger output may belong to what began just now
_lock = threading.Lock()


class Slugs(frozenset[str]):
    """The slugs that something may need, asked of the records at the moment of each question.

    A build may end while others are being collected, so an answer from the beginning would be too old.
    """

    def __contains__(self, name: object) -> bool:
        text = str(name)
        return (
            is_uuid(text) and (slug := Slug.objects.filter(pk=text).first()) is not None and is_needed(slug)
        )


class Builds(frozenset[str]):
    """The builds that are not over."""

    def __contains__(self, name: object) -> bool:
        return is_uuid(str(name)) and Build.objects.filter(pk=str(name), status=Status.PENDING).exists()


def is_needed(slug: Slug) -> bool:
    """It is served, about to be, among the last that were (of any app), or was uploaded a short while ago."""
    releases = slug.releases.select_related("app")
    if not releases.exists():
        return timezone.now() - slug.created_at < UPLOAD_AGE
    if releases.filter(Q(status=Status.PENDING) | Q(current=True)).exists():
        return True
    return any(slug.pk in last_slugs(release.app) for release in releases.filter(status=Status.SUCCEEDED))


def last_slugs(app: App) -> set[object]:
    served = Release.objects.filter(app=app, status=Status.SUCCEEDED, slug__isnull=False).order_by("-version")
    return set(list(dict.fromkeys(served.values_list("slug", flat=True)))[:KEPT_RELEASES])


def run(home: Home) -> Freed:
    """Collects now, in the caller's thread."""
    keys = frozenset(App.objects.values_list("key", flat=True))
    freed = collect(home, Keep(slugs=Slugs(), builds=Builds(), keys=keys))
    for slug in Slug.objects.exclude(path=""):
        if not Path(slug.path).exists():
            Slug.objects.filter(pk=slug.pk).update(path="")
    _collect_outputs(home)
    old = timezone.now() - SESSION_AGE
    Dyno.objects.filter(created_at__lt=old).delete()
    LogSession.objects.filter(created_at__lt=old).delete()
    return freed


def _collect_outputs(home: Home) -> None:
    kept: set[str] = set()
    for app in App.objects.all():
        for records in (app.builds.all(), app.releases.all()):
            newest = records.order_by("-created_at").values_list("pk", flat=True)[:KEPT_OUTPUTS]
            kept |= {place(home, pk).name for pk in newest}
    folder = place(home, "x").parent
    for path in folder.iterdir() if folder.exists() else ():
        if path.name not in kept and time.time() - path.stat().st_mtime > OUTPUT_SECONDS:
            path.unlink(missing_ok=True)


def soon(home: Home) -> None:
    """Collects in a thread of its own, so that nobody's push waits for it."""
    threads.start(_collect, home)


def _collect(home: Home) -> None:
    if not _lock.acquire(blocking=False):
        return
    try:
        freed = run(home)
        if freed.paths:
            log.info("collected %d paths, %d MB", len(freed.paths), freed.size >> 20)
    except (BatonError, OSError):
        log.exception("collecting")
    finally:
        _lock.release()
