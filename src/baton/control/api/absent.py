"""What Heroku has and a machine of one's own has not: lists without entries, and plain words for all else."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from baton.control.api import find, schema
from baton.control.api.errors import Missing
from baton.control.api.frame import Answer, Call, answer


def nothing(call: Call) -> Answer:
    """A list that is always empty."""
    return call.page([], ("id", "name"))


def nothing_of_app(call: Call, app: str) -> Answer:
    find.app(call.user, app)
    return nothing(call)


def missing(resource: str) -> Callable[..., Answer]:
    """An endpoint of a resource of which there are none."""

    def endpoint(call: Call, **parts: str) -> Answer:
        if "app" in parts:
            find.app(call.user, parts["app"])
        raise Missing(resource)

    return endpoint


def unknown(request: HttpRequest, **parts: str) -> HttpResponseBase:
    """The last route: 501 for a path of Heroku's, 404 for any other."""

    def act() -> Answer:
        method = "GET" if request.method == "HEAD" else request.method or "GET"
        raise schema.not_served(method[:20], request.path_info)

    return answer(request, act)
