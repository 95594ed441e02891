"""What every answer has, whatever it is about: who may ask, in which words, and what comes with it."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from django.utils import timezone

from baton.control.api import frame, limits
from baton.control.models import App, Token
from tests.control.api.conftest import PASSWORD, Caller


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_each_form_of_the_token_is_the_same_caller(api: Caller) -> None:
    for header in (f"Bearer {api.token}", basic(f":{api.token}"), basic(f"anyone:{api.token}")):
        assert api.get("/account", Authorization=header).json()["email"] == "ada@example.com"


@pytest.mark.parametrize(
    "header", ["", "Bearer wrong", basic(":wrong"), basic(f"ada@example.com:{PASSWORD}")]
)
def test_without_a_token_nothing_is_answered_and_a_password_is_no_token(api: Caller, header: str) -> None:
    for path in ("/account", "/apps", "/apps/tidy-harbor", "/oauth/authorizations"):
        answer = api.get(path, Authorization=header)
        assert (answer.status_code, answer.json()["id"]) == (401, "unauthorized")
        assert answer["WWW-Authenticate"].startswith("Basic realm=")


def test_an_expired_token_is_no_token(api: Caller) -> None:
    Token.objects.update(expires_at=timezone.now() + timedelta(seconds=60))
    assert api.get("/account").status_code == 200
    Token.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert api.get("/account").status_code == 401


def test_e_mail_and_password_create_an_authorization_and_note_the_login(api: Caller) -> None:
    login = basic(f"ADA@example.com:{PASSWORD}")
    made = api.post(
        "/oauth/authorizations", {"description": "login", "expires_in": 2592000}, Authorization=login
    )
    assert made.status_code == 201
    fresh = Caller(api.user, made.json()["access_token"]["token"])
    assert fresh.get("/account").json()["last_login"] is not None


def test_failed_logins_of_an_account_are_slowed_down_even_with_the_right_password(api: Caller) -> None:
    wrong, right = basic("ada@example.com:guess"), basic(f"ada@example.com:{PASSWORD}")
    statuses = [api.post("/oauth/authorizations", {}, Authorization=wrong).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    answer = api.post("/oauth/authorizations", {}, Authorization=right)
    assert (answer.status_code, answer.json()["id"]) == (429, "rate_limit")
    assert int(answer["Retry-After"]) >= 1
    assert api.get("/account").status_code == 200


def test_an_unknown_account_is_refused_like_a_wrong_password(api: Caller) -> None:
    answers = [
        api.post("/oauth/authorizations", {}, Authorization=basic(f"{who}:guess")).json()
        for who in ("ada@example.com", "nobody@example.com")
    ]
    assert answers[0] == answers[1]


def test_the_remaining_requests_are_counted_and_their_end_is_told(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frame, "bucket", limits.Bucket(3))
    assert api.get("/account")["RateLimit-Remaining"] == "2"
    assert api.get("/account/rate-limits").json() == {"remaining": 1}
    assert api.get("/account")["RateLimit-Remaining"] == "0"
    answer = api.get("/account")
    assert (answer.status_code, answer.json()["id"]) == (429, "rate_limit")


def test_an_answer_that_the_client_has_is_not_sent_again(api: Caller, app: App) -> None:
    first = api.get(f"/apps/{app.name}")
    again = api.get(f"/apps/{app.name}", If_None_Match=first["ETag"])
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert api.get(f"/apps/{app.name}", If_None_Match=f'"other", W/{first["ETag"]}').status_code == 304
    assert api.get(f"/apps/{app.name}", If_None_Match='"other"').status_code == 200


def test_head_answers_like_get_without_the_body(api: Caller) -> None:
    whole, head = api.get("/account"), api.call("HEAD", "/account")
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Length"] == str(len(whole.content))
    assert head["ETag"] == whole["ETag"]


def test_a_request_id_is_kept_or_made(api: Caller) -> None:
    grown = "01234567-89ab-cdef-0123-456789abcdef,89abcdef-0123-4567-89ab-cdef01234567"
    assert api.get("/account", Request_Id=grown)["Request-Id"] == grown
    made = api.get("/account", Request_Id="short")["Request-Id"]
    assert len(made) == 36 and made != api.get("/account")["Request-Id"]


def test_a_method_that_a_path_does_not_know_is_told_which_it_knows(api: Caller) -> None:
    answer = api.put("/account")
    assert (answer.status_code, answer.json()["id"]) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET, PATCH, HEAD"


@pytest.mark.parametrize(
    ("method", "path", "status", "identity"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/apps/", 404, "not_found"),
        ("POST", "/pipelines/x/promote", 404, "not_found"),
        ("POST", "/spaces", 501, "not_implemented"),
        ("POST", "/apps/tidy-harbor/collaborators", 501, "not_implemented"),
        ("GET", "/spaces/x/nat", 501, "not_implemented"),
        ("POST", "/app-setups", 501, "not_implemented"),
        ("DELETE", "/apps/tidy-harbor/build-cache", 501, "not_implemented"),
    ],
)
def test_what_is_not_served_is_said_in_a_sentence(
    api: Caller, method: str, path: str, status: int, identity: str
) -> None:
    answer = api.call(method, path)
    assert (answer.status_code, answer.json()["id"]) == (status, identity)
    assert answer["Content-Type"] == "application/json"
    assert answer.json()["message"].endswith(".")


def test_another_version_is_not_acceptable(api: Caller) -> None:
    answer = api.get("/account", Accept="application/vnd.heroku+json; version=2")
    assert (answer.status_code, answer.json()["id"]) == (406, "not_acceptable")


def test_parts_of_a_path_are_matched_as_sent_and_decoded_after(api: Caller, app: App) -> None:
    assert api.get("/buildpacks/heroku%2Fpython").status_code == 200
    assert api.get("/buildpacks/heroku/python").status_code == 404
    assert api.get("/apps/tidy%2Dharbor").json()["name"] == "tidy-harbor"
    assert api.get("/apps/tidy-harbor%2Freleases").json()["resource"] == "app"
    for odd in ("%00", "%ff%fe", "%", "%2", "..%2f..", "%0a", "\u2603".encode().hex()):
        assert api.get(f"/apps/{odd}").status_code == 404


def test_a_body_that_is_no_object_is_a_bad_request(api: Caller) -> None:
    for raw in (b"{", b"[]", b"name=x", b"\xff"):
        answer = api.call("POST", "/apps", raw)
        assert (answer.status_code, answer.json()["id"]) == (400, "bad_request")


def test_a_host_that_is_none_is_a_bad_request_and_no_error(api: Caller, app: App) -> None:
    answer = api.post(f"/apps/{app.name}/log-sessions", {}, Host="a b/c")
    assert answer.status_code == 400
