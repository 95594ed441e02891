"""Whatever a client sends, it gets an answer in the API's words. Random requests, over HTTP."""

from __future__ import annotations

import json
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
NAMES = ["api-fuzz", "~", "web", "web.1", "run.1", "v1", "1", "heroku/python", "heroku-24", "global"]

texts = st.text(max_size=40)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)
members = st.sampled_from(
    "name stack region maintenance updates type quantity size dyno_size attach env lines tail dyno source "
    "source_blob url version checksum buildpacks buildpack process_types slug release description scope "
    "expires_in hostname sni_endpoint in id build_stack".split()
)
bodies = st.one_of(
    st.binary(max_size=200),
    documents.map(lambda found: json.dumps(found).encode()),
    st.dictionaries(members, documents, max_size=5).map(lambda found: json.dumps(found).encode()),
)
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Accept": printable | st.just("application/vnd.heroku+json; version=3.sdk"),
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
parts = st.one_of(st.sampled_from(NAMES), texts, st.uuids().map(str)).map(lambda part: quote(part, safe=""))


@st.composite
def paths(draw: Any) -> str:
    """The path of any route, with its places filled in; sometimes a path that leads nowhere."""
    route = draw(st.sampled_from([str(found.pattern) for found in routes if str(found.pattern)]))
    while "<part:" in route:
        before, _, rest = route.partition("<part:")
        route = before + (draw(parts) or "x") + rest.partition(">")[2]
    return "/" + route + draw(st.sampled_from(["", "", "", "/", "?a=b", "/more"]))


@pytest.fixture(scope="module")
def fuzzed(live: Client) -> Client:
    live.ask("POST", "/apps", {"name": "api-fuzz"})
    return live


def send(client: Client, method: str, path: str, body: bytes, sent: dict[str, str]) -> httpx.Response | None:
    """The answer; None when this is no HTTP request at all by the client's own judgement."""
    try:
        return client.http.request(method, path, content=body, headers=sent)
    except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError):
        return None


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["GET", "POST", "PATCH", "PUT", "HEAD", "OPTIONS", "BREW"]), paths(), bodies, headers)
def test_no_request_is_an_internal_error(
    fuzzed: Client, method: str, path: str, body: bytes, sent: dict[str, str]
) -> None:
    answer = send(fuzzed, method, path, body, sent)
    if answer is None or answer.headers.get("Content-Type", "").startswith("text/plain; charset"):
        return  # refused by the HTTP server itself before it was a request
    assert answer.status_code < 500 or answer.status_code == 501, answer.text
    if method != "HEAD" and answer.status_code != 304:
        assert answer.headers["Content-Type"] == "application/json"
        check(method, path, answer.status_code, answer.content)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(paths(), printable)
def test_no_path_is_open_without_a_token(fuzzed: Client, path: str, header: str) -> None:
    answer = send(fuzzed, "GET", path, b"", {"Authorization": header})
    if answer is not None and path.split("/")[1] not in OPEN:
        assert answer.status_code in (400, 401, 404, 405, 501), answer.text
        assert answer.status_code != 404 or answer.json()["resource"] == "endpoint"
