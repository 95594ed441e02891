"""Apps as such: made, renamed, put into maintenance, given domains, destroyed with all that they left."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from contextlib import suppress

from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from baton.base.errors import BatonError
from baton.base.ids import APP_NAME, random_app_name
from baton.control import (
    builds,
    configuration,
    formations,
    frontdoor,
    ledger,
    machine,
    operations,
    planning,
    releases,
    repositories,
    trees,
)
from baton.control.errors import Conflict, Invalid, NotFound, Refused
from baton.control.models import App, Domain, Release, User
from baton.control.operations import Kind
from baton.control.specs import spec_of
from baton.control.turns import turn
from baton.run.errors import RunError, UnknownApp

HOSTNAME = re.compile(r"(\*\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
STACKS = ("heroku-24", "heroku-22")
REGION = "here"
RESERVED_NAMES = frozenset({"baton", "api", "git", "www"})
MOST_DOMAINS = 1000
CANCEL_SECONDS = 30.0


def create(user: User, name: str | None, *, stack: str | None, region: str | None) -> App:
    """Raises Invalid for a bad or taken name.

    When this returns, the app can be pushed to and shows its blank page.
    """
    app = _record(user, name, checked_stack(stack), region or REGION)
    try:
        complete(app)
    except BaseException:
        _remove(app)
        raise
    releases.tell(app, f"Initial release by user {user.email}")
    releases.tell(app, f"Release v1 created by user {user.email}")
    return app


def complete(app: App) -> None:
    """Everything outside of the records that an app has; what is there already stays."""
    home = machine.home()
    repositories.create(home, app.key)
    planning.reapply(app)
    frontdoor.refresh()


def _record(user: User, name: str | None, stack: str, region: str) -> App:
    wanted = checked_name(name) if name else random_app_name()
    try:
        with transaction.atomic():
            number = (App.objects.aggregate(last=Max("number"))["last"] or 0) + 1
            app = App.objects.create(name=wanted, owner=user, number=number, stack=stack, region=region[:30])
            Domain.objects.create(app=app, hostname=frontdoor.own_host(wanted), kind="heroku")
            ledger.first_release(app, machine.home(), user)
    except IntegrityError:
        raise Invalid(f"Name {wanted} is already taken.") from None
    return app


def checked_name(name: str) -> str:
    if not APP_NAME.fullmatch(name):
        raise Invalid(
            "Name must start with a letter, end with a letter or digit and can only contain lowercase "
            "letters, digits, and dashes (3 to 30 characters)."
        )
    if name in RESERVED_NAMES:
        raise Invalid(f"Name {name} is reserved for Baton itself.")
    return name


def checked_stack(name: str | None) -> str:
    if name is not None and name not in STACKS:
        raise Invalid(f"Stack should be one of {', '.join(STACKS)}; found {name[:40]!r}.")
    return name or STACKS[0]


def destroy(app: App, user: User) -> None:
    """Written down first, so that a crash in between is finished at the next start."""
    App.objects.filter(pk=app.pk, destroyed_at=None).update(destroyed_at=timezone.now())
    builds.cancel_of(app)
    deadline = time.monotonic() + CANCEL_SECONDS
    while operations.open_operations(app).filter(kind=Kind.BUILD).exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    with turn(app, Kind.DESTROY, user) as operation:
        _remove(app)
        operation.ended_at = timezone.now()  # its record went with the app's


def finish_destroying(app: App) -> None:
    """What a crash left of an app that was being destroyed or made."""
    _remove(app)


def _remove(app: App) -> None:
    """All of an app, the records last; may be begun again after a crash."""
    home = machine.home()
    App.objects.filter(pk=app.pk, destroyed_at=None).update(destroyed_at=timezone.now())
    frontdoor.refresh()
    with suppress(UnknownApp):  # it never got that far, or was destroyed before the crash
        machine.supervisor().destroy(app.key)
    cache = home.cache(app.key)
    places = [
        *(home.repository(app.key), cache, cache.parent / ".locks" / app.key),
        *(home.data(app.key), home.static(app.key), home.run / "web" / app.key),
    ]
    slugs = app.slugs.exclude(path="").exclude(releases__in=_others_releases(app))
    for place in (*places, *(home.slugs / str(slug.id) for slug in slugs)):
        trees.remove(place)
    for record in (*app.builds.all(), *app.releases.all()):
        (home.logs / "output" / f"{record.id}.log").unlink(missing_ok=True)
    app.delete()


def _others_releases(app: App) -> QuerySet[Release]:
    """Releases of other apps that run this app's slugs: a pipeline promoted them."""
    return Release.objects.filter(slug__app=app).exclude(app=app)


def rename(app: App, name: str, user: User) -> None:
    """The dynos learn the new name in a hand-over; only then do the records and the front door change."""
    wanted = checked_name(name)
    if wanted == app.name:
        return
    if App.objects.filter(name=wanted).exists():
        raise Invalid(f"Name {wanted} is already taken.")
    with turn(app, Kind.RESTART, user) as operation:
        before, app.name = app.name, wanted
        release = ledger.current_release(app)
        try:
            if release is not None:
                config = configuration.of_release(machine.home(), release)
                rows = formations.of_slug(app, release.slug)
                spec = spec_of(app, release, config, rows, frontdoor.hosts_of(app, wanted))
                machine.supervisor().deploy(spec, str(operation.id), lambda event: None)
            with transaction.atomic():
                app.save(update_fields=["name", "updated_at"])
                app.domains.filter(kind="heroku").update(hostname=frontdoor.own_host(wanted))
        except (RunError, IntegrityError) as error:
            app.name = before
            raise Refused(f"{before} keeps its name: {error}", code="conflict", status=409) from error
    frontdoor.refresh()
    releases.tell(app, f"Renamed from {before} to {wanted} by user {user.email}")


def set_maintenance(app: App, on: bool, user: User) -> None:
    before = app.maintenance
    App.objects.filter(pk=app.pk).update(maintenance=on)
    try:
        machine.supervisor().maintenance(app.key, on)
    except RunError:
        App.objects.filter(pk=app.pk).update(maintenance=before)
        raise
    app.maintenance = on
    releases.tell(app, f"Maintenance mode {'enabled' if on else 'disabled'} by user {user.email}")


def set_domains(app: App, add: Sequence[str], remove: Sequence[str], user: User) -> None:
    """Raises Invalid for a name that is none or taken, NotFound for one that is not the app's.

    All or nothing.
    """
    names = [checked_hostname(name) for name in add]
    gone = [name.lower() for name in remove]
    with transaction.atomic():
        for name in gone:
            found = app.domains.filter(hostname=name, kind="custom")
            if not found.exists():
                raise NotFound(f"Couldn't find the custom domain {name[:260]!r} of {app.name}.")
            found.delete()
        for name in names:
            if Domain.objects.filter(hostname=name).exists():
                raise Invalid(f"Domain {name} is already in use.")
            Domain.objects.create(app=app, hostname=name)
        if app.domains.count() > MOST_DOMAINS:
            raise Invalid(f"An app may have {MOST_DOMAINS} domains.")
    _route_or_restore(app, names, gone)
    for verb, changed in (("Add", names), ("Remove", gone)):
        for name in changed:
            releases.tell(app, f"{verb} {name} domain by user {user.email}")


def _route_or_restore(app: App, added: Sequence[str], removed: Sequence[str]) -> None:
    try:
        frontdoor.refresh()
    except BatonError as error:
        with transaction.atomic():
            app.domains.filter(hostname__in=added).delete()
            for name in removed:
                Domain.objects.get_or_create(app=app, hostname=name)
        raise Conflict(
            f"The front door did not take the change, so nothing was changed: {error.message}", error.hint
        ) from error


def checked_hostname(name: str) -> str:
    """Lower case. Raises Invalid."""
    wanted = name.lower().rstrip(".")
    if len(wanted) > 253 or not HOSTNAME.fullmatch(wanted):
        raise Invalid(
            f"A domain should be a host name such as www.example.com or *.example.com; found {name[:260]!r}."
        )
    domain = machine.options().domain
    if wanted == domain or (
        wanted.removesuffix(f".{domain}").count(".") == 0 and wanted.endswith(f".{domain}")
    ):
        raise Invalid(f"{wanted} belongs to Baton's own domain; rename the app instead.")
    return wanted
