"""The command line at work: what a person types, against a machine that really runs Baton."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cli.person import SECONDS, Person
from tests.machine import wait_until

pytestmark = pytest.mark.slow


def documents(here: Person, *words: str) -> Any:
    return json.loads(here.baton(words[0], "--json", *words[1:]).stdout)


def test_signing_in_keeps_the_token_private_and_out_of_sight(signed_in: Person) -> None:
    path = signed_in.home / ".config/baton/credentials.toml"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert signed_in.baton("whoami").stdout == "me@example.org\n"
    assert documents(signed_in, "auth:whoami")["email"] == "me@example.org"


def test_a_wrong_password_is_exit_code_three(person: Person) -> None:
    done = person.baton("login", "--email", person.email, stdin=b"wrong\n", code=3)
    assert "no such email and password" in done.stderr


def test_a_token_that_is_not_valid_is_exit_code_three(signed_in: Person) -> None:
    done = signed_in.types("baton", "whoami", code=3, BATON_API_KEY="HRKU-not-a-token")
    assert "does not take the token" in done.stderr and "HRKU" not in done.stderr


def test_git_finds_the_password_by_itself(signed_in: Person) -> None:
    question = f"protocol=http\nhost={signed_in.server.removeprefix('http://')}\n\n"
    assert "password=HRKU-" in signed_in.types("git", "credential", "fill", stdin=question.encode()).stdout
    elsewhere = signed_in.types(
        "git", "credential", "fill", stdin=b"protocol=http\nhost=127.0.0.1:1\n\n", code=None
    )
    assert elsewhere.returncode != 0 and "HRKU" not in elsewhere.stdout


def test_a_push_without_any_question_is_served(shop: Person) -> None:
    url = f"{shop.server}/cli-shop.git"
    assert f"baton\t{url} (push)" in shop.types("git", "remote", "-v").stdout
    assert "=== cli-shop" in shop.baton("info").stdout
    builds = documents(shop, "builds")
    assert builds[0]["status"] == "succeeded"
    assert "Python" in shop.baton("builds:output").stdout
    assert builds[0]["id"] in shop.baton("builds:info", builds[0]["id"]).stdout
    assert "migrating" in shop.baton("releases:output").stdout
    up = wait_until(lambda: [dyno for dyno in documents(shop, "ps") if dyno["state"] == "up"])
    assert [dyno["name"] for dyno in up] == ["web.1"]
    assert "web.1: up" in shop.baton("ps").stdout


def test_apps_are_listed_and_a_name_that_is_taken_is_refused(shop: Person) -> None:
    assert shop.baton("apps").stdout.splitlines()[0] == "=== me@example.org Apps"
    assert "cli-shop" in [app["name"] for app in documents(shop, "apps")]
    assert "taken" in shop.baton("create", "cli-shop", code=1).stderr


def test_what_is_not_there_is_exit_code_four(shop: Person) -> None:
    assert shop.baton("info", "-a", "nowhere", code=4).stdout == ""
    assert shop.baton("config:get", "NOWHERE", code=4).stdout == ""
    shop.baton("releases:info", "v999", code=4)
    shop.baton("domains:remove", "nowhere.example.org", code=4)
    assert json.loads(shop.baton("info", "-a", "nowhere", "--json", code=4).stderr)["id"] == "cli.not_found"


def test_config_vars_are_set_and_a_release_is_made(shop: Person) -> None:
    before = documents(shop, "releases")[0]["version"]
    done = shop.baton("config", "set", "GREETING=it's $HOME", "OTHER=b=c")
    assert f"done, v{before + 1}" in done.stderr
    assert shop.baton("config:get", "GREETING").stdout == "it's $HOME\n"
    assert shop.baton("run", "printenv", "GREETING").stdout == "it's $HOME\n"
    assert documents(shop, "config")["OTHER"] == "b=c"
    shop.baton("config:unset", "GREETING", "OTHER")
    assert not {"GREETING", "OTHER"} & set(documents(shop, "config"))


def test_a_config_change_whose_release_command_fails_is_refused(shop: Person) -> None:
    served = documents(shop, "releases:info")["release"]["version"]
    done = shop.baton("config:set", "GREETING=fail", code=1)
    assert "Error" in done.stderr
    assert [each["version"] for each in documents(shop, "releases") if each["current"]] == [served]
    shop.baton("config:unset", "GREETING", code=None)


def test_a_program_runs_with_its_own_input_output_and_exit_code(shop: Person) -> None:
    done = shop.baton("run", "python", "echo.py", stdin=b"hello\n" * 50_000, code=7)
    assert done.stdout == "HELLO\n" * 50_000
    assert shop.baton("run", "exit 42", code=42).stdout == ""
    assert shop.baton("run", "no-such-program", code=127).stdout != ""
    assert shop.baton("run", "-X", "exit 42", code=0).stdout == ""


def test_a_program_that_reads_late_gets_all_of_its_input(shop: Person) -> None:
    done = shop.baton("run", "read line; sleep 1; wc -c", stdin=b"go\n" + b"x" * 200_000)
    assert done.stdout.split() == ["200000"]


def test_a_program_s_input_may_be_a_file_or_nothing(shop: Person) -> None:
    (shop.place / "input.txt").write_text("from a file\n")
    for source, expected in (("input.txt", "from a file\n"), ("/dev/null", "")):
        with (
            (shop.place / source).open("rb") as stdin,
            ended(shop.starts("run", "cat", stdin=stdin.fileno(), stdout=subprocess.PIPE)) as client,
        ):
            assert client.stdout and client.stdout.read().decode() == expected
            assert client.wait(SECONDS) == 0


def test_bytes_pass_unchanged_in_both_directions(shop: Person) -> None:
    data = bytes(range(256)) * 2000
    done = subprocess.run(
        ["baton", "run", "cat"],
        cwd=shop.place,
        env=shop.environ,
        input=data,
        capture_output=True,
        timeout=120,
        check=True,
    )
    assert done.stdout == data


def test_a_program_s_output_can_be_had_as_json(shop: Person) -> None:
    found = json.loads(shop.baton("run", "--json", "echo hello; exit 3", code=3).stdout)
    assert (found["output"], found["exit_code"], "attach_url" in found["dyno"]) == ("hello\n", 3, False)


def test_a_program_on_its_own_leaves_its_output_in_the_log(shop: Person) -> None:
    dyno = documents(shop, "run:detached", "echo", "from-afar")["name"]
    wait_until(lambda: "from-afar" in shop.baton("logs", "--dyno", dyno).stdout)


@contextmanager
def ended(client: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """It is over after the block; and after a while in any case, so that reading from it can't last."""
    limit = threading.Timer(SECONDS, client.kill)
    limit.start()
    try:
        with client:
            yield client
            client.kill()
    finally:
        limit.cancel()


class Terminal:
    """`baton` at a terminal of 100 columns and 30 lines."""

    def __init__(self, here: Person, *words: str) -> None:
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            os.chdir(here.place)
            os.execvpe(
                "sh", ["sh", "-c", 'stty cols 100 rows 30; exec baton "$@"', "sh", *words], here.environ
            )
        self.seen = ""

    def until(self, pattern: str) -> str:
        deadline = time.monotonic() + SECONDS
        while not re.search(pattern, self.seen):
            assert time.monotonic() < deadline, f"{pattern!r} not in {self.seen!r}"
            if select.select([self.descriptor], [], [], 0.2)[0]:
                self.seen += self._read()
        return self.seen

    def _read(self) -> str:
        try:
            data = os.read(self.descriptor, 65536)
        except OSError:
            data = b""
        assert data, f"the terminal has closed: {self.seen!r}"
        return data.decode(errors="replace")

    def type(self, text: str) -> None:
        os.write(self.descriptor, text.encode())

    def exit_code(self) -> int:
        """Reads to the end, for a terminal's buffer is small."""
        try:
            while os.read(self.descriptor, 65536):
                pass
        except OSError:
            pass
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.descriptor)
        return os.waitstatus_to_exitcode(status)


def test_at_a_terminal_the_program_has_one_too_of_the_same_size(shop: Person) -> None:
    terminal = Terminal(shop, "run", "bash --norc")
    terminal.until(r"bash-.*\$ ")
    terminal.type("tty; stty size; echo $((40 + 2))\n")
    terminal.until(r"/dev/(?:pts/\d+|console)\s+30 100\s+42")
    terminal.type("exit 5\n")
    assert terminal.exit_code() == 5


def test_at_a_terminal_ctrl_c_reaches_the_program_and_not_the_client(shop: Person) -> None:
    terminal = Terminal(
        shop, "run", "python", "-c", "import time\nprint('rea'+'dy', flush=True)\ntime.sleep(600)"
    )
    terminal.until("ready")
    terminal.type("\x03")
    terminal.until("KeyboardInterrupt")
    assert terminal.exit_code() in (1, 130)


def test_an_interrupted_client_without_a_terminal_ends_the_program(shop: Person) -> None:
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with ended(shop.starts("run", "echo ready; sleep 600", **pipes)) as client:
        assert client.stdout and client.stdout.readline() == b"ready\n"
        client.send_signal(signal.SIGINT)
        assert client.wait(SECONDS) == 130
    wait_until(lambda: not [dyno for dyno in documents(shop, "ps") if "sleep 600" in dyno["command"]])


def test_dynos_are_scaled_restarted_and_stopped(shop: Person) -> None:
    assert "now running worker at 1:" in shop.baton("ps:scale", "worker=1").stderr
    assert "worker=1:" in shop.baton("ps:scale").stdout
    wait_until(lambda: "the worker works" in shop.baton("logs", "-d", "worker.1").stdout)
    assert "all dynos" in shop.baton("ps:restart").stderr
    assert "dyno worker.1" in shop.baton("ps", "restart", "worker.1").stderr
    assert documents(shop, "ps:stop", "worker") == {"stopped": "worker"}
    shop.baton("ps:scale", "worker-1")
    assert {entry["type"]: entry["quantity"] for entry in documents(shop, "ps:scale")}["worker"] == 0
    assert "ps:scale" not in shop.baton("ps:scale", "nothing=1", code=None).stdout


def test_logs_are_followed_until_ctrl_c(shop: Person) -> None:
    with ended(shop.starts("logs", "--tail", "-n", "1", "--json", stdout=subprocess.PIPE)) as client:
        assert client.stdout and client.stdout.readline()
        shop.baton("run:detached", "echo", "followed-line")
        assert any(json.loads(line)["message"] == "followed-line" for line in client.stdout)
        client.send_signal(signal.SIGINT)
        assert client.wait(SECONDS) == 130


def test_going_back_is_a_new_release(shop: Person) -> None:
    shop.baton("config:set", "COLOUR=red")
    red = documents(shop, "releases")[0]["version"]
    shop.baton("config:set", "COLOUR=blue")
    done = shop.baton("rollback", f"v{red}")
    assert "baton rollback v" in done.stderr
    assert documents(shop, "config")["COLOUR"] == "red"
    assert documents(shop, "releases")[0]["version"] == red + 2
    assert documents(shop, "rollback")["status"] == "succeeded"


def test_buildpacks_are_kept_in_order(shop: Person) -> None:
    shop.baton("buildpacks:add", "heroku/python")
    shop.baton("buildpacks:add", "--index", "1", "heroku/nodejs")
    assert shop.baton("buildpacks").stdout.split("\n", 2)[2] == "1. heroku/nodejs\n2. heroku/python\n"
    shop.baton("buildpacks:remove", "heroku/nodejs")
    shop.baton("buildpacks:set", "https://example.org/pack.git")
    assert [each["buildpack"]["url"] for each in documents(shop, "buildpacks")] == [
        "https://example.org/pack.git"
    ]
    assert documents(shop, "buildpacks:clear") == []


def test_domains_and_maintenance_mode(shop: Person) -> None:
    shop.baton("domains:add", "www.example.org")
    assert "www.example.org" in shop.baton("domains").stdout
    shop.baton("domains:remove", "www.example.org")
    assert "www.example.org" not in shop.baton("domains").stdout
    shop.baton("maintenance:on")
    assert shop.baton("maintenance").stdout == "on\n"
    shop.baton("maintenance", "off")
    assert documents(shop, "maintenance")["maintenance"] is False


def test_an_app_is_renamed_with_its_remote_and_destroyed_only_when_confirmed(
    signed_in: Person, tmp_path: Path
) -> None:
    here = signed_in.at(tmp_path)
    here.types("git", "init", "--quiet")
    name = documents(here, "create")["name"]
    here.baton("rename", f"{name[:20]}-x")
    assert f"{signed_in.server}/{name[:20]}-x.git" in here.types("git", "remote", "-v").stdout
    assert "--confirm" in here.baton("destroy", code=2).stderr
    assert "Nothing was deleted" in here.baton("destroy", "--confirm", name, code=1).stderr
    here.baton("destroy", "--confirm", f"{name[:20]}-x")
    assert here.types("git", "remote").stdout == ""
    here.baton("info", "-a", f"{name[:20]}-x", code=4)


def test_a_remote_for_an_app_that_exists(shop: Person, tmp_path: Path) -> None:
    here = shop.at(tmp_path)
    assert "not in a git repository" in here.baton("info", code=2).stderr
    here.types("git", "init", "--quiet")
    assert "set git remote live to" in here.baton("git:remote", "-a", "cli-shop", "-r", "live").stdout
    assert "=== cli-shop" in here.baton("info").stdout


def test_signing_out_revokes_the_token(person: Person, tmp_path: Path) -> None:
    other = Person(tmp_path, tmp_path, person.server, person.email, person.password)
    other.baton("login", "-i", "--email", person.email, stdin=f"{person.password}\n".encode())
    token = re.search(r'token = "(.+)"', (tmp_path / ".config/baton/credentials.toml").read_text())
    assert token
    other.baton("logout")
    other.baton("whoami", code=3)
    other.types("baton", "whoami", code=3, BATON_API_KEY=token[1])
    assert "credential" not in (tmp_path / ".gitconfig").read_text()
