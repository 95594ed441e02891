"""Buildpack installations of an app, and the registry that clients ask for a buildpack's URL."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.http import HttpRequest

from baton.build.detect import canonical
from baton.build.errors import BuildError
from baton.control.api import find, serialize
from baton.control.api.errors import Forbidden, InvalidParams, Missing
from baton.control.api.frame import Answer, Call
from baton.control.models import App, BuildpackInstallation, User

MOST = 20
OFFICIAL = {"python": "Python, by uv or pip", "nodejs": "Node.js, by npm, yarn or pnpm"}


def index(call: Call, app: str) -> Answer:
    return _shown(find.app(call.user, app))


def _shown(app: App) -> Answer:
    return Answer([serialize.installation(record) for record in app.buildpacks.order_by("ordinal")])


def replace(call: Call, app: str) -> Answer:
    """All at once, in their order, for the next build; with an empty list, that build detects them."""
    found = find.app(call.user, app)
    updates = call.body.need(call.body.items("updates", MOST), "updates")
    names = read(call.user, updates, "buildpack")
    if len(set(names)) != len(names):
        raise InvalidParams("updates names a buildpack twice.")
    with transaction.atomic():
        found.buildpacks.all().delete()
        BuildpackInstallation.objects.bulk_create(
            BuildpackInstallation(app=found, ordinal=place, url=name) for place, name in enumerate(names)
        )
    return _shown(found)


def read(user: User, entries: Sequence[Any], member: str) -> list[str]:
    """The buildpacks in `[{member: URL or name}, ...]`. Raises InvalidParams, Forbidden."""
    return [_read(entry, member, user.is_admin) for entry in entries]


def _read(entry: Any, member: str, trusted: bool) -> str:
    given = entry.get(member) or entry.get("name") if isinstance(entry, dict) else None
    if not isinstance(given, str) or len(given) > 500:
        raise InvalidParams(
            f'A buildpack is given as {{"{member}": URL or name}}; found {str(entry)[:100]}.',
            "A name that is not in the registry arrives as nothing: use heroku/python, heroku/nodejs, a URL.",
        )
    try:
        name = canonical(given)
    except BuildError as error:
        raise InvalidParams(error.message, error.hint) from error
    if not trusted and name.startswith(("/", "file:")):
        raise Forbidden("Only an administrator may name a buildpack on the server's own disk.")
    return name


def registry_show(request: HttpRequest, slug: str) -> Answer:
    """The registry asks for no token; only what Baton brings is found."""
    namespace, _, name = slug.partition("/")
    if namespace != "heroku" or name not in OFFICIAL:
        raise Missing("buildpack", f"{slug[:100]} is not among Baton's buildpacks; give its URL instead.")
    return Answer(_entry(name))


def registry_index(request: HttpRequest) -> Answer:
    """GET /buildpacks?in[namespace][]=heroku&in[name][]=python&like[description]=..."""
    asked = request.GET
    found = [_entry(name) for name in OFFICIAL]
    for member in ("namespace", "name"):
        wanted = asked.getlist(f"in[{member}][]")
        found = [entry for entry in found if not wanted or entry[member] in wanted]
    like = asked.get("like[description]", "").lower()
    return Answer([entry for entry in found if like in entry["description"].lower()])


def registry_revisions(request: HttpRequest, slug: str) -> Answer:
    entry = registry_show(request, slug).body
    since = "2025-01-01T00:00:00Z"
    return Answer(
        [
            {
                "release": 1,
                "status": "published",
                "created_at": since,
                "license": "BSD-3-Clause",
                "buildpack_id": entry["id"],
            }
        ]
    )


def registry_readme(request: HttpRequest, slug: str) -> Answer:
    entry = registry_show(request, slug).body
    text = f"# {entry['namespace']}/{entry['name']}\n\n{entry['description']}\n"
    return Answer(
        {"content": base64.b64encode(text.encode()).decode(), "encoding": "base64", "size": len(text)}
    )


def _entry(name: str) -> dict[str, Any]:
    url = serialize.buildpack(f"heroku/{name}")["url"]
    return {
        "id": serialize.named_id("buildpack", f"heroku/{name}"),
        "namespace": "heroku",
        "name": name,
        "description": OFFICIAL[name],
        "category": "languages",
        "blob_url": url,
        "support": {"method": "website", "address": "https://devcenter.heroku.com/articles/buildpacks"},
        "source": {"type": "baton"},
        "logo": None,
    }
