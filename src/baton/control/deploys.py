"""Every order that the API and git give, in one place.

Each is synchronous and raises `Refused` with the reason. It writes down what it is about to do, does it
through the rooms below, and returns the changed record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from django.db import transaction

from baton.base.errors import BatonError
from baton.control import (
    applications,
    builds,
    configuration,
    formations,
    frontdoor,
    ledger,
    machine,
    oneoffs,
    operations,
    outputs,
    releases,
)
from baton.control.errors import Cancelled, Conflict, Invalid, NotFound, Refused
from baton.control.models import App, Build, Dyno, Formation, Release, Slug, User
from baton.control.operations import Kind
from baton.control.specs import spec_of
from baton.control.states import Status
from baton.control.turns import turn
from baton.run.errors import Unavailable, UnknownApp, UnknownDyno

P = ParamSpec("P")
T = TypeVar("T")


def _order(work: Callable[P, T]) -> Callable[P, T]:
    """What the rooms below raise, as a Refused that Heroku's clients understand."""

    @wraps(work)
    def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except Refused:
            raise
        except (UnknownApp, UnknownDyno) as error:
            raise NotFound(error.message, error.hint) from error
        except Unavailable as error:
            raise Refused(error.message, error.hint, code="service_unavailable", status=503) from error
        except Cancelled as error:
            raise Conflict(error.message, error.hint) from error
        except BatonError as error:
            raise Invalid(str(error)) from error

    return inner


@_order
def create_app(user: User, name: str | None, *, stack: str | None = None, region: str | None = None) -> App:
    return applications.create(user, name, stack=stack, region=region)


@_order
def destroy_app(app: App, user: User) -> None:
    applications.destroy(app, user)


@_order
def rename_app(app: App, name: str, user: User) -> None:
    applications.rename(app, name, user)


@_order
def set_config(app: App, changes: Mapping[str, str | None], user: User) -> Release | None:
    """The release that the change made.

    None when nothing changes. When it fails, the config vars are as before.
    """
    return _change_config(app, changes, user, "", ours=False)


@_order
def set_addon_config(
    app: App, changes: Mapping[str, str | None], user: User, description: str
) -> Release | None:
    """As set_config for what an add-on owns: HEROKU_ names are allowed, and no release phase runs."""
    return _change_config(app, changes, user, description, ours=True)


def _change_config(
    app: App, changes: Mapping[str, str | None], user: User, description: str, *, ours: bool
) -> Release | None:
    before = config(app)
    if configuration.after(before, changes, ours=ours) == before:
        return None

    def choose(current: Release | None) -> releases.Wanted:
        now = config(app)
        words = description or configuration.description(now, changes)
        return releases.Wanted(
            current.slug if current else None,
            configuration.after(now, changes, ours=ours),
            words,
            phase=not ours,
        )

    return releases.make(app, user, choose)


def config(app: App) -> dict[str, str]:
    return configuration.current(machine.home(), app)


def release_config(release: Release) -> dict[str, str]:
    """The config vars that a release ran or runs with."""
    return configuration.of_release(machine.home(), release)


@_order
def build_from_source(
    app: App, source_url: str, version: str, user: User, buildpacks: Sequence[str] | None = None
) -> Build:
    """Starts a build of the tar.gz at `source_url` in a thread; its record is pending when this returns."""
    return builds.from_source(app, source_url, version, user, buildpacks)


@_order
def cancel_build(build: Build, user: User) -> None:
    builds.cancel(build, user)


@_order
def release_slug(app: App, slug: Slug, user: User, description: str | None = None) -> Release:
    if not slug.path:
        raise Invalid(
            "The slug has no files: they were not uploaded, or were collected.", "Upload it, or build again."
        )
    words = description or f"Deploy {slug.commit[:8] or str(slug.id)[:8]}"
    return releases.make(app, user, lambda current: releases.Wanted(slug, config(app), words))


@_order
def rollback(app: App, release: Release, user: User) -> Release:
    """A new release with the slug and the config vars of an earlier one."""
    if release.app_id != app.id or release.status != Status.SUCCEEDED or release.slug is None:
        raise Invalid(
            f"v{release.version} can't be rolled back to: it never served anything.",
            "Choose another: releases",
        )
    if not release.slug.path:
        raise Invalid(f"The files of v{release.version} were collected.", "Push its commit again.")
    words = f"Rollback to v{release.version}"
    return releases.make(
        app, user, lambda current: releases.Wanted(release.slug, release_config(release), words)
    )


@_order
def scale(app: App, updates: Iterable[Mapping[str, Any]], user: User) -> list[Formation]:
    """`updates` as Heroku's: type, quantity (2, "2", "+1", "-1"; optional), size (optional)."""
    with turn(app, Kind.FORMATION, user) as operation:
        release = ledger.current_release(app)
        rows = formations.scaled(formations.of_slug(app, release.slug if release else None), updates)
        assert release is not None
        spec = spec_of(app, release, release_config(release), rows, frontdoor.hosts_of(app))
        machine.supervisor().deploy(spec, str(operation.id), lambda event: None)
        with transaction.atomic():
            for row in rows:
                row.save()
            operations.close(operation)
    releases.tell(app, f"Scaled to {formations.text(rows)} by user {user.email}")
    return rows


def formation(app: App) -> list[Formation]:
    """The process types of the current slug, `web` first.

    Types that a later slug dropped keep their rows, unseen.
    """
    release = ledger.current_release(app)
    return formations.of_slug(app, release.slug if release else None)


@_order
def restart(app: App, target: str | None, user: User) -> None:
    """`target`: None for all, "web", "web.1"."""
    with turn(app, Kind.RESTART, user):
        machine.supervisor().restart(app.key, target)
    releases.tell(app, f"Restarted {target or 'all dynos'} by user {user.email}")


@_order
def stop(app: App, target: str, user: User) -> None:
    machine.supervisor().stop(app.key, target)
    releases.tell(app, f"Stopped {target} by user {user.email}")


@_order
def set_maintenance(app: App, on: bool, user: User) -> None:
    applications.set_maintenance(app, on, user)


@_order
def set_domains(app: App, add: Sequence[str], remove: Sequence[str], user: User) -> None:
    """Custom domains; all of the changes are made, or none."""
    applications.set_domains(app, add, remove, user)


@_order
def run_dyno(
    app: App,
    command: str,
    *,
    attach: bool,
    env: Mapping[str, str],
    size: str | None,
    type: str | None,  # noqa: A002 - Heroku's word
    force_no_tty: bool,
    user: User,
    host: str | None = None,
) -> Dyno:
    """The record of a one-off dyno; its attribute `attach_url` is None when it is not attached.

    `host`: the name, without port, by which the client reached the API; the rendezvous is at the same.
    """
    return oneoffs.run(
        app,
        command,
        attach=attach,
        env=env,
        size=size,
        type=type,
        force_no_tty=force_no_tty,
        user=user,
        host=host,
    )


@_order
def formation_dynos(app: App) -> list[dict[str, Any]]:
    """What `baton.run.client.Supervisor.dynos` tells.

    Name, type, state, since, command, size, release, id.
    """
    return machine.supervisor().dynos(app.key)


def logs(
    app: App,
    *,
    lines: int = 100,
    dyno: str | None = None,
    source: str | None = None,
    tail: bool = False,
    after: int | None = None,
) -> Iterator[tuple[int, str]]:
    """(sequence, line) pairs; blocks for more when `tail`."""
    return machine.supervisor().logs(app.key, lines=lines, dyno=dyno, source=source, tail=tail, after=after)


def output(record: Build | Release, *, follow: bool = True) -> Iterator[bytes]:
    """What a build or a release phase printed so far.

    With `follow`, until the record is no longer pending.
    """

    def pending() -> bool:
        return type(record).objects.filter(pk=record.pk, status=Status.PENDING).exists()

    return outputs.read(machine.home(), record.id, pending, follow)
