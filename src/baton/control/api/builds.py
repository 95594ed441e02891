"""Builds of uploaded sources, and the list of those that pushes made."""

from __future__ import annotations

from baton.control import deploys
from baton.control.api import blobs, buildpacks, find, serialize
from baton.control.api.bodies import Members
from baton.control.api.errors import InvalidParams
from baton.control.api.frame import Answer, Call
from baton.control.models import Build


def _shown(call: Call, build: Build) -> serialize.Json:
    return serialize.build(build, call.link("build", build.pk))


def index(call: Call, app: str) -> Answer:
    found = find.app(call.user, app).builds.select_related("user", "app")
    return call.page(found, ("created_at", "id"), lambda build: _shown(call, build))


def show(call: Call, app: str, build: str) -> Answer:
    return Answer(_shown(call, find.build(find.app(call.user, app), build)))


def create(call: Call, app: str) -> Answer:
    """Starts a build; its output is read at output_stream_url while it goes on."""
    found = find.app(call.user, app)
    blob = Members(call.body.need(call.body.object("source_blob"), "source_blob"), "source_blob.")
    url = blob.need(blob.text("url", limit=2000), "url")
    blobs.check_source(call.user, url, blob.text("checksum", limit=80))
    version = blob.text("version", limit=200) or ""
    packs = buildpacks.read(call.user, call.body.items("buildpacks", buildpacks.MOST) or [], "url")
    build = deploys.build_from_source(found, url, version, call.user, packs or None)
    return Answer(_shown(call, find.build(found, str(build.pk))), 201)


def cancel(call: Call, app: str, build: str) -> Answer:
    found = find.app(call.user, app)
    record = find.build(found, build)
    if record.status != Build.Status.PENDING:
        raise InvalidParams(f"That build is over: it {record.status}.")
    deploys.cancel_build(record, call.user)
    return Answer(_shown(call, find.build(found, build)))
