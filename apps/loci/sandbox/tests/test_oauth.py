"""The sandbox's OAuth, by the clients that have to work with it."""

from __future__ import annotations

import base64
import re
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from requests_oauthlib import OAuth2Session
from support import change, grant

CLIENT_ID, CLIENT_SECRET = "10c1" * 8, "5ec2" * 8
CALLBACK = "https://other.example/callback?kept=1"
VERIFIER = "a-verifier-of-exactly-forty-three-letters-x"
CHALLENGE = base64.urlsafe_b64encode(sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def authorize_url(sandbox: Any, **parameters: str) -> str:
    asked = {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": CALLBACK,
        "scope": "basic names",
    }
    asked = {name: value for name, value in (asked | parameters).items() if value is not None}
    return f"{sandbox.url}/authorize/?{urlencode(asked)}"


def answer_to(sandbox: Any, persona: str = "ada", answer: str = "yes", **parameters: str) -> dict[str, str]:
    location = grant(sandbox.session(), authorize_url(sandbox, **parameters), persona, answer)
    assert location.startswith("https://other.example/callback?")
    return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def ask(sandbox: Any, **form: str) -> requests.Response:
    base = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "redirect_uri": CALLBACK}
    sent = {name: value for name, value in (base | form).items() if value is not None}
    return sandbox.session().post(f"{sandbox.url}/token/", sent)


def tokens(sandbox: Any, persona: str = "ada", **parameters: str) -> dict[str, Any]:
    code = answer_to(sandbox, persona, **parameters)["code"]
    answer = ask(sandbox, grant_type="authorization_code", code=code)
    assert answer.status_code == 200, answer.text
    return answer.json()


def account(sandbox: Any, token: str) -> requests.Response:
    return sandbox.session().get(f"{sandbox.url}/3/account/", headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("in_body", [False, True], ids=["HTTP Basic", "form"])
def test_requests_oauthlib_signs_in_and_refreshes(sandbox: Any, in_body: bool) -> None:
    client = OAuth2Session(CLIENT_ID, redirect_uri=CALLBACK, scope=["basic", "names"], pkce="S256")
    client.verify, client.trust_env = sandbox.authority, False
    address, state = client.authorization_url(f"{sandbox.url}/authorize/")
    location = grant(sandbox.session(), address)
    credentials: dict[str, Any] = {"include_client_id": True, "client_secret": CLIENT_SECRET}
    if not in_body:
        credentials = {"auth": requests.auth.HTTPBasicAuth(CLIENT_ID, CLIENT_SECRET)}
    pair = client.fetch_token(
        f"{sandbox.url}/token/", authorization_response=location, verify=sandbox.authority, **credentials
    )
    assert parse_qs(urlsplit(location).query)["state"] == [state]
    assert (pair["token_type"], pair["expires_in"], pair["scope"]) == ("bearer", 86400, ["basic", "names"])
    assert re.fullmatch("[0-9a-f]{32}", pair["access_token"]) and re.fullmatch(
        "[0-9a-f]{32}", pair["refresh_token"]
    )
    assert client.get(f"{sandbox.url}/1/user/").json()["profiles"][0]["genotyped"] is True
    renewed = client.refresh_token(
        f"{sandbox.url}/token",
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        verify=sandbox.authority,
    )
    assert renewed["refresh_token"] != pair["refresh_token"]


def test_the_answer_has_exactly_the_documented_fields(sandbox: Any) -> None:
    assert set(tokens(sandbox)) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}


def test_an_answer_keeps_the_redirect_uris_own_query_and_the_state(sandbox: Any) -> None:
    answer = answer_to(sandbox, state="a b&c")
    assert set(answer) == {"kept", "code", "state"}
    assert answer["state"] == "a b&c"


def test_no_is_an_answer(sandbox: Any) -> None:
    answer = answer_to(sandbox, answer="no", state="s")
    assert (answer["error"], answer["state"]) == ("access_denied", "s")
    assert "code" not in answer and answer["error_description"]


@pytest.mark.parametrize(
    "parameters",
    [
        {"client_id": "f" * 32},
        {"client_id": ""},
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": CALLBACK + "&more=1"},
        {"redirect_uri": "https://other.example/callback"},
        {"redirect_uri": ""},
    ],
)
def test_what_cannot_be_trusted_is_never_redirected(sandbox: Any, parameters: dict[str, str]) -> None:
    answer = sandbox.session().get(authorize_url(sandbox, **parameters), allow_redirects=False)
    assert answer.status_code == 400
    assert "Location" not in answer.headers


def test_a_parameter_that_comes_twice_is_refused(sandbox: Any) -> None:
    address = authorize_url(sandbox) + "&redirect_uri=https%3A%2F%2Fevil.example%2F"
    assert sandbox.session().get(address, allow_redirects=False).status_code == 400


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"scope": "basic everything"}, "invalid_scope"),
        ({"code_challenge": VERIFIER, "code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": "short", "code_challenge_method": "S256"}, "invalid_request"),
        ({"code_challenge_method": "S256"}, "invalid_request"),
    ],
)
def test_other_errors_are_told_to_the_application(
    sandbox: Any, parameters: dict[str, str], error: str
) -> None:
    answer = sandbox.session().get(authorize_url(sandbox, state="s", **parameters), allow_redirects=False)
    found = parse_qs(urlsplit(answer.headers["Location"]).query)
    assert answer.headers["Location"].startswith(CALLBACK)
    assert (found["error"], found["state"]) == ([error], ["s"])


def test_a_request_by_post_is_only_another_spelling(sandbox: Any) -> None:
    address, _, query = authorize_url(sandbox, scope="basic rs12913832 i3000001 genomes").partition("?")
    site = sandbox.session()
    answer = site.post(address, query, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert "/cas/login/" in answer.url
    grant(site, answer.url)
    signed_in = site.post(address, query, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert "Data sharing authorization" in signed_in.text and "rs12913832" in signed_in.text


def test_consent_cannot_be_given_by_another_site(sandbox: Any) -> None:
    site = sandbox.session()
    grant(site, authorize_url(sandbox))
    page = site.get(authorize_url(sandbox)).text
    signed = re.search(r'name="request" value="([^"]+)"', page)
    assert signed
    form = {"request": signed[1], "answer": "yes"}
    answer = site.post(f"{sandbox.url}/authorize/decide/", form, allow_redirects=False)
    assert answer.status_code == 403


def test_a_changed_consent_form_is_refused(sandbox: Any) -> None:
    site = sandbox.session()
    grant(site, authorize_url(sandbox))
    page = site.get(authorize_url(sandbox))
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token
    form = {"request": "forged", "answer": "yes", "csrfmiddlewaretoken": token[1]}
    headers = {"Referer": page.url}
    assert site.post(f"{sandbox.url}/authorize/decide/", form, headers=headers).status_code == 400


def test_signing_in_leads_to_no_other_site(sandbox: Any) -> None:
    site = sandbox.session()
    for wanted in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        address = f"{sandbox.url}/cas/login/?{urlencode({'redirect': wanted})}"
        token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', site.get(address).text)
        assert token
        form = {"persona": "ada", "password": "any", "csrfmiddlewaretoken": token[1]}
        answer = site.post(address, form, headers={"Referer": address}, allow_redirects=False)
        assert answer.headers["Location"] == "/"


def test_signing_out_returns_to_registered_applications_only(sandbox: Any) -> None:
    site = sandbox.session()
    for wanted, status in (("https://other.example/anywhere", 302), ("https://evil.example/", 200)):
        address = f"{sandbox.url}/logout/?{urlencode({'redirect_uri': wanted})}"
        assert site.get(address, allow_redirects=False).status_code == status


def test_a_code_works_once_and_its_second_use_revokes_what_the_first_gave(sandbox: Any) -> None:
    code = answer_to(sandbox)["code"]
    first = ask(sandbox, grant_type="authorization_code", code=code).json()
    assert account(sandbox, first["access_token"]).status_code == 200
    second = ask(sandbox, grant_type="authorization_code", code=code)
    assert (second.status_code, second.json()["error"]) == (400, "invalid_grant")
    assert account(sandbox, first["access_token"]).status_code == 401


def test_of_many_uses_at_once_one_wins(sandbox: Any) -> None:
    code = answer_to(sandbox)["code"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda _: ask(sandbox, grant_type="authorization_code", code=code).status_code, range(6))
        )
    assert sorted(answers) == [200, 400, 400, 400, 400, 400]


def test_a_code_ends_after_ten_minutes(sandbox: Any) -> None:
    code = answer_to(sandbox)["code"]
    digest = sha256(code.encode()).hexdigest()
    change(
        sandbox,
        f"update sandbox_code set expires_at = datetime(expires_at, '-10 minutes') where digest = '{digest}'",
    )
    assert ask(sandbox, grant_type="authorization_code", code=code).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("verifier", [None, "w" * 43, "short", VERIFIER + "x"])
def test_a_code_with_a_challenge_needs_its_verifier(sandbox: Any, verifier: str) -> None:
    answer = answer_to(sandbox, code_challenge=CHALLENGE, code_challenge_method="S256")
    refused = ask(sandbox, grant_type="authorization_code", code=answer["code"], code_verifier=verifier)
    assert refused.json()["error"] == "invalid_grant"
    good = ask(sandbox, grant_type="authorization_code", code=answer["code"], code_verifier=VERIFIER)
    assert good.status_code == 200


def test_a_verifier_without_a_challenge_is_refused(sandbox: Any) -> None:
    code = answer_to(sandbox)["code"]
    refused = ask(sandbox, grant_type="authorization_code", code=code, code_verifier=VERIFIER)
    assert refused.json()["error"] == "invalid_grant"


def test_a_refresh_token_works_once_and_gives_a_new_pair(sandbox: Any) -> None:
    pair = tokens(sandbox)
    renewed = ask(
        sandbox, grant_type="refresh_token", refresh_token=pair["refresh_token"], scope="basic names"
    )
    assert renewed.status_code == 200
    assert account(sandbox, renewed.json()["access_token"]).status_code == 200
    again = ask(sandbox, grant_type="refresh_token", refresh_token=pair["refresh_token"])
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")


def test_a_refresh_may_narrow_the_scope_and_not_widen_it(sandbox: Any) -> None:
    pair = tokens(sandbox)
    wider = ask(
        sandbox, grant_type="refresh_token", refresh_token=pair["refresh_token"], scope="basic genomes"
    )
    assert wider.json()["error"] == "invalid_scope"
    narrower = ask(sandbox, grant_type="refresh_token", refresh_token=pair["refresh_token"], scope="basic")
    assert narrower.json()["scope"] == "basic"
    assert account(sandbox, narrower.json()["access_token"]).json()["data"][0]["first_name"] is None


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"grant_type": None}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, 400, "invalid_request"),
        ({"grant_type": "authorization_code", "code": "nonsense"}, 400, "invalid_grant"),
        ({"grant_type": "authorization_code", "code": "x", "redirect_uri": None}, 400, "invalid_request"),
        ({"grant_type": "refresh_token"}, 400, "invalid_request"),
        ({"grant_type": "refresh_token", "refresh_token": "nonsense"}, 400, "invalid_grant"),
        ({"grant_type": "refresh_token", "client_secret": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "refresh_token", "client_id": "wrong"}, 401, "invalid_client"),
        ({"grant_type": "refresh_token", "client_secret": None}, 401, "invalid_client"),
    ],
)
def test_wrong_token_requests_are_named(sandbox: Any, form: dict[str, str], status: int, error: str) -> None:
    answer = ask(sandbox, **form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert set(answer.json()) == {"error", "error_description"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_code_is_bound_to_its_redirect_uri(sandbox: Any) -> None:
    code = answer_to(sandbox)["code"]
    other = "https://testserver/receive_code/"
    answer = ask(sandbox, grant_type="authorization_code", code=code, redirect_uri=other)
    assert answer.json()["error"] == "invalid_grant"


def test_parameters_in_the_address_do_not_count(sandbox: Any) -> None:
    code = answer_to(sandbox)["code"]
    query = {
        "grant_type": "authorization_code",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "code": code,
        "redirect_uri": CALLBACK,
    }
    assert sandbox.session().post(f"{sandbox.url}/token/", params=query).status_code == 401
    assert sandbox.session().get(f"{sandbox.url}/token/", params=query).status_code == 405


def test_a_scope_sent_with_a_code_changes_nothing(sandbox: Any) -> None:
    code = answer_to(sandbox)["code"]
    answer = ask(sandbox, grant_type="authorization_code", code=code, scope="genomes")
    assert answer.json()["scope"] == "basic names"


def test_a_token_for_one_profile_covers_no_other(sandbox: Any) -> None:
    site = sandbox.session()
    address = authorize_url(sandbox, select_profile="true")
    page = site.get(address)
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page.text)
    assert token
    form = {"persona": "brook", "csrfmiddlewaretoken": token[1]}
    page = site.post(page.url, form, headers={"Referer": page.url})
    first, second, _ = re.findall(r'name="profile" value="(\w+)"', page.text)
    location = grant(site, address, profile=second)
    code = parse_qs(urlsplit(location).query)["code"][0]
    pair = ask(sandbox, grant_type="authorization_code", code=code).json()
    assert account(sandbox, pair["access_token"]).json()["data"][0]["profiles"] == [second]
    other = sandbox.session().get(
        f"{sandbox.url}/3/profile/{first}/", headers={"Authorization": f"Bearer {pair['access_token']}"}
    )
    assert other.status_code == 403
