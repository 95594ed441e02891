"""The sandbox's resources: their shapes, scopes and errors."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from sandbox.personas import PERSONAS, stable_id
from support import change, grant

PROJECT = Path(__file__).resolve().parents[1]
CLIENT = {
    "client_id": "10c1" * 8,
    "client_secret": "5ec2" * 8,
    "redirect_uri": "https://testserver/receive_code/",
}
EVERYTHING = "basic names email"


def token_of(sandbox: Any, persona: str, scope: str = EVERYTHING) -> str:
    query = {"response_type": "code", "scope": scope} | {k: CLIENT[k] for k in ("client_id", "redirect_uri")}
    location = grant(sandbox.session(), f"{sandbox.url}/authorize/?{urlencode(query)}", persona)
    form = CLIENT | {
        "grant_type": "authorization_code",
        "code": parse_qs(urlsplit(location).query)["code"][0],
    }
    return sandbox.session().post(f"{sandbox.url}/token/", form).json()["access_token"]


def get(sandbox: Any, path: str, token: str | None = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return sandbox.session().get(sandbox.url + path, headers=headers)


def test_all_accessions_are_listed_without_a_token(sandbox: Any) -> None:
    answer = get(sandbox, "/3/accession/").json()
    assert set(answer) == {"data", "links"} and answer["links"] == {"next": None}
    assert len(answer["data"]) == 25
    for item in answer["data"]:
        assert set(item) == {"id", "chromosome", "length"}
        assert (type(item["id"]), type(item["chromosome"]), type(item["length"])) == (str, str, int)
    assert [item["chromosome"] for item in answer["data"]] == [*map(str, range(1, 23)), "X", "Y", "MT"]
    # The published total of the assembly's 24 chromosomes, and the mitochondrial reference.
    assert sum(item["length"] for item in answer["data"]) == 3095677412 + 16569


def test_one_accession_is_a_bare_object(sandbox: Any) -> None:
    for path in ("/3/accession/NC_000004.11/", "/3/accession/NC_000004.11"):
        assert get(sandbox, path).json() == {"id": "NC_000004.11", "chromosome": "4", "length": 191154276}


def test_accessions_are_chosen_by_chromosome(sandbox: Any) -> None:
    assert [item["id"] for item in get(sandbox, "/3/accession/?chromosome=MT").json()["data"]] == [
        "NC_012920.1"
    ]
    assert get(sandbox, "/3/accession/?chromosome=23").json()["data"] == []


def test_next_leads_through_all_pages(sandbox: Any) -> None:
    address, seen = f"{sandbox.url}/3/accession/?limit=10", []
    while address:
        answer = sandbox.session().get(address).json()
        seen += [item["id"] for item in answer["data"]]
        address = answer["links"]["next"]
    assert len(seen) == len(set(seen)) == 25


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=ten", "offset=-1", "limit=٣"])
def test_impossible_pages_are_422(sandbox: Any, query: str) -> None:
    answer = get(sandbox, f"/3/accession/?{query}")
    assert (answer.status_code, answer.json()["error"]) == (422, "invalid_request")


def test_an_account_is_a_list_of_one(sandbox: Any) -> None:
    token = token_of(sandbox, "ada")
    plain = get(sandbox, "/3/account/", token).json()
    assert plain["links"] == {"next": None} and len(plain["data"]) == 1
    assert set(plain["data"][0]) == {"id", "first_name", "last_name", "email", "profiles"}
    assert plain["data"][0]["profiles"] == [PERSONAS["ada"].profiles[0].id]
    detailed = get(sandbox, "/3/account/?include=profiles", token).json()["data"][0]
    assert detailed["profiles"] == [
        {
            "id": stable_id("profile", "ada"),
            "first_name": "Ada",
            "last_name": "Lark",
            "is_genotyped": True,
            "is_ancestry_only": False,
            "profile_image": None,
        }
    ]


def test_names_and_address_need_their_scopes(sandbox: Any) -> None:
    token = token_of(sandbox, "ada", "basic")
    account = get(sandbox, "/3/account/?include=profiles", token).json()["data"][0]
    assert (account["first_name"], account["last_name"], account["email"]) == (None, None, None)
    assert account["profiles"][0]["first_name"] is None
    refused = get(sandbox, "/1/names/", token)
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
    assert get(sandbox, "/1/user/?email=true", token).status_code == 403


@pytest.mark.parametrize(
    ("persona", "flags"),
    [
        ("ada", [(True, False)]),
        ("brook", [(True, False), (True, False), (False, False)]),
        ("cleo", []),
        ("esme", [(True, True)]),
        ("demo", [(True, False)]),
    ],
)
def test_the_people_are_what_they_are_described_as(sandbox: Any, persona: str, flags: list[Any]) -> None:
    account = get(sandbox, "/3/account/?include=profiles", token_of(sandbox, persona)).json()["data"][0]
    assert [(item["is_genotyped"], item["is_ancestry_only"]) for item in account["profiles"]] == flags


def test_a_profile_is_read_alone_by_its_owner(sandbox: Any) -> None:
    token, (own,) = token_of(sandbox, "ada"), PERSONAS["ada"].profiles
    assert get(sandbox, f"/3/profile/{own.id}/", token).json()["first_name"] == "Ada"
    assert [item["id"] for item in get(sandbox, "/3/profile/", token).json()["data"]] == [own.id]
    foreign = PERSONAS["esme"]
    assert get(sandbox, f"/3/profile/{foreign.profiles[0].id}/", token).status_code == 403
    assert get(sandbox, f"/3/profile/?account_id={foreign.account_id}", token).status_code == 403
    assert get(sandbox, "/3/profile/?account_id=nobody", token).status_code == 404
    assert get(sandbox, "/3/profile/nobody/", token).status_code == 404


def test_the_demonstration_token_reads_version_3_only(sandbox: Any) -> None:
    account = get(sandbox, "/3/account/?include=profiles", "demo_oauth_token").json()["data"][0]
    assert (account["id"], account["first_name"], account["last_name"]) == (
        "demo_account_id",
        "Erin",
        "Mendel",
    )
    assert [item["id"] for item in account["profiles"]] == ["demo_profile_id"]
    assert get(sandbox, "/1/user/", "demo_oauth_token").status_code == 401


def test_version_1_names_the_user(sandbox: Any) -> None:
    token = token_of(sandbox, "brook")
    plain = get(sandbox, "/1/user/", token).json()
    assert set(plain) == {"id", "profiles"} and set(plain["profiles"][0]) == {"id", "genotyped"}
    assert len(plain["id"]) == 16
    full = get(sandbox, "/1/user/?email=true&services=true", token).json()
    assert full["email"].endswith("@synthetic.invalid")
    assert {service["label"] for service in full["profiles"][0]["services"]} == {"pgs_health", "pgs_ancestry"}


def test_version_1_names_are_one_object(sandbox: Any) -> None:
    token = token_of(sandbox, "brook")
    names = get(sandbox, "/1/names/", token).json()
    assert set(names) == {"id", "first_name", "last_name", "profiles"} and len(names["profiles"]) == 3
    one = get(sandbox, f"/1/names/{names['profiles'][1]['id']}/", token).json()
    assert [item["first_name"] for item in one["profiles"]] == ["Linden"]


def test_version_1_has_two_anonymous_people_for_every_token(sandbox: Any) -> None:
    token = token_of(sandbox, "cleo", "basic")
    user, names = get(sandbox, "/1/demo/user/", token).json(), get(sandbox, "/1/demo/names/", token).json()
    assert len(user["profiles"]) == len(names["profiles"]) == 2
    assert get(sandbox, "/1/demo/user/").status_code == 401


@pytest.mark.parametrize(
    "authorization", [None, "Bearer ", "Bearer nonsense", "Basic abc", "demo_oauth_token"]
)
def test_without_a_good_token_there_is_401(sandbox: Any, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = sandbox.session().get(f"{sandbox.url}/3/account/", headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_token_ends_after_a_day(sandbox: Any) -> None:
    token = token_of(sandbox, "ada")
    change(sandbox, "update sandbox_token set expires_at = datetime(expires_at, '-1 day')")
    assert get(sandbox, "/3/account/", token).status_code == 401


def test_unknown_addresses_are_json_for_programs_and_pages_for_people(sandbox: Any) -> None:
    for path in ("/1/sharing/", "/3/nothing/", "/2/query/", "/3/accession/NC_9.9/"):
        answer = get(sandbox, path)
        assert (answer.status_code, answer.json()["error"]) == (404, "not_found")
    page = get(sandbox, "/nothing/")
    assert page.status_code == 404 and page.headers["Content-Type"].startswith("text/html")


def test_resources_are_only_read(sandbox: Any) -> None:
    assert sandbox.session().post(f"{sandbox.url}/3/accession/").status_code == 405


def test_every_answer_says_that_it_is_synthetic(sandbox: Any) -> None:
    for path in ("/", "/cas/login/", "/nothing/", "/3/accession/", "/3/account/", "/authorize/", "/logout/"):
        answer = get(sandbox, path)
        assert answer.headers["X-Synthetic-Data"] == "true"
        if answer.headers["Content-Type"].startswith("text/html"):
            assert "Synthetic data" in answer.text


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "import sandbox.wsgi"],
        cwd=PROJECT,
        env={"PATH": os.environ["PATH"], "DJANGO_SECRET_KEY": "key", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


REGISTERED = {
    "SANDBOX_CLIENT_ID": "a",
    "SANDBOX_CLIENT_SECRET": "b",
    "SANDBOX_REDIRECT_URIS": "https://a.example/",
}


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        (REGISTERED, "SANDBOX_ALLOW=1"),
        (REGISTERED | {"SANDBOX_ALLOW": "true"}, "SANDBOX_ALLOW=1"),
        (REGISTERED | {"DEBUG": "false"}, "SANDBOX_ALLOW=1"),
        ({"SANDBOX_ALLOW": "1"}, "SANDBOX_CLIENT_ID, SANDBOX_CLIENT_SECRET, SANDBOX_REDIRECT_URIS not set"),
        (REGISTERED | {"SANDBOX_ALLOW": "1"}, ""),
        (REGISTERED | {"DEBUG": "true"}, ""),
    ],
)
def test_the_sandbox_starts_only_where_it_may(environment: dict[str, str], complaint: str) -> None:
    done = start(**environment)
    assert (done.returncode == 0) is (complaint == ""), done.stderr
    assert complaint in done.stderr
