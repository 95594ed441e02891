"""Releases: a slug with config vars, numbered. New ones come from a slug, or from an older release."""

from __future__ import annotations

from baton.base.ids import is_uuid
from baton.control import deploys
from baton.control.api import find, serialize
from baton.control.api.errors import InvalidParams
from baton.control.api.frame import Answer, Call
from baton.control.models import App, Release


def _shown(call: Call, release: Release) -> serialize.Json:
    return serialize.release(release, call.link("release", release.pk))


def index(call: Call, app: str) -> Answer:
    found = find.app(call.user, app).releases.select_related("slug", "user", "app")
    return call.page(found, ("version", "id", "created_at"), lambda release: _shown(call, release))


def show(call: Call, app: str, release: str) -> Answer:
    return Answer(_shown(call, find.release(find.app(call.user, app), release)))


def create(call: Call, app: str) -> Answer:
    """`{"slug": id}` runs an uploaded or an older slug; `{"release": id}` goes back to an older release."""
    found = find.app(call.user, app)
    fields = call.body
    older, slug = _reference(call, "release"), fields.text("slug", limit=100)
    if (older is None) == (slug is None):
        raise InvalidParams("A release is made from a slug or from a release: name one of the two.")
    made = _rollback(call, found, older) if older else _of_slug(call, found, slug or "")
    return Answer(_shown(call, find.release(found, str(made.pk))), 201)


def _reference(call: Call, member: str) -> str | None:
    """The release's id, or its version as a number or a text: clients send all of these."""
    value = call.body.found.get(member)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(call.body.whole(member, 1, 10**9))
    return call.body.text(member, limit=100)


def _rollback(call: Call, app: App, identity: str) -> Release:
    older = find.release(app, identity)
    if not serialize.rollback_is_possible(older):
        why = (
            "did not succeed" if older.status != Release.Status.SUCCEEDED else "has no slug on disk any more"
        )
        raise InvalidParams(
            f"v{older.version} of {app.name} {why}.", "Choose one that is eligible for rollback."
        )
    return deploys.rollback(app, older, call.user)


def _of_slug(call: Call, app: App, identity: str) -> Release:
    if not is_uuid(identity):
        raise InvalidParams("slug should be the id of a slug.")
    slug = find.slug(app, identity)
    if not slug.path:
        raise InvalidParams("That slug is not there.", "PUT its tar.gz to the blob.url of the slug first.")
    return deploys.release_slug(app, slug, call.user, call.body.text("description", limit=200))
