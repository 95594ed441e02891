"""How builds and releases end, each in one transaction.

What is current changes together with all that belongs to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from baton.base.paths import Home
from baton.control import configuration, formations, operations
from baton.control.models import App, Build, Operation, Release, Slug, User
from baton.control.states import Event, Outcome, Status, status_after


def current_release(app: App) -> Release | None:
    return app.releases.filter(current=True).select_related("slug", "user").first()


def open_release(
    operation: Operation, home: Home, slug: Slug | None, config: Mapping[str, str], description: str
) -> Release:
    """The next release of the operation's app, pending, written down with the operation that brings it."""
    with transaction.atomic():
        last = operation.app.releases.aggregate(last=Max("version"))["last"] or 0
        release = Release.objects.create(
            app=operation.app,
            version=last + 1,
            description=configuration.shortened(description),
            user_id=_user_of(operation),
            slug=slug,
            sealed_config=configuration.sealed(home, config),
        )
        operation.release = release
        operation.save(update_fields=["release", "updated_at"])
    return release


def finish_release(operation: Operation, home: Home) -> Release:
    """The release is served: it becomes current, and its config vars and formation become the app's."""
    release, app = _release_of(operation), operation.app
    with transaction.atomic():
        app.releases.filter(current=True).update(current=False)
        release.status = status_after(release.status, Outcome.SUCCEED)
        release.current = True
        release.save(update_fields=["status", "current", "updated_at"])
        configuration.replace(home, app, configuration.of_release(home, release))
        for row in formations.of_slug(app, release.slug):
            if row._state.adding:
                row.save()
        app.released_at = timezone.now()
        app.slug_size = release.slug.size if release.slug else None
        app.save(update_fields=["released_at", "slug_size", "updated_at"])
        operations.move(operation, Event.SERVE)
    return release


def fail(operation: Operation, reason: str) -> None:
    """Closes an operation as undone, with the build or the release that it was to bring."""
    if operation.kind == operations.Kind.BUILD:
        fail_build(operation, reason)
    else:
        fail_release(operation, reason)


def fail_release(operation: Operation, reason: str) -> None:
    with transaction.atomic():
        if operation.release and operation.release.status == Status.PENDING:
            operation.release.status = status_after(operation.release.status, Outcome.FAIL)
            operation.release.save(update_fields=["status", "updated_at"])
        operations.move(operation, Event.FAIL, reason[:4000])


def first_release(app: App, home: Home, user: User) -> Release:
    """v1 of every app: nothing to run, no config vars."""
    return Release.objects.create(
        app=app,
        version=1,
        status=Status.SUCCEEDED,
        current=True,
        description="Initial release",
        user=user,
        sealed_config=configuration.sealed(home, {}),
    )


def open_build(app: App, user: User, *, commit: str = "", source_url: str = "", version: str = "") -> Build:
    return Build.objects.create(
        app=app, user=user, commit=commit, source_url=source_url, version=version[:200]
    )


def record_slug(operation: Operation, build: Build, slug: Slug) -> None:
    with transaction.atomic():
        slug.save()
        build.slug = slug
        build.save(update_fields=["slug", "buildpacks", "updated_at"])
        operations.move(operation, Event.HAVE_SLUG)


def finish_build(operation: Operation, release: Release) -> None:
    build = _build_of(operation)
    with transaction.atomic():
        _end_build(build, Outcome.SUCCEED, release=release)
        operations.move(operation, Event.SERVE)


def fail_build(operation: Operation, reason: str) -> None:
    with transaction.atomic():
        if operation.build and operation.build.status == Status.PENDING:
            _end_build(operation.build, Outcome.FAIL, reason=reason)
        operations.move(operation, Event.FAIL, reason[:4000])


def fail_waiting_build(build: Build, reason: str) -> None:
    """A build whose turn never came."""
    if build.status == Status.PENDING:
        _end_build(build, Outcome.FAIL, reason=reason)


def _end_build(build: Build, outcome: Outcome, *, release: Release | None = None, reason: str = "") -> None:
    build.status = status_after(build.status, outcome)
    build.release = release
    build.error = configuration.shortened(reason.splitlines()[0] if reason else "")
    build.save(update_fields=["status", "release", "error", "updated_at"])


def _release_of(operation: Operation) -> Release:
    if operation.release is None:
        raise LookupError(f"operation {operation.pk} brings no release")
    return operation.release


def _user_of(operation: Operation) -> UUID:
    if operation.user_id is None:
        raise LookupError(f"operation {operation.pk} has no user")
    return operation.user_id


def _build_of(operation: Operation) -> Build:
    if operation.build is None:
        raise LookupError(f"operation {operation.pk} is no build")
    return operation.build
