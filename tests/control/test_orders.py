"""Orders by the API to a whole Baton: config vars, releases, formation, domains, names."""

from __future__ import annotations

import io
import sqlite3
import tarfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.machine import APP, Machine, wait_until

PHASED = {**APP, "Procfile": 'web: python server.py\nworker: python worker.py\nrelease: test -z "$BROKEN"\n'}


@pytest.fixture(scope="module")
def app(machine: Machine) -> str:
    machine.create("orders")
    result = machine.push("orders", PHASED)
    assert result.exit_code == 0, result.output
    return "orders"


def dynos(machine: Machine, app: str) -> dict[str, str]:
    return {dyno["name"]: dyno["state"] for dyno in machine.ask("GET", f"/apps/{app}/dynos")}


def newest(machine: Machine, app: str) -> dict[str, Any]:
    return machine.releases(app)[-1]


def test_a_new_app_has_a_first_release_and_a_page(machine: Machine) -> None:
    machine.create("orders-new")
    release = newest(machine, "orders-new")
    assert (release["version"], release["description"], release["current"]) == (1, "Initial release", True)
    assert "Nothing here yet" in machine.get("orders-new", headers={"Accept": "text/html"}).text


def test_config_vars_before_the_first_push_make_a_release(machine: Machine) -> None:
    machine.create("orders-early")
    config = machine.ask("PATCH", "/apps/orders-early/config-vars", {"GREETING": "hello"})
    assert config == {"GREETING": "hello"}
    assert newest(machine, "orders-early")["description"] == "Set GREETING config vars"


@pytest.mark.smoke
def test_a_config_change_is_served_and_described(machine: Machine, app: str) -> None:
    machine.ask("PATCH", f"/apps/{app}/config-vars", {"GREETING": "hello", "OTHER": "x"})
    assert machine.get(app, "/env/GREETING").text == "hello"
    assert newest(machine, app)["description"] == "Set GREETING, OTHER config vars"
    machine.ask("PATCH", f"/apps/{app}/config-vars", {"OTHER": None})
    assert newest(machine, app)["description"] == "Remove OTHER config vars"
    assert machine.get(app, "/env/OTHER").text == ""


def test_a_change_that_changes_nothing_makes_no_release(machine: Machine, app: str) -> None:
    config = machine.ask("GET", f"/apps/{app}/config-vars")
    before = newest(machine, app)["version"]
    machine.ask("PATCH", f"/apps/{app}/config-vars", config)
    assert newest(machine, app)["version"] == before


@pytest.mark.parametrize("change", [{"BROKEN": "yes"}, {"STATUS": "500"}], ids=["release command", "health"])
def test_a_config_change_that_fails_changes_nothing(
    machine: Machine, app: str, change: dict[str, str]
) -> None:
    before, current = machine.ask("GET", f"/apps/{app}/config-vars"), newest(machine, app)["version"]
    answer = machine.api("PATCH", f"/apps/{app}/config-vars", change)
    assert answer.status_code == 422
    assert f"v{current + 1} failed" in answer.json()["message"]
    assert "served still" in answer.json()["message"]
    assert machine.ask("GET", f"/apps/{app}/config-vars") == before
    assert machine.get(app).status_code == 200
    assert newest(machine, app)["status"] == "failed"
    machine.ask("PATCH", f"/apps/{app}/config-vars", {"AGAIN": str(current)})


def test_dynos_know_their_release(machine: Machine, app: str) -> None:
    version = next(release["version"] for release in machine.releases(app) if release["current"])
    assert machine.get(app, "/env/HEROKU_RELEASE_VERSION").text == f"v{version}"
    assert machine.get(app, "/env/HEROKU_APP_NAME").text == app
    assert len(machine.get(app, "/env/HEROKU_SLUG_COMMIT").text) == 40
    assert machine.get(app, "/env/DYNO").text == "web.1"


@pytest.mark.smoke
def test_a_rollback_brings_code_and_config_vars_back(machine: Machine, app: str) -> None:
    machine.ask("PATCH", f"/apps/{app}/config-vars", {"ERA": "old"})
    old = newest(machine, app)
    machine.ask("PATCH", f"/apps/{app}/config-vars", {"ERA": "new"})
    assert machine.push(app, {"version.txt": "newer"}).exit_code == 0
    release = machine.ask("POST", f"/apps/{app}/releases", {"release": old["id"]})
    assert release["description"] == f"Rollback to v{old['version']}"
    assert machine.get(app).text == "one"
    assert machine.get(app, "/env/ERA").text == "old"
    assert machine.ask("GET", f"/apps/{app}/config-vars")["ERA"] == "old"


def test_a_rollback_to_what_never_served_is_refused(machine: Machine, app: str) -> None:
    answer = machine.api("POST", f"/apps/{app}/releases", {"release": machine.releases(app)[0]["id"]})
    assert answer.status_code == 422


@pytest.mark.smoke
def test_scaling_starts_and_stops_dynos(machine: Machine, app: str) -> None:
    machine.ask("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "web", "quantity": "+1"}]})
    rows = machine.ask("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "worker", "quantity": "1"}]})
    assert [(row["type"], row["quantity"]) for row in rows] == [("worker", 1)]
    wait_until(lambda: dynos(machine, app) == {"web.1": "up", "web.2": "up", "worker.1": "up"})
    assert any(
        f"Scaled to web@2:Basic worker@1:Basic by user {machine.email}" in x for x in machine.log_lines(app)
    )
    updates = [{"type": "web", "quantity": 1}, {"type": "worker", "quantity": 0}]
    machine.ask("PATCH", f"/apps/{app}/formation", {"updates": updates})
    wait_until(lambda: dynos(machine, app) == {"web.1": "up"})


def test_scaling_to_nothing_shows_a_page_and_back_serves_again(machine: Machine, app: str) -> None:
    machine.ask("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "web", "quantity": 0}]})
    assert machine.get(app).status_code == 503
    machine.ask("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "web", "quantity": 1}]})
    assert machine.get(app).status_code == 200


def test_scaling_what_is_not_there_is_refused(machine: Machine, app: str) -> None:
    answer = machine.api("PATCH", f"/apps/{app}/formation", {"updates": [{"type": "nope", "quantity": 1}]})
    assert answer.status_code == 404 and "web" in answer.json()["message"] + answer.text


def test_a_restart_changes_the_dyno_and_not_the_release(machine: Machine, app: str) -> None:
    before, release = machine.ask("GET", f"/apps/{app}/dynos")[0]["id"], newest(machine, app)["version"]
    machine.ask("DELETE", f"/apps/{app}/dynos")
    wait_until(lambda: dynos(machine, app) == {"web.1": "up"})
    assert machine.ask("GET", f"/apps/{app}/dynos")[0]["id"] != before
    assert newest(machine, app)["version"] == release


def test_maintenance_shows_a_page_and_goes(machine: Machine, app: str) -> None:
    machine.ask("PATCH", f"/apps/{app}", {"maintenance": True})
    assert machine.get(app).status_code == 503
    machine.ask("PATCH", f"/apps/{app}", {"maintenance": False})
    assert machine.get(app).status_code == 200


def test_a_domain_leads_to_its_app_until_it_is_removed(machine: Machine, app: str) -> None:
    body = {"hostname": "www.Example.com", "sni_endpoint": None}
    assert machine.ask("POST", f"/apps/{app}/domains", body)["hostname"] == "www.example.com"
    assert machine.get(app, headers={"Host": "www.example.com"}).text == machine.get(app).text
    assert machine.api("POST", "/apps/orders-new/domains", body).status_code == 422
    machine.ask("DELETE", f"/apps/{app}/domains/www.example.com")
    assert machine.get(app, headers={"Host": "www.example.com"}).status_code == 404


@pytest.mark.parametrize(
    "hostname", ["no dots", "-a.example.com", "orders.localhost", "a..b", "*", "x" * 260 + ".com"]
)
def test_a_domain_that_is_none_is_refused(machine: Machine, app: str, hostname: str) -> None:
    answer = machine.api("POST", f"/apps/{app}/domains", {"hostname": hostname, "sni_endpoint": None})
    assert answer.status_code == 422


@pytest.mark.parametrize("name", ["UPPER", "1st", "a", "x" * 31, "under_score", "baton", "orders"])
def test_a_name_that_can_not_be_is_refused(machine: Machine, app: str, name: str) -> None:
    answer = machine.api("POST", "/apps", {"name": name})
    assert answer.status_code == 422, answer.text


def test_a_renamed_app_is_served_and_pushed_to_by_its_new_name(machine: Machine) -> None:
    machine.create("orders-before")
    assert machine.push("orders-before", APP).exit_code == 0
    machine.ask("PATCH", "/apps/orders-before", {"name": "orders-after"})
    assert machine.get("orders-after").text == "one"
    assert machine.get("orders-after", "/env/HEROKU_APP_NAME").text == "orders-after"
    assert machine.get("orders-before").status_code == 404
    machine.repositories["orders-after"] = machine.repositories.pop("orders-before")
    assert machine.push("orders-after", {"version.txt": "renamed"}).exit_code == 0
    assert machine.get("orders-after").text == "renamed"


def test_a_destroyed_app_leaves_nothing(machine: Machine) -> None:
    machine.create("orders-gone")
    assert machine.push("orders-gone", APP).exit_code == 0
    key = machine.key("orders-gone")
    machine.ask("DELETE", "/apps/orders-gone")
    assert machine.get("orders-gone").status_code == 404
    assert machine.api("GET", "/apps/orders-gone").status_code == 404
    assert key not in machine.supervisor.status()["apps"]
    left = [path for path in machine.home.root.rglob(f"*{key}*") if path.exists()]
    assert left == []
    machine.create("orders-gone")
    assert machine.get("orders-gone").status_code == 503


def test_a_tarball_is_built_and_released(machine: Machine) -> None:
    machine.create("orders-source")
    blob = machine.ask("POST", "/sources")["source_blob"]
    httpx.put(blob["put_url"], content=tarball(APP), trust_env=False).raise_for_status()
    body = {"source_blob": {"url": blob["get_url"], "version": "v1.2"}}
    build = machine.ask("POST", "/apps/orders-source/builds", body)
    assert build["status"] == "pending"
    path = f"/apps/orders-source/builds/{build['id']}"
    wait_until(lambda: machine.ask("GET", path)["status"] != "pending")
    assert machine.ask("GET", path)["status"] == "succeeded"
    assert machine.get("orders-source").text == "one"


def test_a_tarball_that_is_none_fails_its_build(machine: Machine) -> None:
    machine.create("orders-junk")
    blob = machine.ask("POST", "/sources")["source_blob"]
    httpx.put(blob["put_url"], content=b"junk" * 100, trust_env=False)
    body = {"source_blob": {"url": blob["get_url"], "version": "x"}}
    build = machine.ask("POST", "/apps/orders-junk/builds", body)
    wait_until(lambda: machine.ask("GET", f"/apps/orders-junk/builds/{build['id']}")["status"] == "failed")
    shown = httpx.get(build["output_stream_url"], trust_env=False).text
    assert "tar.gz" in shown


def tarball(tree: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in tree.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


def test_a_config_var_is_nowhere_in_the_clear(machine: Machine, app: str) -> None:
    secret = "correct-horse-battery-staple-4711"
    machine.ask("PATCH", f"/apps/{app}/config-vars", {"API_SECRET": secret})
    assert machine.get(app, "/env/API_SECRET").text == secret
    with sqlite3.connect(machine.home.database) as database:
        assert not any(secret in line for line in database.iterdump())
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                assert secret.encode() not in (entry / "cmdline").read_bytes()
            except OSError:
                continue
    for path in machine.home.logs.rglob("*"):
        assert not path.is_file() or secret.encode() not in path.read_bytes(), path


def test_only_the_last_releases_keep_their_files(machine: Machine) -> None:
    machine.create("orders-disk")
    for number in range(12):
        assert machine.push("orders-disk", {**APP, "version.txt": str(number)}).exit_code == 0

    def kept() -> int:
        with sqlite3.connect(machine.home.database) as database:
            query = (
                "select count(*) from control_slug s join control_app a on s.app_id = a.id "
                "where a.name = 'orders-disk' and s.path <> ''"
            )
            return int(database.execute(query).fetchone()[0])

    wait_until(lambda: kept() == 10)
    releases = machine.releases("orders-disk")
    gone = machine.api("POST", "/apps/orders-disk/releases", {"release": releases[1]["id"]})
    assert gone.status_code == 422 and "no slug on disk" in gone.json()["message"]
    machine.ask("POST", "/apps/orders-disk/releases", {"release": releases[3]["id"]})
    assert machine.get("orders-disk").text == "2"
