"""From the names in a path to records: by name or id, and never another user's."""

from __future__ import annotations

import uuid
from typing import TypeVar

from django.db import models
from django.db.models import OuterRef, Q, QuerySet, Subquery

from baton.base.ids import is_uuid
from baton.control.api.errors import Missing
from baton.control.models import App, Build, Domain, Release, Slug, Token, User

R = TypeVar("R", bound=models.Model)


def apps(user: User) -> QuerySet[App]:
    """The apps a user may see, with their owner and what their buildpack says of itself."""
    served = Release.objects.filter(app=OuterRef("pk"), current=True)
    provided = Subquery(served.values("slug__buildpack_provided_description")[:1])
    visible = App.objects.filter(owner=user, destroyed_at__isnull=True)
    return visible.select_related("owner").annotate(provided=provided)


def app(user: User, identity: str) -> App:
    found = apps(user).filter(_either(identity, "name")).first()
    return _need(found, "app", f"Couldn't find the app {identity[:60]!r}.")


def release(app: App, identity: str) -> Release:
    """By UUID, `5` or `v5`."""
    number = identity.removeprefix("v")
    if is_uuid(identity):
        query = Q(pk=uuid.UUID(identity))
    elif number.isascii() and number.isdigit() and len(number) < 10:
        query = Q(version=int(number))
    else:
        query = Q(pk__in=[])
    found = app.releases.select_related("slug", "user", "app").filter(query).first()
    return _need(found, "release", f"Couldn't find the release {identity[:60]!r} of {app.name}.")


def build(app: App, identity: str) -> Build:
    found = app.builds.select_related("user", "app").filter(_only_id(identity)).first()
    return _need(found, "build")


def slug(app: App, identity: str) -> Slug:
    return _need(app.slugs.filter(_only_id(identity)).first(), "slug")


def domain(app: App, identity: str) -> Domain:
    found = app.domains.select_related("app").filter(_either(identity.lower(), "hostname")).first()
    return _need(found, "domain", f"Couldn't find the domain {identity[:260]!r} of {app.name}.")


def token(user: User, identity: str) -> Token:
    return _need(user.tokens.select_related("user").filter(_only_id(identity)).first(), "authorization")


def _only_id(identity: str) -> Q:
    return Q(pk=uuid.UUID(identity)) if is_uuid(identity) else Q(pk__in=[])


def _either(identity: str, field: str) -> Q:
    """An id, or else a name: a name may look like an id, and then the id wins."""
    if is_uuid(identity):
        return Q(pk=uuid.UUID(identity))
    return Q(pk__in=[]) if "\0" in identity else Q(**{field: identity})


def _need(found: R | None, resource: str, message: str = "") -> R:
    if found is None:
        raise Missing(resource, message)
    return found
