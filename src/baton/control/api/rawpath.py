"""Paths are matched as they were sent, and each part is decoded after: `%2F` in a name is no slash."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import quote, unquote

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import register_converter

Response = HttpResponseBase | Awaitable[HttpResponseBase]
Respond = Callable[[HttpRequest], Response]
_PATH_CHARACTERS = "/~:@!$&'()*+,;=-._%"


class Part:
    """One part of a path, of any characters; used in routes as `<part:app>`."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return unquote(value)

    def to_url(self, value: str) -> str:
        return quote(value, safe="")


register_converter(Part, "part")


class RawPath:
    """Middleware: let Django's own routes see the path before it was decoded."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Respond) -> None:
        self._get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Response:
        request.path_info = raw_path(request)
        return self._get_response(request)


def raw_path(request: HttpRequest) -> str:
    scope = getattr(request, "scope", {})
    raw: bytes | None = scope.get("raw_path")
    if raw is None:
        return quote(request.path_info)
    return quote(raw.partition(b"?")[0], safe=_PATH_CHARACTERS)
