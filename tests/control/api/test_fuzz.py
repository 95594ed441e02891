"""Whatever a client sends, it gets an answer in the API's words. Random requests, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from baton.control.api.routes import routes
from tests.control.api.contract import check
from tests.control.api.live import Client

OPEN = {"streams", "schema", "buildpacks"}
WRITING = {"POST", "PATCH", "PUT"}
KNOWN = {"app": "api-fuzz", "user": "~", "kind": "web", "dyno": "web.1", "formation": "web", "release": "v1"}
NAMES = ["api-fuzz", "~", "web", "web.1", "run.1", "v1", "1", "heroku/python", "heroku-24", "global"]

texts = st.text(max_size=40)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
RANGES = ["version ..; max=1", "id ]x..", "name ..a;order=desc", "id .."]
KINDS = ["application/json", "text/plain", "multipart/form-data; boundary=x"]
members = st.sampled_from(
    "name stack region maintenance updates type quantity size dyno_size attach env lines tail dyno source "
    "source_blob url version checksum buildpacks buildpack process_types slug release description scope "
    "expires_in hostname sni_endpoint in id build_stack".split()
)
nested = st.dictionaries(members, scalars | st.lists(scalars, max_size=2), max_size=3)
objects = st.dictionaries(members, scalars | nested | st.lists(nested, max_size=3) | documents, max_size=5)
bodies = st.one_of(
    st.binary(max_size=200),
    documents.map(lambda found: json.dumps(found).encode()),
    objects.map(lambda found: json.dumps(found).encode()),
)
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Accept": st.sampled_from(["*/*", "application/vnd.heroku+json; version=3.sdk"]) | printable,
        "Range": printable | st.sampled_from(RANGES),
        "If-None-Match": printable,
        "Request-Id": printable,
        "Host": printable.map(str.strip),
        "Last-Event-ID": printable,
        "Content-Type": st.sampled_from(
            ["application/json", "text/plain", "multipart/form-data; boundary=x"]
        ),
    },
)


def _quoted(part: str) -> str:
    return quote(part, safe="")


parts = st.one_of(texts, st.uuids().map(str)).map(_quoted)


ROUTES = [str(found.pattern) for found in routes if str(found.pattern)]


def filled(route: str, choose: Callable[[str], str]) -> str:
    """A path of that route, its places filled in."""
    while "<part:" in route:
        before, _, rest = route.partition("<part:")
        place, _, rest = rest.partition(">")
        route = f"{before}{choose(place) or 'x'}{rest}"
    return f"/{route}"


@st.composite
def paths(draw: Any, route: str) -> str:
    """A path of the route; now and then one that leads nowhere."""

    def choose(place: str) -> str:
        known = st.just("api-fuzz") if place == "app" else st.sampled_from(NAMES).map(_quoted)
        return str(draw(st.one_of(known, known, known, parts)))

    return filled(route, choose) + draw(st.sampled_from(["", "", "", "", "", "/", "?a=b", "/more"]))


@dataclass
class Fuzzed:
    client: Client
    methods: dict[str, list[str]]  # those that each route knows, as it says itself


@pytest.fixture(scope="module")
def fuzzed(live: Client) -> Fuzzed:
    live.ask("POST", "/apps", {"name": "api-fuzz"})
    methods = {}
    for route in ROUTES:
        answer = live.http.request("BREW", filled(route, lambda place: "api-fuzz"))
        methods[route] = answer.headers["Allow"].replace("DELETE", "OPTIONS").split(", ")
    return Fuzzed(live, methods)


def send(client: Client, method: str, path: str, body: bytes, sent: dict[str, str]) -> httpx.Response | None:
    """The answer; None when this is no HTTP request at all by the client's own judgement."""
    try:
        return client.http.request(method, path, content=body, headers=sent)
    except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError):
        return None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from(ROUTES), bodies, headers)
def test_no_request_is_an_internal_error(
    fuzzed: Fuzzed, data: st.DataObject, route: str, body: bytes, sent: dict[str, str]
) -> None:
    method = data.draw(st.sampled_from([*fuzzed.methods[route] * 3, "PATCH", "BREW"]))
    path = data.draw(paths(route))
    answer = send(fuzzed.client, method, path, body, sent)
    if answer is None or answer.headers.get("Content-Type", "").startswith("text/plain; charset"):
        return  # refused by the HTTP server itself before it was a request
    assert answer.status_code < 500 or answer.status_code == 501, answer.text
    if method != "HEAD" and answer.status_code != 304:
        assert answer.headers["Content-Type"] == "application/json"
        check(method, path, answer.status_code, answer.content)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), st.sampled_from(ROUTES), printable)
def test_no_path_is_open_without_a_token(
    fuzzed: Fuzzed, data: st.DataObject, route: str, header: str
) -> None:
    path = data.draw(paths(route))
    answer = send(fuzzed.client, "GET", path, b"", {"Authorization": header})
    if answer is not None and path.partition("?")[0].split("/")[1] not in OPEN:
        assert answer.status_code in (400, 401, 404, 405, 501), answer.text
        assert answer.status_code != 404 or answer.json()["resource"] == "endpoint"


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data(), objects)
def test_no_members_of_a_body_are_an_internal_error(
    fuzzed: Fuzzed, data: st.DataObject, body: dict[str, Any]
) -> None:
    writing = [(path, method) for path in ROUTES for method in fuzzed.methods[path] if method in WRITING]
    route, method = data.draw(st.sampled_from(writing))
    path = filled(route, lambda place: KNOWN.get(place, "1"))
    answer = send(fuzzed.client, method, path, json.dumps(body).encode(), {})
    assert answer is not None
    assert answer.status_code < 500, answer.text
    check(method, path, answer.status_code, answer.content)
