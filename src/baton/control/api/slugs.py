"""Sources and slugs: where a client puts a tarball, and what it gets back."""

from __future__ import annotations

import re

from baton.control.api import blobs, catalogue, find, serialize
from baton.control.api.errors import Forbidden, InvalidParams
from baton.control.api.frame import Answer, Call
from baton.control.models import Slug, Source

MOST_SOURCES = 100  # that one account may ask for in a day
_TYPE = re.compile(r"[A-Za-z0-9][\w-]{0,49}", re.ASCII)


def create_source(call: Call) -> Answer:
    """Two secret URLs: PUT the tar.gz to one, and name the other as the source_blob.url of a build."""
    blobs.collect(call.home)
    if Source.objects.filter(user=call.user).count() >= MOST_SOURCES:
        raise Forbidden(f"An account may ask for {MOST_SOURCES} sources a day.", "Build from those it has.")
    source = Source.objects.create(user=call.user)
    url = call.link("source", source.pk)
    return Answer({"source_blob": {"get_url": url, "put_url": url}}, 201)


def create_source_of_app(call: Call, app: str) -> Answer:
    find.app(call.user, app)
    return create_source(call)


def _shown(call: Call, slug: Slug) -> serialize.Json:
    blob = {"method": "GET" if slug.path else "PUT", "url": call.link("slug", slug.pk)}
    return serialize.slug(slug, blob)


def show(call: Call, app: str, slug: str) -> Answer:
    return Answer(_shown(call, find.slug(find.app(call.user, app), slug)))


def create(call: Call, app: str) -> Answer:
    """A slug without its files: PUT their tar.gz, all below ./app/, to its blob.url."""
    found = find.app(call.user, app)
    fields = call.body
    slug = Slug.objects.create(
        app=found,
        process_types=_process_types(fields.need(fields.texts("process_types", 50), "process_types")),
        buildpack_provided_description=fields.text("buildpack_provided_description", limit=200) or "",
        checksum=_checksum(fields.text("checksum", limit=80)),
        commit=fields.text("commit", limit=64) or "",
        commit_description=fields.text("commit_description", limit=200) or "",
        stack=catalogue.stack_name(fields.text("stack", limit=100)) or found.stack,
    )
    return Answer(_shown(call, slug), 201)


def _process_types(given: dict[str, str]) -> dict[str, str]:
    for name, command in given.items():
        if not _TYPE.fullmatch(name):
            raise InvalidParams(
                f"A process type is letters, digits, - and _, at most 50; found {name[:60]!r}."
            )
        if not command.strip() or "\n" in command:
            raise InvalidParams(f"process_types.{name} should be a command on one line.")
    return given


def _checksum(given: str | None) -> str:
    if given and not blobs.same_checksum(given, given):
        raise InvalidParams("checksum should be SHA256: and 64 hex digits.")
    return given or ""
