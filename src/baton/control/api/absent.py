"""What Heroku has and a machine of one's own has not: lists without entries, and plain words for all else."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from baton.control.api import find
from baton.control.api.errors import Missing
from baton.control.api.frame import Answer, Call, answer, not_served


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
    """The last route: 501 for an endpoint of Heroku's, 404 for any other."""

    def act() -> Answer:
        raise not_served(request) or Missing("endpoint", f"This API has no {request.path_info[:200]}.")

    return answer(request, act)
