"""What all endpoints share: who is calling, what is sent and asked for, and what an answer carries.

An endpoint is a function of a `Call` and the parts of its path; it returns an `Answer`, or raises.
"""

from __future__ import annotations

import hashlib
import logging
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NoReturn
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.db import models
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from django.utils.http import parse_etags, quote_etag

from baton.base.errors import BatonError
from baton.base.paths import Home
from baton.base.settings import Settings
from baton.control.api import accepts, auth, bodies, errors, limits, links, ranges, schema
from baton.control.errors import Refused
from baton.control.models import User

logger = logging.getLogger(__name__)
bucket = limits.Bucket()
_REQUEST_ID = re.compile(r"[A-Za-z0-9+/=,_-]{20,7168}")


class Call:
    """One authenticated request, as endpoints see it."""

    def __init__(self, request: HttpRequest, identity: auth.Identity) -> None:
        self.request = request
        self.identity = identity

    @property
    def user(self) -> User:
        return self.identity.user

    @cached_property
    def body(self) -> bodies.Members:
        return bodies.Members(_body(self.request))

    @property
    def home(self) -> Home:
        home: Home = settings.HOME
        return home

    @property
    def machine(self) -> Settings:
        machine: Settings = settings.BATON
        return machine

    def link(self, kind: str, record: uuid.UUID) -> str:
        """A secret URL, under the very name by which this client reaches control."""
        return self.request.build_absolute_uri(f"/streams/{kind}/{links.seal(kind, record)}")

    @property
    def host(self) -> str:
        """The name by which this client reaches control, without the port; an IPv6 address in brackets."""
        name = urlsplit(self.request.build_absolute_uri("/")).hostname or "127.0.0.1"
        return f"[{name}]" if ":" in name else name

    def page(
        self,
        found: models.QuerySet[Any] | Sequence[Mapping[str, Any]],
        fields: Sequence[str],
        serialize: Callable[[Any], Any] = lambda record: record,
    ) -> Answer:
        """The part of a list that the Range header asks for; the first of `fields` orders it otherwise."""
        asked = ranges.parse(self.request.headers.get("Range"), fields)
        if isinstance(found, models.QuerySet):
            page = ranges.of_query(found, asked, fields)
        else:
            page = ranges.of_list(found, asked, fields)
        return Answer([serialize(record) for record in page.records], page.status, page.headers)


@dataclass(frozen=True)
class Answer:
    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Endpoint = Callable[..., Answer]
Access = Callable[[str | None], auth.Identity]
View = Callable[..., HttpResponseBase]


def resource(*, access: Access | None = auth.by_token, **endpoints: Endpoint) -> View:
    """A view that answers each method named in `endpoints` (GET=..., PATCH=...), all others with 405.

    `access` tells who is calling; None asks nobody, and such an endpoint is given the bare request.
    """

    def view(request: HttpRequest, **parts: str) -> HttpResponseBase:
        return answer(request, lambda: _call(request, access, endpoints, parts))

    return view


def answer(request: HttpRequest, act: Callable[[], Answer]) -> HttpResponse:
    """What `act` answers or raises, as JSON with the headers that every answer has."""
    try:
        done = act()
        response = JsonResponse(done.body, status=done.status, headers=done.headers, safe=False)
    except BatonError as error:
        if not isinstance(error, Refused):
            logger.exception("%s %s failed", request.method, request.path)
        response = errors.response(error)
    except SuspiciousOperation:
        response = errors.response(errors.BadRequest("The request has a header that can't be used."))
    except Exception:  # the last resort: the reason is for the log, not for the caller
        logger.exception("%s %s failed", request.method, request.path)
        response = errors.response(internal())
    return finish(request, response)


def internal() -> BatonError:
    error = BatonError("Baton failed to answer this request; the reason is in control's log on the server.")
    error.code = "internal_server_error"
    return error


def finish(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The headers of every answer; and for HEAD, or what the client has already, nothing else."""
    if request.method in {"GET", "HEAD"} and response.status_code in {200, 206}:
        response = _tagged(request, response)
    response["Request-Id"] = request_id(request)
    response["Cache-Control"] = "private, no-cache"
    patch_vary_headers(response, ["Accept", "Authorization", "Range"])
    if request.method == "HEAD":
        response["Content-Length"] = str(len(response.content))
        response.content = b""
    return response


def _tagged(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    etag = quote_etag(hashlib.sha256(response.content).hexdigest()[:32])
    known = parse_etags(request.headers.get("If-None-Match", ""))
    if "*" in known or etag in {tag.removeprefix("W/") for tag in known}:
        kept = {name: value for name, value in response.items() if name != "Content-Type"}
        response = HttpResponse(status=304, headers=kept)
    response["ETag"] = etag
    return response


def request_id(request: HttpRequest) -> str:
    """The client's own, which may be a list that grew over its requests; else a new one."""
    named = request.headers.get("Request-Id", "") or request.headers.get("X-Request-Id", "")
    return named if _REQUEST_ID.fullmatch(named) else str(uuid.uuid4())


def _call(
    request: HttpRequest, access: Access | None, endpoints: Mapping[str, Endpoint], parts: Mapping[str, str]
) -> Answer:
    accepts.check(request.headers.get("Accept"))
    if access is None:
        return _endpoint(request, endpoints)(request, **parts)
    identity = access(request.headers.get("Authorization"))
    remaining = _take(identity.user)
    done = _endpoint(request, endpoints)(Call(request, identity), **parts)
    return Answer(done.body, done.status, {**done.headers, "RateLimit-Remaining": str(remaining)})


def _method(request: HttpRequest) -> str:
    return "GET" if request.method == "HEAD" else (request.method or "GET")[:20]


def _endpoint(request: HttpRequest, endpoints: Mapping[str, Endpoint]) -> Endpoint:
    method = _method(request)
    if method in endpoints:
        return endpoints[method]
    allowed = [*endpoints, "HEAD"] if "GET" in endpoints else [*endpoints]
    raise not_served(request) or errors.MethodNotAllowed(method, allowed)


def not_served(request: HttpRequest) -> errors.NotServed | None:
    """The error for an endpoint that Heroku has and Baton has not."""
    method, path = _method(request), request.path_info[:200]
    purpose = schema.purpose(method, path)
    return errors.NotServed(f"Baton does not serve {method} {path} ({purpose}).") if purpose else None


def _take(user: User) -> int:
    remaining = bucket.take(str(user.pk))
    if remaining < 0:
        raise errors.TooMany(f"This account made more than {bucket.size} requests within an hour.", 60)
    return remaining


def _body(request: HttpRequest) -> dict[str, Any]:
    try:
        return bodies.parse(request.body)
    except RequestDataTooBig as error:
        raise errors.TooLarge(f"A request body holds at most {bodies.MAX_BYTES} bytes.") from error


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler404: no route of that path."""

    def act() -> NoReturn:
        raise errors.Missing("endpoint", "No endpoint of this API has that path.")

    return answer(request, act)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's handler400."""

    def act() -> NoReturn:
        raise errors.BadRequest("The request can't be read.")

    return answer(request, act)


def failed(request: HttpRequest) -> HttpResponse:
    """Django's handler500."""

    def act() -> NoReturn:
        raise internal()

    return answer(request, act)
