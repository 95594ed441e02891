"""What there is to choose from: stacks, regions, dyno sizes, generations. The same for every app."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest

from baton.control.api import find, schema, serialize
from baton.control.api.errors import InvalidParams, Missing
from baton.control.api.frame import Answer, Call
from baton.control.applications import STACKS as KNOWN_STACKS
from baton.control.applications import checked_stack
from baton.run.sizes import MEGABYTE, SIZES, Size

Json = dict[str, Any]
_SINCE = {"created_at": "2025-01-01T00:00:00Z", "updated_at": "2025-01-01T00:00:00Z"}
STACKS: tuple[Json, ...] = tuple(
    {**serialize.named("stack", name), "default": name == checked_stack(None), "state": "public", **_SINCE}
    for name in KNOWN_STACKS
)
GENERATIONS: tuple[Json, ...] = ({**serialize.named("generation", "cedar"), **_SINCE},)


def _region(name: str, country: str, description: str) -> Json:
    names = serialize.named("region", name)
    return {
        **names,
        "country": country,
        "description": description,
        "locale": "Here",
        "private_capable": False,
        **_SINCE,
    }


# `us` and `eu` stand in many scripts; they are accepted and kept, and mean this machine like `here`.
REGIONS = (
    _region("here", "Here", "This machine"),
    _region("eu", "Europe", "This machine, under Heroku's name for Europe"),
    _region("us", "United States", "This machine, under Heroku's name for the United States"),
)


def _size(size: Size) -> Json:
    return {
        **serialize.named("dyno-size", size.name),
        "architecture": "x86_64",
        "compute": max(1, size.cpu_weight // 100),
        "cost": None,
        "dedicated": False,
        "generation": serialize.named("generation", "cedar"),
        "memory": size.memory / (1024 * MEGABYTE),  # GB, as at Heroku
        "precise_dyno_units": size.cpu_weight / 100,
        "private_space_only": False,
    }


DYNO_SIZES = tuple(_size(size) for size in SIZES)


def _choose(known: Iterable[Json], identity: str) -> Json | None:
    wanted = identity.lower()
    return next((one for one in known if wanted in (one["name"].lower(), one["id"])), None)


def _show(known: Iterable[Json], identity: str, resource: str) -> Answer:
    found = _choose(known, identity)
    if found is None:
        raise Missing(resource)
    return Answer(found)


def _chosen(known: Iterable[Json], identity: str | None, member: str) -> str | None:
    if identity is None:
        return None
    found = _choose(known, identity)
    if found is None:
        names = ", ".join(one["name"] for one in known)
        raise InvalidParams(f"{member} should be one of {names}; found {identity[:60]!r}.")
    return str(found["name"])


def stack_name(identity: str | None) -> str | None:
    """The stack's name for its name or id. Raises InvalidParams."""
    if (
        identity == "cedar"
    ):  # what some clients send on their own: the generation, which means its usual stack
        return checked_stack(None)
    return _chosen(STACKS, identity, "stack")


def region_name(identity: str | None) -> str | None:
    return _chosen(REGIONS, identity, "region")


def size_name(identity: str | None) -> str | None:
    return _chosen(DYNO_SIZES, identity, "size")


def stacks(call: Call) -> Answer:
    return call.page(STACKS, ("name", "id"))


def stack(call: Call, stack: str) -> Answer:
    return _show(STACKS, stack, "stack")


def stacks_of_app(call: Call, app: str) -> Answer:
    find.app(call.user, app)
    return stacks(call)


def regions(call: Call) -> Answer:
    return call.page(REGIONS, ("name", "id"))


def region(call: Call, region: str) -> Answer:
    return _show(REGIONS, region, "region")


def dyno_sizes(call: Call) -> Answer:
    return call.page(DYNO_SIZES, ("name", "id"))


def dyno_size(call: Call, size: str) -> Answer:
    return _show(DYNO_SIZES, size, "dyno size")


def dyno_sizes_of_app(call: Call, app: str) -> Answer:
    find.app(call.user, app)
    return dyno_sizes(call)


def generations(call: Call) -> Answer:
    return call.page(GENERATIONS, ("name", "id"))


def generation(call: Call, generation: str) -> Answer:
    return _show(GENERATIONS, generation, "generation")


def platform_schema(request: HttpRequest) -> Answer:
    """GET /schema, with this server in the place of Heroku's."""
    here = request.build_absolute_uri("/").rstrip("/")
    index, *others = schema.document()["links"]
    return Answer({**schema.document(), "links": [{**index, "href": here}, *others]})


def authority(call: Call) -> Answer:
    """Baton's own: the certificate that clients have to trust where this machine vouches for itself."""
    path = call.home.root / "ca.pem"
    if not path.exists():
        raise Missing("authority", "This machine has no certificate authority of its own.")
    return Answer({"certificate": path.read_text()})
