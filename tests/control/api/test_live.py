"""The API of a whole Baton over HTTP; each answer is held against the schema."""

from __future__ import annotations

import hashlib
import io
import json
import socket
import tarfile
import threading
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.control.api.live import Client
from tests.machine import APP, wait_until

SSE = {"Accept": "text/event-stream"}


@pytest.fixture(scope="session")
def shop(live: Client) -> str:
    """An app with a web process, a worker and a release phase, pushed once."""
    live.ask("POST", "/apps", {"name": "api-shop"})
    procfile = str(APP["Procfile"]) + "release: echo migrating; echo done\n"
    assert live.machine.push("api-shop", {**APP, "Procfile": procfile}).exit_code == 0
    return "/apps/api-shop"


def tarball(files: Mapping[str, str | bytes], folder: str = "") -> bytes:
    """A tar.gz of `files`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(f"{folder}{name}")
            member.size, member.mode = len(data), 0o644
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def source() -> bytes:
    return tarball({name: content for name, content in APP.items() if content is not None})


def test_an_app_is_created_renamed_and_destroyed(live: Client) -> None:
    made = live("POST", "/apps", {"name": "api-first", "region": "eu"})
    assert made.status_code == 201 and made.json()["region"]["name"] == "eu"
    assert live("POST", "/apps", {"name": "api-first"}).status_code == 422
    assert live.ask("PATCH", "/apps/api-first", {"name": "api-second"})["name"] == "api-second"
    assert live("GET", "/apps/api-first").status_code == 404
    assert live.ask("GET", f"/apps/{made.json()['id']}/domains")[0]["hostname"] == "api-second.localhost"
    assert live.ask("DELETE", "/apps/api-second")["name"] == "api-second"
    assert live("GET", "/apps/api-second").status_code == 404


def test_an_app_without_a_name_gets_one(live: Client) -> None:
    name = live.ask("POST", "/apps")["name"]
    assert name.count("-") == 2
    live.ask("DELETE", f"/apps/{name}")


def test_what_was_pushed_is_shown_as_release_build_slug_formation_and_dynos(live: Client, shop: str) -> None:
    newest = live.ask("GET", f"{shop}/releases", Range="version ..; order=desc,max=1")[0]
    assert (newest["current"], newest["status"]) == (True, "succeeded")
    assert "migrating" in live.text(newest["output_stream_url"])
    build = live.ask("GET", f"{shop}/builds")[0]
    assert (build["status"], build["slug"]) == ("succeeded", newest["slug"])
    assert "Python" in live.text(build["output_stream_url"])
    slug = live.ask("GET", f"{shop}/slugs/{newest['slug']['id']}")
    assert set(slug["process_types"]) == {"web", "worker", "release"}
    quantities = {row["type"]: row["quantity"] for row in live.ask("GET", f"{shop}/formation")}
    assert (quantities["web"], quantities["worker"]) == (1, 0)
    [dyno] = live.ask("GET", f"{shop}/dynos")
    assert (dyno["name"], dyno["state"]) == ("web.1", "up")
    assert dyno["release"]["id"] == newest["id"]
    assert live.ask("GET", f"{shop}/dynos/{dyno['id']}") == live.ask("GET", f"{shop}/dynos/web.1")


def test_config_vars_are_set_and_unset_and_old_releases_keep_theirs(live: Client, shop: str) -> None:
    assert live.ask("PATCH", f"{shop}/config-vars", {"COLOUR": "blue", "SIZE": "9"})["COLOUR"] == "blue"
    before = live.ask("GET", f"{shop}/releases", Range="version ..; order=desc,max=1")[0]
    assert before["description"] == "Set COLOUR, SIZE config vars"
    assert live.machine.get("api-shop", "/env/COLOUR").text == "blue"
    assert "SIZE" not in live.ask("PATCH", f"{shop}/config-vars", {"SIZE": None})
    assert live.ask("GET", f"{shop}/releases/{before['version']}/config-vars")["SIZE"] == "9"
    assert live("PATCH", f"{shop}/config-vars", {"A B": "x"}).status_code == 422
    assert live("PATCH", f"{shop}/config-vars", {"A": 7}).status_code == 422


def test_quantities_are_numbers_or_texts_with_signs(live: Client, shop: str) -> None:
    updates = [{"type": "web", "quantity": "+1"}, {"type": "worker", "quantity": 1, "size": "standard-1x"}]
    rows = {row["type"]: row for row in live.ask("PATCH", f"{shop}/formation", {"updates": updates})}
    assert (rows["web"]["quantity"], rows["worker"]["size"]) == (2, "Standard-1X")
    names = [dyno["name"] for dyno in live.ask("GET", f"{shop}/dynos")]
    assert names == ["web.1", "web.2", "worker.1"]
    assert live.ask("PATCH", f"{shop}/formation/web", {"quantity": "-1"})["quantity"] == 1
    row = live.ask("GET", f"{shop}/formation/worker")
    assert live.ask("GET", f"{shop}/formation/{row['id']}") == row
    assert live.ask("PATCH", f"{shop}/formation/{row['id']}", {"quantity": 0, "dyno_size": {"name": "Eco"}})
    assert live("PATCH", f"{shop}/formation/nothing", {"quantity": 1}).status_code == 404
    assert (
        live("PATCH", f"{shop}/formation", {"updates": [{"type": "web", "quantity": "many"}]}).status_code
        == 422
    )
    assert live("PATCH", f"{shop}/formation/web", {"size": "Huge"}).status_code == 422


def test_dynos_are_restarted_all_by_type_and_by_name_and_stopped(live: Client, shop: str) -> None:
    before = live.ask("GET", f"{shop}/dynos/web.1")["id"]
    seen = {before}
    for path in (f"{shop}/dynos", f"{shop}/dynos/web.1", f"{shop}/formations/web"):
        answer = live("DELETE", path)
        assert (answer.status_code, answer.json()) == (202, {})
        seen.add(wait_until(lambda: live.ask("GET", f"{shop}/dynos")[0]["id"]))
    assert len(seen) > 1
    assert live("DELETE", f"{shop}/dynos/web.99").status_code == 404
    assert live("DELETE", f"{shop}/formations/nothing").status_code == 404
    assert live("POST", f"{shop}/dynos/web.1/actions/stop").status_code == 202
    assert live("POST", f"{shop}/formations/web/actions/stop").status_code == 202
    live.ask("DELETE", f"{shop}/dynos")
    wait_until(lambda: live.machine.get("api-shop").status_code == 200)


def test_a_rollback_is_a_new_release_of_the_old_slug(live: Client, shop: str) -> None:
    [second] = live.ask("GET", f"{shop}/releases", Range="version 2..2")
    made = live("POST", f"{shop}/releases", {"release": second["id"]})
    assert made.status_code == 201
    assert made.json()["description"] == "Rollback to v2"
    assert made.json()["slug"] == second["slug"]


def test_maintenance_is_put_on_and_taken_off(live: Client, shop: str) -> None:
    assert live.ask("PATCH", shop, {"maintenance": True})["maintenance"] is True
    wait_until(lambda: live.machine.get("api-shop").status_code == 503)
    assert live.ask("PATCH", shop, {"maintenance": False})["maintenance"] is False
    wait_until(lambda: live.machine.get("api-shop").status_code == 200)


def test_domains_are_added_in_any_script_and_removed(live: Client, shop: str) -> None:
    made = live("POST", f"{shop}/domains", {"hostname": "Bücher.example.com.", "sni_endpoint": None})
    assert (made.status_code, made.json()["hostname"]) == (201, "xn--bcher-kva.example.com")
    assert live("POST", f"{shop}/domains", {"hostname": "xn--bcher-kva.example.com"}).status_code == 422
    headers = {"Host": "xn--bcher-kva.example.com"}
    assert live.machine.get("api-shop", headers=headers).status_code == 200
    assert (
        live.ask("DELETE", f"{shop}/domains/{made.json()['id']}")["hostname"] == "xn--bcher-kva.example.com"
    )
    assert live("GET", f"{shop}/domains/xn--bcher-kva.example.com").status_code == 404


def test_a_one_off_dyno_runs_detached_and_its_output_is_in_the_log(live: Client, shop: str) -> None:
    body = {"command": "echo one-off says $WORD", "env": {"WORD": "hello", "COLUMNS": 80}, "attach": False}
    made = live("POST", f"{shop}/dynos", body)
    assert made.status_code == 201 and made.json()["attach_url"] is None
    wait_until(lambda: any("one-off says hello" in line for line in live.machine.log_lines("api-shop")))


def test_a_one_off_dyno_is_listed_under_its_id_while_it_runs_and_stopped(live: Client, shop: str) -> None:
    made = live.ask("POST", f"{shop}/dynos", {"command": "exec sleep 600"})

    def states() -> list[str]:
        return [dyno["state"] for dyno in live.ask("GET", f"{shop}/dynos") if dyno["id"] == made["id"]]

    wait_until(lambda: states() == ["up"])
    assert live("POST", f"{shop}/dynos/{made['id']}/actions/stop").status_code == 202
    wait_until(lambda: states() == [])


def test_an_attached_dyno_is_reached_under_the_name_by_which_the_client_came(live: Client, shop: str) -> None:
    body = {"command": "bash", "attach": True, "env": {"TERM": "xterm", "COLUMNS": 80, "LINES": 24}}
    made = live("POST", f"{shop}/dynos", body, Host=f"localhost:{live.machine.settings.control_port}")
    port = live.machine.settings.rendezvous_port
    assert made.json()["attach_url"].startswith(f"rendezvous://localhost:{port}/")


def test_a_source_is_uploaded_built_and_served(live: Client) -> None:
    live.ask("POST", "/apps", {"name": "api-source"})
    blob = live.ask("POST", "/sources")["source_blob"]
    data = source()
    assert httpx.put(blob["put_url"], content=data, trust_env=False).status_code == 200
    assert httpx.get(blob["get_url"], trust_env=False).content == data
    wrong = {"source_blob": {"url": blob["get_url"], "checksum": "SHA256:" + "0" * 64}}
    assert "checksum" in live("POST", "/apps/api-source/builds", wrong).json()["message"]
    checksum = f"SHA256:{hashlib.sha256(data).hexdigest()}"
    body = {"source_blob": {"url": blob["get_url"], "checksum": checksum, "version": "v1.3.0"}}
    build = live("POST", "/apps/api-source/builds", body)
    assert (build.status_code, build.json()["status"]) == (201, "pending")
    output = live.text(build.json()["output_stream_url"])  # ends when the build ends
    done = live.ask("GET", f"/apps/api-source/builds/{build.json()['id']}")
    assert done["status"] == "succeeded", output
    assert (done["source_blob"]["version"], done["release"] is not None) == ("v1.3.0", True)
    assert live.machine.get("api-source").text == "one"
    live.ask("DELETE", "/apps/api-source")


def test_a_slug_is_uploaded_released_and_given_out_again(live: Client) -> None:
    live.ask("POST", "/apps", {"name": "api-slug"})
    made = live.ask("POST", "/apps/api-slug/slugs", {"process_types": {"web": "python3 server.py"}})
    upload = httpx.put(made["blob"]["url"], content=b"no tar at all", trust_env=False)
    assert upload.status_code == 422 and upload.json()["id"] == "invalid_params"
    files = {name: content for name, content in APP.items() if content is not None}
    assert httpx.put(made["blob"]["url"], content=tarball(files), trust_env=False).status_code == 422
    data = tarball(files, "./app/")
    assert httpx.put(made["blob"]["url"], content=data, trust_env=False).status_code == 200
    assert httpx.put(made["blob"]["url"], content=data, trust_env=False).status_code == 422
    slug = live.ask("GET", f"/apps/api-slug/slugs/{made['id']}")
    assert (slug["size"], slug["checksum"]) == (len(data), f"SHA256:{hashlib.sha256(data).hexdigest()}")
    with tarfile.open(fileobj=io.BytesIO(httpx.get(slug["blob"]["url"], trust_env=False).content)) as archive:
        assert "./app/server.py" in archive.getnames()
    live.ask("POST", "/apps/api-slug/releases", {"slug": made["id"], "description": "By hand"})
    assert live.machine.get("api-slug").text == "one"
    live.ask("DELETE", "/apps/api-slug")


def test_a_tarball_that_reaches_out_of_its_folder_is_refused_whole(live: Client, shop: str) -> None:
    made = live.ask("POST", f"{shop}/slugs", {"process_types": {"web": "true"}})
    for name in ("app/../../escaped", "/app/escaped", "other/file"):
        data = tarball({"fine": "x"}, "./app/") if name == "" else tarball({name: "x"})
        assert httpx.put(made["blob"]["url"], content=data, trust_env=False).status_code == 422
    assert not any(live.machine.home.root.rglob("escaped"))
    assert not (live.machine.home.slugs / made["id"]).exists()


def test_an_upload_needs_its_secret_and_leaves_nothing_when_it_is_refused(live: Client) -> None:
    url = live.ask("POST", "/sources")["source_blob"]["put_url"]
    assert httpx.put(f"{url}x", content=b"data", trust_env=False).status_code == 403
    assert httpx.put(url, content=b"", trust_env=False).status_code == 422
    port = live.machine.settings.control_port
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        head = f"PUT {urlsplit(url).path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {5 << 30}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 413"
    assert not list((live.machine.home.root / "sources").glob("*.part"))


def test_a_body_without_end_is_refused_before_it_is_read(live: Client) -> None:
    answer = live.http.post("/apps", content=(b"x" * 65536 for _ in range(64)))
    assert (answer.status_code, answer.json()["id"]) == (413, "payload_too_large")


def session(live: Client, shop: str, **body: Any) -> str:
    url: str = live.ask("POST", f"{shop}/log-sessions", body)["logplex_url"]
    return url


def test_logs_are_plain_lines_and_filtered_by_source_and_dyno(live: Client, shop: str) -> None:
    lines = live.text(session(live, shop, lines=1500)).splitlines()
    assert any("Initial release" in line for line in lines)
    assert len(live.text(session(live, shop, lines=2)).splitlines()) == 2
    api = live.text(session(live, shop, lines=1500, source="app", dyno="api")).splitlines()
    assert api and all("app[api]: " in line for line in api)


def events(answer: httpx.Response) -> Iterator[tuple[str, str]]:
    number = ""
    for line in answer.iter_lines():
        if line.startswith("id: "):
            number = line[4:]
        elif line.startswith("data: "):
            yield number, line[6:]


def test_log_events_have_numbers_from_which_another_connection_goes_on(live: Client, shop: str) -> None:
    url = session(live, shop, lines=5, tail=True)
    with httpx.stream("GET", url, headers=SSE, timeout=30, trust_env=False) as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        coming = events(answer)
        first = [next(coming) for _ in range(5)]
        live.ask("PATCH", f"{shop}/config-vars", {"TAILED": "1"})
        found = next(number for number, line in coming if "Set TAILED config vars" in line)
    assert int(found) > int(first[-1][0])
    live.ask("PATCH", f"{shop}/config-vars", {"TAILED": None})
    headers = {**SSE, "Last-Event-ID": found}
    with httpx.stream("GET", url, headers=headers, timeout=30, trust_env=False) as answer:
        seen = []
        for number, line in events(answer):
            seen.append(number)
            if "Remove TAILED config vars" in line:
                break
    assert seen == [str(int(found) + step) for step in range(1, len(seen) + 1)]


def test_a_log_session_of_a_destroyed_app_leads_nowhere(live: Client) -> None:
    live.ask("POST", "/apps", {"name": "api-gone"})
    url = session(live, "/apps/api-gone", lines=1)
    live.ask("DELETE", "/apps/api-gone")
    assert httpx.get(url, trust_env=False).status_code == 404


def test_the_output_of_a_build_is_read_while_it_goes_on_and_a_build_is_cancelled(live: Client) -> None:
    live.ask("POST", "/apps", {"name": "api-slow"})
    blob = live.ask("POST", "/sources")["source_blob"]
    setup = "import time\nprint('building slowly', flush=True)\ntime.sleep(120)\n"
    files: dict[str, str | bytes] = {
        "requirements.txt": "./slow\n",
        "slow/setup.py": setup,
        "Procfile": "web: true\n",
    }
    assert httpx.put(blob["put_url"], content=tarball(files), trust_env=False).status_code == 200
    build = live.ask("POST", "/apps/api-slow/builds", {"source_blob": {"url": blob["get_url"]}})
    read: list[str] = []

    def follow() -> None:
        with httpx.stream("GET", build["output_stream_url"], timeout=60, trust_env=False) as answer:
            read.extend(answer.iter_lines())

    reader = threading.Thread(target=follow)
    with httpx.stream("GET", build["output_stream_url"], timeout=60, trust_env=False) as answer:
        assert "-----> " in next(answer.iter_lines())  # it has begun, and is not over
    reader.start()
    assert live("DELETE", f"/apps/api-slow/builds/{build['id']}").status_code == 200
    reader.join(60)
    assert not reader.is_alive() and read
    assert live.ask("GET", f"/apps/api-slow/builds/{build['id']}")["status"] == "failed"
    live.ask("DELETE", "/apps/api-slow")


def test_no_secret_of_the_api_is_in_the_database_or_the_logs(live: Client, shop: str) -> None:
    secret = "c0nfig-v4lue-that-is-secret"
    live.ask("PATCH", f"{shop}/config-vars", {"SECRET": secret})
    token = live.ask("POST", "/oauth/authorizations", {"scope": ["global"]})["access_token"]["token"]
    url = session(live, shop, lines=1)
    live.text(url)
    files = list(live.machine.home.root.glob("control.sqlite3*"))
    files += [path for path in live.machine.home.logs.rglob("*") if path.is_file()]
    kept = b"".join(path.read_bytes() for path in files)
    assert len(files) > 2
    for hidden in (secret, token, live.machine.token, json.dumps(secret)):
        assert hidden.encode() not in kept
