"""`baton up` as a stranger types it: one command to a running Loci that a person can sign in to."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, sync_playwright

from tests.machine import free_ports, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CHROMIUM = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SECONDS = 600


@dataclass(frozen=True)
class Host:
    """A place for one Baton, and how a person there calls the command."""

    root: Path
    environ: dict[str, str]
    http: int
    https: int

    def baton(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = Path(sys.executable).parent / "baton"
        return subprocess.run(
            [str(command), *words],
            env=self.environ,
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def supervisor(self) -> int:
        """The supervisor's process id."""
        from baton.base.paths import Home
        from baton.run.client import Supervisor

        return int(Supervisor(Home.at(self.root / "b")).status()["pid"])


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    root = Path(tempfile.mkdtemp(prefix="up", dir="/tmp"))
    root.chmod(0o711)
    http, https, control, rendezvous = free_ports(4)
    own = {
        "BATON_HOME": str(root / "b"),
        "BATON_BIND": "127.0.0.1",
        "BATON_HTTP_PORT": str(http),
        "BATON_HTTPS_PORT": str(https),
        "BATON_CONTROL_PORT": str(control),
        "BATON_RENDEZVOUS_PORT": str(rendezvous),
        "XDG_CONFIG_HOME": str(root / "config"),
        "HOME": str(root),
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "DJANGO_"))}
    one = Host(root, {**kept, **own}, http, https)
    try:
        yield one
    finally:
        one.baton("down")
        shutil.rmtree(root, ignore_errors=True)


@pytest.fixture(scope="module")
def brought_up(host: Host) -> str:
    """What the first `up` printed."""
    done = host.baton("up")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM)
        yield browser.new_context(ignore_https_errors=True).new_page()
        browser.close()


def test_up_deploys_loci_by_a_push_and_says_where_it_is(host: Host, brought_up: str) -> None:
    assert "deployed to Baton" in brought_up
    assert f"https://loci.localhost:{host.https}/" in brought_up
    assert re.search(r"Password: +\S{12,}", brought_up)
    answer = httpx.get(f"http://127.0.0.1:{host.http}/_status/", headers={"Host": "loci.localhost"})
    assert (answer.status_code, answer.text.strip()) == (200, "Status: OK")


def test_a_person_signs_in_to_loci_through_its_sandbox(host: Host, brought_up: str, page: Page) -> None:
    page.goto(f"https://loci.localhost:{host.https}/")
    page.get_by_role("link", name="Sign in").or_(page.get_by_role("button", name="Sign in")).first.click()
    page.get_by_text("Ada Lark").click()
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="YES").click()
    page.get_by_role("heading", name="Hello, Ada").wait_for()
    assert "191154276" in page.inner_text("body").replace(" ", "").replace("\u202f", "")


def test_hashed_static_files_come_from_disk_compressed_and_for_ever(host: Host, brought_up: str) -> None:
    base, named = f"http://127.0.0.1:{host.http}", {"Host": "loci.localhost"}
    front = httpx.get(f"{base}/", headers={**named, "X-Forwarded-Proto": "https"}, follow_redirects=False)
    secure = httpx.get(f"https://127.0.0.1:{host.https}/", headers=named, verify=False)
    path = re.search(r'href="(/static/[^"]+\.css)"', secure.text or front.text)
    assert path is not None
    answer = httpx.get(f"{base}{path[1]}", headers={**named, "Accept-Encoding": "br"})
    assert answer.status_code == 200
    assert answer.headers["content-encoding"] == "br"
    assert "immutable" in answer.headers["cache-control"]


def test_a_second_up_changes_nothing_that_runs(host: Host, brought_up: str) -> None:
    supervisor = host.supervisor()
    before = versions(host)
    done = host.baton("up")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "deployed to Baton" not in done.stdout + done.stderr
    assert versions(host) == before
    assert host.supervisor() == supervisor


def versions(host: Host) -> list[int]:
    return [
        release["version"] for release in json.loads(host.baton("releases", "-a", "loci", "--json").stdout)
    ]


def test_the_doctor_finds_a_running_machine_well(host: Host, brought_up: str) -> None:
    done = host.baton("doctor", "--json")
    findings = {finding["id"]: finding for finding in json.loads(done.stdout)}
    assert done.returncode == 0, done.stdout
    for name in ("machine.supervisor", "machine.control", "machine.front_door"):
        assert findings[name]["level"] == "ok", findings[name]


def test_down_ends_everything_and_up_brings_it_back(host: Host, brought_up: str) -> None:
    assert host.baton("down").returncode == 0
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"http://127.0.0.1:{host.http}/", headers={"Host": "loci.localhost"})
    assert host.baton("doctor").returncode == 1
    assert host.baton("up").returncode == 0

    def is_served() -> bool:
        address = f"http://127.0.0.1:{host.http}/_status/"
        return httpx.get(address, headers={"Host": "loci.localhost"}).status_code == 200

    wait_until(is_served)
