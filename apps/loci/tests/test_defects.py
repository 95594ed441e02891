"""The faults that applications of this kind are known for, one test or more for each."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from loci.api import TokenPair
from loci.models import Grant
from support import change, rows, signed_in_session

APP = Path(__file__).resolve().parents[1]


def setting(name: str, **environment: str) -> str:
    """The value of a production setting under the given environment, in a fresh interpreter."""
    code = f"import config.settings.production as s; print(s.{name})"
    arguments = [sys.executable, "-c", code]
    done = subprocess.run(
        arguments,
        cwd=APP,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


# 1. the documented name of a variable is the one that is read


@pytest.mark.parametrize(
    ("environment", "value"),
    [
        ({}, "False"),
        ({"DEBUG": "false"}, "False"),
        ({"DEBUG": "true"}, "True"),
        ({"DJANGO_DEBUG": "true"}, "True"),
        ({"DEBUG": "false", "DJANGO_DEBUG": "true"}, "False"),
        ({"DEBUG": "true", "DJANGO_DEBUG": "false"}, "True"),
    ],
)
def test_debug_has_its_documented_name_and_its_older_one(environment: dict[str, str], value: str) -> None:
    assert setting("DEBUG", **environment) == value


# 2. defaults are the documented ones


def test_the_default_api_is_the_documented_one() -> None:
    assert setting("API_URL") == "https://api.23andme.com"
    assert setting("API_URL", API_URL="") == "https://api.23andme.com"
    assert setting("API_URL", API_URL="https://api.example/") == "https://api.example"


# 3. the documentation says what serves static files, and that does


@pytest.mark.build
def test_static_files_are_served_by_what_the_documentation_names(loci: Any) -> None:
    assert "WhiteNoise" in (APP / "docs/production.md").read_text()
    page = loci.session().get(loci.url).text
    for address in re.findall(r'"(/static/[^"]+)"', page):
        answer = loci.session().get(loci.url + address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]


# 4. nobody can be signed in by somebody else's link


def test_a_sign_in_that_another_browser_began_is_refused(person: Any, other_person: Any) -> None:
    answer = other_person.receive(person.answer_for())
    assert answer.status_code == 400
    assert "not started here" in answer.content.decode()
    assert Grant.objects.count() == 0


@pytest.mark.parametrize("forged", [{"state": "made-up"}, {"state": ""}, {"state": '{"origin_uri": "/"}'}])
def test_a_made_up_state_is_refused(person: Any, forged: dict[str, str]) -> None:
    assert person.receive(person.answer_for() | forged).status_code == 400
    assert Grant.objects.count() == 0


def test_an_answer_cannot_be_used_twice(person: Any) -> None:
    answer = person.answer_for()
    assert person.receive(answer).status_code == 302
    assert person.receive(answer).status_code == 400


def test_a_code_of_another_sign_in_does_not_fit(person: Any, other_person: Any) -> None:
    """The code is good and the state is this browser's own; the PKCE verifier gives it away."""
    stolen = other_person.answer_for("brook")["code"]
    answer = person.receive(person.answer_for() | {"code": stolen})
    assert answer.status_code == 400
    assert Grant.objects.count() == 0


# 5. the page to return to is on this site


@pytest.mark.parametrize(
    "evil", ["/\\evil.example", "//evil.example", "https://evil.example/", "javascript:alert(1)"]
)
def test_a_sign_in_never_leads_elsewhere(person: Any, evil: str) -> None:
    answer = person.sign_in(next_url=evil)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


def test_switching_profiles_never_leads_elsewhere(person: Any) -> None:
    person.sign_in("brook")
    profile = person.get("/").context["visit"].account.profiles[1].id
    answer = person.client.post("/profile/", {"profile": profile, "next": "/\\evil.example"}, secure=True)
    assert answer.headers["Location"] == "/"


# 6. the API's certificate is verified


def test_a_sign_in_fails_when_the_apis_certificate_is_not_trusted(person: Any, settings: Any) -> None:
    answer = person.answer_for()
    settings.API_CA_FILE = ""
    failed = person.receive(answer)
    assert failed.status_code == 502
    assert "could not be reached" in failed.content.decode()


def test_verification_is_switched_off_nowhere() -> None:
    for path in [*APP.glob("loci/**/*.py"), *APP.glob("config/**/*.py")]:
        assert not re.search(r"verify\s*=\s*False|CERT_NONE|_create_unverified", path.read_text()), path


# 7. tokens are refreshed, once, and a refusal does not go round in circles


def test_an_ended_token_is_renewed_without_anybody_noticing(person: Any) -> None:
    person.sign_in()
    before = Grant.objects.get()
    Grant.objects.update(expires_at=timezone.now())
    assert person.get("/").status_code == 200
    after = Grant.objects.get()
    assert after.access_token != before.access_token and after.refresh_token != before.refresh_token
    assert after.expires_at > timezone.now() + timedelta(hours=23)


def test_a_token_that_the_api_refuses_early_is_renewed_too(person: Any) -> None:
    person.sign_in()
    grant = Grant.objects.get()
    grant.hold(_pair("f" * 32, grant.refresh_token))
    grant.expires_at = timezone.now() + timedelta(hours=1)
    grant.save()
    assert person.get("/").status_code == 200
    assert Grant.objects.get().access_token != "f" * 32


def test_a_refused_renewal_leads_to_sign_in_once_and_then_to_a_page(person: Any) -> None:
    person.sign_in()
    _spoil(age=timedelta(hours=1))
    again = person.get("/accession/NC_000001.10/")
    assert (again.status_code, again.headers["Location"]) == (
        302,
        "/login/?next=%2Faccession%2FNC_000001.10%2F",
    )
    assert Grant.objects.count() == 0
    person.sign_in()
    _spoil(age=timedelta(0))
    page = person.get("/")
    assert page.status_code == 401
    assert "Sign in again" in page.content.decode()
    assert person.get("/").status_code == 200  # signed out: the start page


def test_a_script_gets_a_401_and_no_redirect(person: Any) -> None:
    assert person.get("/accession/NC_000001.10/", **{"X-Requested-With": "XMLHttpRequest"}).status_code == 401
    person.sign_in()
    _spoil(age=timedelta(hours=1))
    answer = person.get("/", Accept="application/json")
    assert (answer.status_code, answer.json()["error"]) == (401, "sign-in-ended")


def test_a_changed_key_asks_to_sign_in_again(person: Any, settings: Any) -> None:
    person.sign_in()
    settings.SECRET_KEY = "another key, of the same length or nearly so, which opens nothing"
    page = person.get("/")
    assert page.status_code == 200 and "Sign in with 23andMe" in page.content.decode()


@pytest.mark.build
def test_many_requests_at_once_renew_a_token_once(loci: Any, sandbox: Any) -> None:
    session = signed_in_session(loci, sandbox, "ada")
    issued = rows(sandbox, "select count(*) from sandbox_token")[0][0]
    change(loci, "update loci_grant set expires_at = '2020-01-01 00:00:00'")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: session.get(loci.url).status_code, range(8)))
    assert answers == [200] * 8
    assert rows(sandbox, "select count(*) from sandbox_token")[0][0] == issued + 1


# 8. accounts have any number of profiles, and a choice is remembered


def test_an_account_without_profiles_is_greeted(person: Any) -> None:
    person.sign_in("cleo")
    page = person.get("/")
    assert page.status_code == 200
    assert "Hello, Cleo" in page.content.decode() and "no profiles yet" in page.content.decode()


def test_the_first_profile_is_shown_until_another_is_chosen(person: Any) -> None:
    person.sign_in("brook")
    profiles = person.get("/").context["visit"].account.profiles
    assert person.get("/").context["visit"].profile == profiles[0]
    person.client.post("/profile/", {"profile": profiles[2].id}, secure=True)
    assert person.get("/").context["visit"].profile == profiles[2]
    assert person.get("/accession/NC_000001.10/").context["visit"].profile == profiles[2]


def test_a_profile_of_somebody_else_cannot_be_chosen(person: Any, other_person: Any) -> None:
    other_person.sign_in("ada")
    foreign = other_person.get("/").context["visit"].profile
    person.sign_in("brook")
    assert person.client.post("/profile/", {"profile": foreign.id}, secure=True).status_code == 400
    assert person.get("/").context["visit"].profile != foreign


# 9. tokens are neither in the session nor readable in the database nor in the log


def test_a_session_holds_the_number_of_a_row_and_no_token(person: Any) -> None:
    person.sign_in()
    grant = Grant.objects.get()
    held = dict(person.client.session)
    assert held.pop("grant") == str(grant.id)
    assert held == {"handshakes": {}}


@pytest.mark.build
def test_no_token_code_or_id_is_in_loci_s_files_or_log(loci: Any, sandbox: Any) -> None:
    session = signed_in_session(loci, sandbox, "brook")
    assert session.get(loci.url).status_code == 200
    stored = b"".join(path.read_bytes() for path in loci.folder.glob("db.sqlite3*"))
    assert b"loci_grant" in stored
    for digest in [row[0] for row in rows(sandbox, "select access_digest from sandbox_token")]:
        assert not any(_digest(found) == digest for found in re.findall(rb"\b[0-9a-f]{32}\b", stored))
    assert "GET /receive_code/" in loci.log
    assert not re.search(r"\b[0-9a-f]{32}\b|[?&](code|state)=|Bearer [^\[]", loci.log)


# 10. personal answers are kept in no cache


def test_personal_pages_are_not_stored_by_anybody(person: Any) -> None:
    person.sign_in()
    for path in ("/", "/accession/NC_000001.10/", "/logout/", "/_auth_status/", "/nothing-here/"):
        assert "no-store" in person.get(path).headers["Cache-Control"]


def test_the_account_is_asked_for_each_time(person: Any, with_sandbox: Any) -> None:
    person.sign_in()
    assert person.get("/").status_code == 200
    change(with_sandbox, "update sandbox_token set revoked_at = '2020-01-01 00:00:00'")
    assert person.get("/").status_code == 401


# 11. sessions, sign-out and the content policy


def test_signing_in_changes_the_sessions_key(person: Any) -> None:
    answer = person.answer_for()
    before = person.client.session.session_key
    person.receive(answer)
    assert before and person.client.session.session_key != before


def test_a_second_sign_in_deletes_the_first_ones_tokens(person: Any) -> None:
    person.sign_in("ada")
    person.sign_in("brook")
    assert Grant.objects.count() == 1


def test_a_link_signs_nobody_out(person: Any) -> None:
    person.sign_in()
    page = person.get("/logout/")
    assert page.status_code == 200 and "Sign out?" in page.content.decode()
    assert person.get("/_auth_status/").json()["status"] == "authenticated"


def test_signing_out_needs_the_forms_token_and_deletes_everything(person: Any) -> None:
    person.sign_in()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = person.client.cookies
    assert strict.post("/logout/", secure=True).status_code == 403
    answer = person.client.post("/logout/", secure=True)
    leads_to = urlsplit(answer.headers["Location"])
    assert leads_to.path == "/logout/"
    assert parse_qs(leads_to.query) == {"redirect_uri": ["https://testserver/"]}
    assert Grant.objects.count() == 0
    assert person.get("/_auth_status/").json() == {"status": "not authenticated"}


def test_the_content_policy_allows_nothing_inline_and_no_other_host(person: Any) -> None:
    answer = person.get("/")
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"script-src 'self' 'nonce-([^']+)'", policy)
    assert nonce and f'nonce="{nonce[1]}"' in answer.content.decode()
    assert "unsafe" not in policy and "https:" not in policy.replace(
        "form-action 'self' https://api.invalid", ""
    )
    assert "default-src 'none'" in policy
    assert not re.search(r"<style|<script(?![^>]*src=)| style=| on\w+=", answer.content.decode())


def test_tokens_of_sessions_that_nobody_uses_are_swept_away(person: Any, other_person: Any) -> None:
    person.sign_in()
    Grant.objects.update(used_at=timezone.now() - timedelta(hours=13))
    other_person.sign_in("brook")
    assert Grant.objects.count() == 1


# 12. nothing secret or untrue lies in the tree


def test_no_key_is_part_of_the_tree() -> None:
    tracked = subprocess.run(["git", "ls-files", "-z", "."], cwd=APP, capture_output=True, check=False).stdout
    for name in tracked.decode().split("\0"):
        content = (APP / name).read_bytes() if name and (APP / name).is_file() else b""
        assert not re.search(rb"-----BEGIN [A-Z ]*PRIVATE KEY", content), name


def test_every_path_of_the_pipeline_exists() -> None:
    for path in re.findall(r"'(loci/assets/[^'*]+)", (APP / "Gruntfile.js").read_text()):
        assert (APP / path).exists(), path


# 13. what the API does wrong becomes a page that helps


@pytest.mark.parametrize(
    ("answer", "status", "title"),
    [
        ((400, {}, b""), 502, "cannot be used"),
        ((403, {}, b""), 403, "not shared with Loci"),
        ((404, {}, b""), 404, "does not know this"),
        ((422, {}, b""), 502, "cannot be used"),
        ((429, {"Retry-After": "7"}, b""), 503, "Too many questions"),
        ((500, {}, b""), 502, "cannot be used"),
        ((524, {}, b""), 502, "cannot be used"),
        ((200, {}, b"<html>"), 502, "cannot be used"),
        ((200, {}, b'{"data": ['), 502, "cannot be used"),
        (None, 504, "did not answer in time"),
    ],
)
def test_failures_of_the_api_have_pages(
    person: Any, settings: Any, failing_api: Any, answer: Any, status: int, title: str
) -> None:
    person.sign_in()
    failing_api.answer = lambda path: answer
    settings.API_URL, settings.API_TIMEOUT = failing_api.url, (1.0, 0.3)
    page = person.get("/accession/NC_000001.10/")
    assert page.status_code == status
    assert title in page.content.decode() and 'class="button"' in page.content.decode()
    assert page.headers.get("Retry-After") == ("7" if status == 503 else None)
    assert Grant.objects.count() == 1


def test_a_refusal_by_the_person_is_respected(person: Any) -> None:
    page = person.receive(person.answer_for(answer="no"))
    assert page.status_code == 403
    assert "You chose not to share" in page.content.decode()
    assert Grant.objects.count() == 0


def test_an_answer_without_a_code_offers_to_start_again(person: Any) -> None:
    state = parse_qs(urlsplit(person.begin()).query)["state"][0]
    page = person.receive({"state": state})
    assert page.status_code == 400
    assert "/login/?next=%2F" in page.content.decode()


def test_a_failure_while_signing_in_leaves_nothing_behind(
    person: Any, settings: Any, failing_api: Any
) -> None:
    answer = person.answer_for()
    settings.API_URL = failing_api.url
    assert person.receive(answer).status_code == 502
    assert Grant.objects.count() == 0
    assert person.get("/_auth_status/").json() == {"status": "not authenticated"}


def _pair(access: str, refresh: str) -> TokenPair:
    return TokenPair(access, refresh, 60, "basic names")


def _spoil(age: timedelta) -> None:
    """Tokens that the API has never seen, of a grant this old."""
    spoilt = Grant.of(_pair("e" * 32, "d" * 32))
    Grant.objects.update(
        access_token_sealed=spoilt.access_token_sealed,
        refresh_token_sealed=spoilt.refresh_token_sealed,
        created_at=timezone.now() - age,
    )


def _digest(found: bytes) -> str:
    return sha256(found).hexdigest()
