"""`git push` to a whole Baton: what goes live, what is refused, and what is served meanwhile."""

from __future__ import annotations

import gzip
import secrets
import subprocess
import threading
from pathlib import Path

import httpx
import pytest

from tests.machine import APP, Machine, wait_until

BROKEN_REQUIREMENT = {"requirements.txt": "baton-no-such-distribution-at-all==1.0\n"}
SLOW_BUILD = {"bin/post_compile": "#!/bin/sh\necho now it is slow\nsleep 60\n"}


@pytest.fixture(scope="module")
def shop(machine: Machine) -> str:
    """An app that serves `one`."""
    machine.create("push-shop")
    assert machine.push("push-shop", APP).exit_code == 0
    return "push-shop"


def served(machine: Machine, app: str) -> str:
    answer = machine.get(app)
    return answer.text if answer.status_code == 200 else f"{answer.status_code}"


def current(machine: Machine, app: str) -> int:
    return next(release["version"] for release in machine.releases(app) if release["current"])


@pytest.mark.smoke
def test_a_first_push_is_served_when_it_returns(machine: Machine) -> None:
    machine.create("push-first")
    assert machine.get("push-first").status_code == 503
    result = machine.push("push-first", APP)
    assert result.exit_code == 0, result.output
    assert served(machine, "push-first") == "one"
    assert "Released v2" in result.output
    assert "https://push-first.localhost" in result.output and "deployed to Baton" in result.output
    formation = machine.ask("GET", "/apps/push-first/formation")
    assert {row["type"]: row["quantity"] for row in formation} == {"web": 1, "worker": 0}


@pytest.mark.smoke
def test_a_second_push_replaces_the_first(machine: Machine, shop: str) -> None:
    result = machine.push(shop, {"version.txt": "two"})
    assert result.exit_code == 0, result.output
    assert served(machine, shop) == "two"


def test_master_deploys_as_main_does(machine: Machine) -> None:
    machine.create("push-master")
    assert machine.push("push-master", APP, "master").exit_code == 0
    assert served(machine, "push-master") == "one"


@pytest.mark.smoke
def test_a_build_and_a_release_have_their_records_and_output(machine: Machine, shop: str) -> None:
    commit = machine.commit(shop, {"version.txt": "recorded"})
    result = machine.push_again(shop)
    assert result.exit_code == 0, result.output
    build = machine.ask("GET", f"/apps/{shop}/builds")[-1]
    assert (build["status"], build["source_blob"]["version"]) == ("succeeded", commit)
    release = machine.releases(shop)[-1]
    assert (release["current"], release["status"]) == (True, "succeeded")
    assert release["description"] == f"Deploy {commit[:8]}"
    shown = httpx.get(build["output_stream_url"], trust_env=False).text
    assert "Python app detected" in shown and "Released v" in shown


def test_the_apps_log_tells_of_the_deploy(machine: Machine, shop: str) -> None:
    commit = machine.commit(shop, {"version.txt": "logged"})
    assert machine.push_again(shop).exit_code == 0
    text = "\n".join(machine.log_lines(shop))
    for line in (
        f"app[api]: Build started by user {machine.email}",
        f"app[api]: Deploy {commit[:8]} by user {machine.email}",
        f"created by user {machine.email}",
        "app[api]: Build succeeded",
    ):
        assert line in text


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (BROKEN_REQUIREMENT, "baton-no-such-distribution-at-all"),
        ({"server.py": "import no_such_module\n"}, "no_such_module"),
        ({"Procfile": "web: sleep 60\n", "version.txt": "x"}, "4 seconds"),
        ({"Procfile": "web: python server.py\nrelease: echo before; exit 3\n"}, "status 3"),
        ({"Procfile": "what is this\n"}, "Procfile"),
    ],
    ids=["requirement", "crash", "never binds", "release command", "procfile"],
)
def test_a_bad_push_is_refused_and_changes_nothing(
    machine: Machine, change: dict[str, str | bytes | None], said: str
) -> None:
    app = "push-bad"
    if app not in machine.repositories:
        machine.create(app)
        assert machine.push(app, APP).exit_code == 0
        machine.ask("PATCH", f"/apps/{app}/config-vars", {"BATON_HEALTH_TIMEOUT": "4"})
    before, config = current(machine, app), machine.ask("GET", f"/apps/{app}/config-vars")
    result = machine.push(app, {**APP, "version.txt": "bad", **change}, "main", "--force")
    assert result.exit_code != 0
    assert said in result.output and "Push rejected" in result.output
    assert served(machine, app) == "one"
    assert current(machine, app) == before
    assert machine.ask("GET", f"/apps/{app}/config-vars") == config
    assert machine.ask("GET", f"/apps/{app}/builds")[-1]["status"] == "failed"
    assert all(release["status"] != "pending" for release in machine.releases(app))
    assert machine.push(app, APP, "main", "--force").exit_code == 0, (
        "what was refused leaves nothing in the way"
    )


def test_output_of_the_release_command_reaches_the_pusher_and_the_release(
    machine: Machine, shop: str
) -> None:
    change = {**APP, "Procfile": "web: python server.py\nrelease: echo migrating $GREETING\n"}
    result = machine.push(shop, change)
    assert result.exit_code == 0, result.output
    assert "migrating" in result.output
    release = machine.releases(shop)[-1]
    assert "migrating" in httpx.get(release["output_stream_url"], trust_env=False).text
    assert any("app[release." in line for line in machine.log_lines(shop))
    assert machine.push(shop, APP).exit_code == 0


def test_another_branch_is_stored_and_not_deployed(machine: Machine, shop: str) -> None:
    before = current(machine, shop)
    result = machine.push(shop, {"version.txt": "elsewhere"}, "feature")
    assert result.exit_code == 0
    assert "feature is stored and not deployed" in result.output and "feature:main" in result.output
    assert current(machine, shop) == before and served(machine, shop) != "elsewhere"


def test_a_tag_is_stored(machine: Machine, shop: str) -> None:
    machine.git(shop, "tag", "-f", "v1")
    result = machine.push_again(shop, "refs/tags/v1")
    assert result.exit_code == 0 and "v1 is stored" in result.output


def test_what_is_deployed_from_can_not_be_deleted(machine: Machine, shop: str) -> None:
    result = machine.push_again(shop, ":refs/heads/main")
    assert result.exit_code != 0 and "can't be deleted" in result.output


def test_history_can_be_rewritten_by_force_only(machine: Machine, shop: str) -> None:
    assert machine.push(shop, {"version.txt": "before"}).exit_code == 0
    machine.git(shop, "reset", "--quiet", "--hard", "HEAD~1")
    assert machine.push(shop, {"version.txt": "rewritten"}).exit_code != 0
    assert served(machine, shop) == "before"
    assert machine.push_again(shop, "--force", "HEAD:refs/heads/main").exit_code == 0
    assert served(machine, shop) == "rewritten"


def test_what_is_pushed_can_be_cloned(machine: Machine, shop: str, tmp_path: Path) -> None:
    commit = machine.commit(shop, {"version.txt": "cloned"})
    assert machine.push_again(shop).exit_code == 0
    command = ["git", "clone", "--quiet", machine.remote(shop), str(tmp_path / "clone")]
    subprocess.run(command, check=True, env=machine.git_environment, timeout=60)
    head = subprocess.run(
        ["git", "-C", str(tmp_path / "clone"), "rev-parse", "HEAD"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert head.stdout.strip() == commit
    assert (tmp_path / "clone" / "version.txt").read_text() == "cloned"


def test_files_that_an_archive_would_leave_out_are_built(machine: Machine, shop: str) -> None:
    tree = {
        ".gitattributes": "version.txt export-ignore\n*.py export-subst\n",
        "version.txt": "kept $Format:%H$",
    }
    assert machine.push(shop, tree).exit_code == 0
    assert served(machine, shop) == "kept $Format:%H$"
    assert machine.push(shop, {".gitattributes": None, "version.txt": "one"}).exit_code == 0


def test_a_submodule_is_named_and_left_out(machine: Machine, shop: str) -> None:
    commit = machine.git(shop, "rev-parse", "HEAD").strip()
    machine.git(shop, "update-index", "--add", "--cacheinfo", f"160000,{commit},vendored")
    machine.git(shop, "commit", "--quiet", "-m", "A submodule")
    result = machine.push_again(shop)
    assert result.exit_code == 0, result.output
    assert "vendored is a git submodule" in result.output
    assert machine.push(shop, {"version.txt": "one"}).exit_code == 0


def test_a_second_push_waits_for_the_first_and_says_for_whom(machine: Machine) -> None:
    app = "push-queue"
    machine.create(app)
    machine.commit(app, {**APP, "bin/post_compile": "#!/bin/sh\necho slowly\nsleep 8\n"})
    with machine.pushing(app) as first:
        wait_until(lambda: building(machine, app))
        second = machine.push_again(app)
        assert first.wait(60) == 0
    assert f"Waiting for a build by {machine.email}, running for" in second.output
    # Both pushed one commit: whoever comes second finds its ref moved, or deploys the same once more.
    assert served(machine, app) == "one"


def building(machine: Machine, app: str) -> bool:
    builds = machine.ask("GET", f"/apps/{app}/builds")
    if not builds or builds[-1]["status"] != "pending":
        return False
    shown = machine.home.logs / "output" / f"{builds[-1]['id']}.log"
    return shown.exists() and "slow" in shown.read_text()


def test_a_push_whose_client_goes_away_is_cancelled(machine: Machine) -> None:
    app = "push-gone"
    machine.create(app)
    machine.commit(app, {**APP, **SLOW_BUILD})
    with machine.pushing(app):
        wait_until(lambda: building(machine, app))
    wait_until(lambda: machine.ask("GET", f"/apps/{app}/builds")[-1]["status"] == "failed")
    assert machine.get(app).status_code == 503
    result = machine.push(app, {"bin/post_compile": None})
    assert result.exit_code == 0, result.output
    assert "Waiting" not in result.output and served(machine, app) == "one"


def test_a_build_can_be_cancelled(machine: Machine) -> None:
    app = "push-cancel"
    machine.create(app)
    machine.commit(app, {**APP, **SLOW_BUILD})
    with machine.pushing(app) as process:
        wait_until(lambda: building(machine, app))
        build = machine.ask("GET", f"/apps/{app}/builds")[-1]
        answer = machine.api("DELETE", f"/apps/{app}/builds/{build['id']}")
        assert answer.status_code < 300, answer.text
        output, _ = process.communicate(timeout=60)
    assert process.returncode != 0 and "cancelled" in output


def test_a_silent_release_command_is_ended_with_its_push(machine: Machine) -> None:
    app = "push-phase"
    machine.create(app)
    machine.commit(app, {**APP, "Procfile": "web: python server.py\nrelease: sleep 600\n"})
    with machine.pushing(app):
        wait_until(lambda: any("sleep 600" in line for line in log_lines(machine, app)))
    wait_until(lambda: machine.ask("GET", f"/apps/{app}/builds")[-1]["status"] == "failed")
    assert [release["status"] for release in machine.releases(app)] == ["succeeded", "failed"]


def log_lines(machine: Machine, app: str) -> list[str]:
    return machine.log_lines(app)


@pytest.mark.parametrize("how", ["password", "user", "bearer"])
def test_the_token_may_come_as_password_as_user_or_as_bearer(machine: Machine, shop: str, how: str) -> None:
    auth = {"password": ("anyone", machine.token), "user": (machine.token, ""), "bearer": None}[how]
    headers = {"Authorization": f"Bearer {machine.token}"} if auth is None else {}
    url = f"{machine.settings.control_url}/{shop}.git/info/refs?service=git-receive-pack"
    answer = httpx.get(url, auth=auth, headers=headers, trust_env=False)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-git-receive-pack-advertisement"
    assert answer.content.startswith(b"001f# service=git-receive-pack\n0000")


@pytest.mark.parametrize(
    ("path", "auth", "status"),
    [
        ("/push-shop.git/info/refs?service=git-upload-pack", None, 401),
        ("/push-shop.git/info/refs?service=git-upload-pack", ("x", "wrong"), 401),
        ("/no-such-app.git/info/refs?service=git-upload-pack", None, 401),
        ("/no-such-app.git/info/refs?service=git-upload-pack", "token", 404),
        ("/push-shop.git/info/refs", "token", 403),
        ("/push-shop.git/info/refs?service=git-shell", "token", 403),
        ("/push-shop.git/git-receive-pack", "token", 405),
    ],
)
def test_what_git_would_not_ask_is_refused(
    machine: Machine, shop: str, path: str, auth: tuple[str, str] | str | None, status: int
) -> None:
    given = ("x", machine.token) if auth == "token" else auth
    answer = httpx.get(f"{machine.settings.control_url}{path}", auth=given, trust_env=False)
    assert answer.status_code == status
    assert ("www-authenticate" in answer.headers) == (status == 401)


def test_a_compressed_request_is_understood(machine: Machine, shop: str) -> None:
    body = gzip.compress(b"0000")
    answer = httpx.post(
        f"{machine.settings.control_url}/{shop}.git/git-upload-pack",
        content=body,
        auth=("x", machine.token),
        headers={"Content-Encoding": "gzip", "Content-Type": "application/x-git-upload-pack-request"},
        trust_env=False,
    )
    assert answer.status_code == 200


def test_a_body_that_only_claims_to_be_gzip_is_refused(machine: Machine, shop: str) -> None:
    answer = httpx.post(
        f"{machine.settings.control_url}/{shop}.git/git-upload-pack",
        content=b"no gzip at all",
        auth=("x", machine.token),
        headers={"Content-Encoding": "gzip"},
        trust_env=False,
    )
    assert answer.status_code == 400


def test_a_large_push_arrives_in_pieces(machine: Machine) -> None:
    app = "push-large"
    machine.create(app)
    result = machine.push(app, {**APP, "static.bin": secrets.token_bytes(5_000_000)})
    assert result.exit_code == 0, result.output
    assert served(machine, app) == "one"


def test_requests_go_on_being_answered_while_pushes_come(machine: Machine, shop: str) -> None:
    failures: list[str] = []
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            answer = machine.get(shop)
            if answer.status_code != 200:
                failures.append(f"{answer.status_code} {answer.text[:100]}")

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        results = [machine.push(shop, {"version.txt": f"under load {n}"}) for n in range(2)]
        results.append(machine.push(shop, {"server.py": "raise SystemExit(1)"}))
    finally:
        over.set()
        asking.join()
    assert [result.exit_code for result in results] == [0, 0, 1], results
    assert failures == []
    assert machine.push(shop, APP).exit_code == 0
