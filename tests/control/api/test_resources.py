"""The resources, as a client sees them; each answer is held against Heroku's schema by the caller."""

from __future__ import annotations

import json
import os
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from baton.base.paths import Home
from baton.control.api import blobs
from baton.control.models import App, Build, Domain, Release, Slug, Source, Token
from tests.control.api.conftest import Caller, make_app, make_release


def test_an_account_sees_itself_under_each_of_its_names(api: Caller) -> None:
    for name in ("~", "ada@example.com", str(api.user.pk)):
        assert api.get(f"/users/{name}").json()["email"] == "ada@example.com"
    assert api.get("/account").json()["id"] == str(api.user.pk)


def test_an_account_sees_no_other_account(api: Caller, stranger: Caller) -> None:
    assert api.get("/users/eve@example.com").status_code == 404
    assert api.get(f"/users/{stranger.user.pk}/apps").status_code == 404


def test_the_name_of_an_account_can_be_changed_and_taken_away(api: Caller) -> None:
    assert api.patch("/account", {"name": "Ada"}).json()["name"] == "Ada"
    assert api.patch("/users/~", {"name": None}).json()["name"] is None


def test_apps_are_listed_for_their_owner_only(api: Caller, stranger: Caller, app: App) -> None:
    make_app(stranger.user, "other-harbor")
    assert [found["name"] for found in api.get("/apps").json()] == ["tidy-harbor"]
    assert [found["name"] for found in api.get("/users/~/apps").json()] == ["tidy-harbor"]


def test_an_app_is_found_by_name_and_by_id_and_never_by_a_stranger(
    api: Caller, stranger: Caller, app: App
) -> None:
    for name in (app.name, str(app.pk), str(app.pk).upper()):
        assert api.get(f"/apps/{name}").json()["id"] == str(app.pk)
        assert stranger.get(f"/apps/{name}").json()["id"] == "not_found"


def test_an_app_tells_what_the_heroku_program_reads(api: Caller, app: App) -> None:
    found = api.get(f"/apps/{app.name}").json()
    assert found["generation"]["name"] == "cedar"
    assert found["stack"]["name"] == "heroku-24"
    assert found["buildpack_provided_description"] == "Python"
    assert found["git_url"].endswith("/tidy-harbor.git")
    assert found["web_url"].endswith("tidy-harbor.localhost:8443/")
    assert (found["repo_size"], found["slug_size"]) == (0, 0)


def test_an_app_that_is_being_destroyed_is_gone(api: Caller, app: App) -> None:
    app.destroyed_at = app.created_at
    app.save()
    assert api.get("/apps").json() == []
    assert api.get(f"/apps/{app.name}/releases").status_code == 404


PATHS_OF_AN_APP = """
addon-attachments addons available-dyno-sizes available-stacks buildpack-installations builds collaborators
config-vars domains dynos features formation log-drains pipeline-couplings releases sni-endpoints webhooks
""".split()


@pytest.mark.parametrize("path", PATHS_OF_AN_APP)
def test_nothing_of_an_app_is_shown_to_a_stranger(stranger: Caller, app: App, path: str) -> None:
    answer = stranger.get(f"/apps/{app.name}/{path}")
    assert (answer.status_code, answer.json()["resource"]) == (404, "app")


@pytest.mark.parametrize(
    "body",
    [
        {"name": "Ab"},
        {"name": "a"},
        {"name": "x" * 31},
        {"name": "ends-"},
        {"name": 7},
        {"name": "a\nb"},
        {"stack": "cedar-14"},
        {"region": "mars"},
        {"name": ["app"]},
    ],
)
def test_an_app_with_a_bad_name_stack_or_region_is_refused(api: Caller, body: dict[str, object]) -> None:
    answer = api.post("/apps", body)
    assert (answer.status_code, answer.json()["id"]) == (422, "invalid_params")
    assert next(iter(body)) in answer.json()["message"]


def test_the_owner_is_the_only_collaborator(api: Caller, app: App) -> None:
    [owner] = api.get(f"/apps/{app.name}/collaborators").json()
    assert (owner["user"]["email"], owner["role"]) == ("ada@example.com", "owner")
    assert api.get(f"/apps/{app.name}/collaborators/ada%40example.com").json() == owner
    assert api.get(f"/apps/{app.name}/collaborators/eve%40example.com").status_code == 404


def test_apps_are_filtered_by_id(api: Caller, stranger: Caller, app: App) -> None:
    other = make_app(stranger.user, "other-harbor")
    body = {"in": {"id": [str(app.pk), str(other.pk), "nonsense"]}}
    assert [found["name"] for found in api.post("/filters/apps", body).json()] == ["tidy-harbor"]
    assert api.post("/filters/apps", {"in": {"id": 7}}).status_code == 422


def test_a_release_is_found_by_number_with_or_without_v_and_by_id(api: Caller, app: App) -> None:
    record = app.releases.get(version=2)
    for name in ("2", "v2", str(record.pk)):
        assert api.get(f"/apps/{app.name}/releases/{name}").json()["version"] == 2
    for name in ("4", "v", "vv2", "2.0", str(uuid.uuid4()), "9" * 30, "²"):
        assert api.get(f"/apps/{app.name}/releases/{name}").json()["resource"] == "release"


def test_only_a_release_that_worked_and_has_its_slug_is_eligible_for_rollback(api: Caller, app: App) -> None:
    collected = Slug.objects.create(app=app, process_types={"web": "true"})
    make_release(app, 4, slug=app.releases.get(version=3).slug, status="failed")
    make_release(app, 5, slug=collected)
    found = api.get(f"/apps/{app.name}/releases").json()
    assert [release["eligible_for_rollback"] for release in found] == [False, True, True, False, False]
    for version in (1, 4, 5):
        answer = api.post(f"/apps/{app.name}/releases", {"release": f"v{version}"})
        assert answer.status_code == 422 and f"v{version}" in answer.json()["message"]


def test_the_newest_release_comes_first_when_the_range_asks_for_it(api: Caller, app: App) -> None:
    answer = api.get(f"/apps/{app.name}/releases", Range="version ..; order=desc,max=1")
    assert [release["version"] for release in answer.json()] == [3]
    assert answer.status_code == 206
    assert answer["Next-Range"] == "version ]3..; order=desc,max=1"


def test_a_release_points_to_its_output_where_a_release_phase_ran(api: Caller, app: App) -> None:
    first, second, _ = api.get(f"/apps/{app.name}/releases").json()
    assert first["output_stream_url"] is None
    assert second["output_stream_url"].startswith("http://testserver/streams/release/")


@pytest.mark.parametrize(
    "body", [{}, {"slug": "x", "release": "y"}, {"slug": "x"}, {"slug": 7}, {"release": True}]
)
def test_a_release_is_made_from_either_a_slug_or_a_release(
    api: Caller, app: App, body: dict[str, object]
) -> None:
    assert api.post(f"/apps/{app.name}/releases", body).status_code in (404, 422)


def test_a_slug_without_its_files_is_not_released(api: Caller, app: App) -> None:
    slug = api.post(f"/apps/{app.name}/slugs", {"process_types": {"web": "gunicorn"}})
    assert (slug.status_code, slug.json()["blob"]["method"]) == (201, "PUT")
    answer = api.post(f"/apps/{app.name}/releases", {"slug": slug.json()["id"]})
    assert answer.status_code == 422 and "PUT its tar.gz" in answer.json()["message"]
    assert api.get(f"/apps/{app.name}/slugs/{slug.json()['id']}").json()["process_types"] == {
        "web": "gunicorn"
    }


@pytest.mark.parametrize(
    "types", [None, [], {"web": 7}, {"we b": "x"}, {"web": ""}, {"web": "a\nb"}, {"": "x"}, {"x" * 51: "x"}]
)
def test_process_types_are_checked(api: Caller, app: App, types: object) -> None:
    assert api.post(f"/apps/{app.name}/slugs", {"process_types": types}).status_code == 422


def test_builds_are_listed_and_found_by_id(api: Caller, app: App) -> None:
    build = Build.objects.create(app=app, user=api.user, commit="c0ffee", buildpacks=["heroku/python"])
    [found] = api.get(f"/apps/{app.name}/builds").json()
    assert found["source_blob"]["version"] == "c0ffee"
    assert found["buildpacks"][0]["name"] == "heroku/python"
    assert api.get(f"/apps/{app.name}/builds/{build.pk}").json() == found
    assert api.get(f"/apps/{app.name}/builds/{uuid.uuid4()}").status_code == 404


def test_a_build_that_is_over_can_not_be_cancelled(api: Caller, app: App) -> None:
    build = Build.objects.create(app=app, user=api.user, status="failed")
    assert "it failed" in api.delete(f"/apps/{app.name}/builds/{build.pk}").json()["message"]


@pytest.mark.parametrize("blob", [None, {}, {"url": 7}, "x"])
def test_a_build_needs_a_source(api: Caller, app: App, blob: object) -> None:
    assert api.post(f"/apps/{app.name}/builds", {"source_blob": blob}).status_code == 422


def test_a_source_is_built_after_it_was_uploaded_and_by_its_owner_only(
    api: Caller, stranger: Caller, app: App
) -> None:
    source = api.post("/sources").json()["source_blob"]
    body = {"source_blob": {"url": source["get_url"]}}
    assert "PUT the tar.gz" in api.post(f"/apps/{app.name}/builds", body).json()["message"]
    make_app(stranger.user, "other-harbor")
    assert stranger.post("/apps/other-harbor/builds", body).status_code == 422


def test_domains_are_found_by_name_in_any_case_and_by_id(api: Caller, app: App) -> None:
    own = Domain.objects.create(app=app, hostname="tidy-harbor.localhost", kind="heroku")
    custom = Domain.objects.create(app=app, hostname="www.example.com")
    assert [found["kind"] for found in api.get(f"/apps/{app.name}/domains", Range="hostname ..").json()] == [
        "heroku",
        "custom",
    ]
    for name in ("www.example.com", "WWW.Example.COM", str(custom.pk)):
        assert api.get(f"/apps/{app.name}/domains/{name}").json()["cname"] == "tidy-harbor.localhost"
    assert api.delete(f"/apps/{app.name}/domains/{own.pk}").status_code == 422


@pytest.mark.parametrize(
    "hostname",
    [None, "", "localhost", "a b.com", "-a.com", "a..com", "x" * 64 + ".com", "http://a.com", 7, "a.com/"],
)
def test_a_domain_has_to_be_a_host_name(api: Caller, app: App, hostname: object) -> None:
    assert (
        api.post(f"/apps/{app.name}/domains", {"hostname": hostname, "sni_endpoint": None}).status_code == 422
    )


def test_buildpacks_are_set_by_registry_url_and_shown_with_their_short_names(api: Caller, app: App) -> None:
    path = f"/apps/{app.name}/buildpack-installations"
    url = api.get("/buildpacks/heroku%2Fnodejs").json()["blob_url"]
    given = [
        {"buildpack": url},
        {"buildpack": "https://github.com/ada/pack.git"},
        {"buildpack": "heroku/python"},
    ]
    found = api.put(path, {"updates": given}, Range="").json()
    assert [entry["ordinal"] for entry in found] == [0, 1, 2]
    assert [entry["buildpack"]["name"] for entry in found] == [
        "heroku/nodejs",
        "https://github.com/ada/pack.git",
        "heroku/python",
    ]
    assert found[0]["buildpack"]["url"] == url
    assert api.get(path).json() == found
    assert app.buildpacks.get(ordinal=0).url == "heroku/nodejs"
    assert api.put(path, {"updates": []}).json() == []


@pytest.mark.parametrize(
    "updates",
    [None, [{}], [{"buildpack": 7}], ["x"], [{"buildpack": "nobody/knows"}], [{"buildpack": "/etc"}]],
)
def test_a_buildpack_that_is_none_is_refused_and_the_old_ones_stay(
    api: Caller, app: App, updates: object
) -> None:
    path = f"/apps/{app.name}/buildpack-installations"
    api.put(path, {"updates": [{"buildpack": "heroku/python"}]})
    assert api.put(path, {"updates": updates}).status_code in (403, 422)
    assert [entry["buildpack"]["name"] for entry in api.get(path).json()] == ["heroku/python"]


def test_the_registry_knows_batons_buildpacks_and_no_others(api: Caller) -> None:
    assert [entry["name"] for entry in api.get("/buildpacks").json()] == ["python", "nodejs"]
    assert [entry["name"] for entry in api.get("/buildpacks?in[name][]=python").json()] == ["python"]
    assert api.get("/buildpacks?like[description]=npm").json()[0]["name"] == "nodejs"
    assert api.get("/buildpacks/heroku%2Fpython/readme").json()["encoding"] == "base64"
    assert api.get("/buildpacks/heroku%2Fcobol").json()["id"] == "not_found"


def test_what_there_is_to_choose_from_is_found_by_name_and_id(api: Caller) -> None:
    for path in ("stacks", "regions", "dyno-sizes", "generations"):
        for entry in api.get(f"/{path}").json():
            assert api.get(f"/{path}/{entry['name']}").json() == entry
            assert api.get(f"/{path}/{entry['id']}").json() == entry
        assert api.get(f"/{path}/nothing").status_code == 404


def test_a_token_is_shown_once_and_kept_as_its_digest(api: Caller) -> None:
    made = api.post("/oauth/authorizations", {"description": "CI", "scope": ["global"], "expires_in": 3600})
    secret = made.json()["access_token"]["token"]
    assert made.status_code == 201 and made.json()["access_token"]["expires_in"] > 3590
    assert Caller(api.user, secret).get("/account").status_code == 200
    shown = api.get(f"/oauth/authorizations/{made.json()['id']}").json()
    assert shown["access_token"]["token"] == "HRKU-********"
    assert secret not in json.dumps(list(Token.objects.values()), default=str)


def test_a_caller_finds_its_own_token_in_the_list(api: Caller) -> None:
    api.post("/oauth/authorizations", {"scope": ["global"]})
    tokens = [found["access_token"]["token"] for found in api.get("/oauth/authorizations").json()]
    assert sorted(tokens) == sorted(["HRKU-********", api.token])


def test_the_default_authorization_and_sessions_are_missing_as_logout_expects(api: Caller) -> None:
    default, session = api.get("/oauth/authorizations/~"), api.delete("/oauth/sessions/~")
    assert (default.status_code, default.json()["resource"]) == (404, "authorization")
    assert (session.status_code, session.json()["resource"]) == (404, "session")


def test_a_revoked_or_regenerated_token_stops_to_work(api: Caller) -> None:
    made = api.post("/oauth/authorizations", {"scope": ["global"]}).json()
    second = Caller(api.user, made["access_token"]["token"])
    path = f"/oauth/authorizations/{made['id']}"
    assert api.patch(path, {"description": "renamed"}).json()["description"] == "renamed"
    fresh = Caller(api.user, api.post(f"{path}/actions/regenerate-tokens").json()["access_token"]["token"])
    assert (second.get("/account").status_code, fresh.get("/account").status_code) == (401, 200)
    assert fresh.delete(path).status_code == 200
    assert fresh.get("/account").status_code == 401
    assert api.get(path).status_code == 404


def test_a_stranger_revokes_nothing(api: Caller, stranger: Caller) -> None:
    [mine] = api.get("/oauth/authorizations").json()
    assert stranger.delete(f"/oauth/authorizations/{mine['id']}").status_code == 404
    assert stranger.delete(f"/oauth/tokens/{mine['id']}").status_code == 404
    assert api.delete(f"/oauth/tokens/{mine['id']}").status_code == 200


@pytest.mark.parametrize("scope", [[], ["read"], ["everything"], "global", [7], [["global"]]])
def test_a_scope_that_baton_can_not_keep_is_refused(api: Caller, scope: object) -> None:
    assert api.post("/oauth/authorizations", {"scope": scope}).status_code == 422


def test_a_log_session_has_a_secret_url(api: Caller, app: App) -> None:
    found = api.post(f"/apps/{app.name}/log-sessions", {"lines": 99999, "tail": True, "dyno": "web.1"})
    assert found.status_code == 201
    assert found.json()["logplex_url"].startswith("http://testserver/streams/logs/")


EMPTY = [
    "/addons",
    "/addon-attachments",
    "/pipelines",
    "/teams",
    "/spaces",
    "/account/keys",
    "/account/features",
]


@pytest.mark.parametrize("path", EMPTY)
def test_what_a_machine_has_none_of_is_an_empty_list(api: Caller, path: str) -> None:
    assert api.get(path).json() == []


def test_the_schema_is_given_out_with_this_server_in_it(api: Caller) -> None:
    found = api.get("/schema").json()
    assert len(found["definitions"]) == 100
    assert found["links"][0]["href"] == "http://testserver"


def test_the_certificate_of_the_machine_is_given_out(api: Caller, home: Home) -> None:
    assert api.get("/authority").status_code == 404
    (home.root / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    assert api.get("/authority").json()["certificate"].startswith("-----BEGIN")


def test_records_of_one_app_are_not_found_through_another(api: Caller, app: App) -> None:
    other = make_app(api.user, "other-harbor")
    release = make_release(other, 1)
    build = Build.objects.create(app=other, user=api.user)
    assert api.get(f"/apps/{app.name}/releases/{release.pk}").status_code == 404
    assert api.get(f"/apps/{app.name}/builds/{build.pk}").status_code == 404
    assert Release.objects.filter(app=app).count() == 3


def test_sources_and_broken_uploads_are_forgotten_after_a_day(api: Caller, home: Home) -> None:
    first = api.post("/sources").json()["source_blob"]["put_url"]
    old, fresh = (home.root / "sources" / name for name in ("old.part", "fresh.part"))
    old.parent.mkdir()
    for path in (old, fresh):
        path.touch()
    os.utime(old, (0, 0))
    Source.objects.update(created_at=timezone.now() - timedelta(days=2))
    assert blobs.local_source(first) == blobs.source_file(home, Source.objects.get().pk)
    api.post("/sources")
    assert (old.exists(), fresh.exists(), Source.objects.count()) == (False, True, 1)


def test_an_account_asks_for_a_bounded_number_of_sources_a_day(api: Caller) -> None:
    Source.objects.bulk_create(Source(user=api.user) for _ in range(100))
    assert api.post("/sources").status_code == 403
