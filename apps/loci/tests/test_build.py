"""From lock files to a running instance, as a platform does it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

APP = Path(__file__).resolve().parents[1]
COMPLETE = {
    "DJANGO_SETTINGS_MODULE": "config.settings.production",
    "DJANGO_SECRET_KEY": "a key of this test run, which is long enough for every check of Django",
    "DATABASE_URL": "sqlite:////tmp/never-opened.sqlite3",
    "API_CLIENT_ID": "id",
    "API_CLIENT_SECRET": "secret",
}


def manage(tree: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": os.environ["PATH"], **environment}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=tree, env=variables, capture_output=True, text=True, check=False, timeout=120
    )


def without(name: str) -> dict[str, str]:
    return {key: value for key, value in COMPLETE.items() if key != name}


def test_npm_builds_by_grunt_alone() -> None:
    package = json.loads((APP / "package.json").read_text())
    assert package["scripts"] == {"postinstall": "grunt"}
    assert "grunt" in package["dependencies"]


@pytest.mark.parametrize("name", ["package-lock.json", "requirements.txt", "sandbox/requirements.txt"])
def test_lock_files_pin_everything_and_name_no_server(name: str) -> None:
    text = (APP / name).read_text()
    assert not re.search(r"\"resolved\"|index-url|registry\.|@ http|\.whl|\.tgz", text)
    if name.endswith(".txt"):
        pinned = re.findall(r"^[a-z][\w.\[\]-]*==", text, re.MULTILINE)
        assert pinned and len(pinned) == len(re.findall(r"^[a-z]", text, re.MULTILINE))
        assert text.count("--hash=sha256:") >= len(pinned)
    else:
        packages = json.loads(text)["packages"]
        assert all("integrity" in entry for path, entry in packages.items() if path)


def test_the_procfile_names_the_documented_processes() -> None:
    processes = dict(line.split(": ", 1) for line in (APP / "Procfile").read_text().splitlines())
    assert processes == {
        "web": "gunicorn config.wsgi:application --config config/gunicorn.py",
        "release": "python manage.py migrate --noinput",
    }


@pytest.mark.parametrize("name", ["DJANGO_SECRET_KEY", "DATABASE_URL", "API_CLIENT_ID", "API_CLIENT_SECRET"])
def test_an_instance_refuses_to_start_and_names_what_is_missing(name: str) -> None:
    done = manage(APP, "check", **without(name))
    assert done.returncode == 1 and f"(loci.E001) {name} is not set" in done.stderr
    assert done.stderr.count("loci.E001") == 1
    served = subprocess.run(
        [sys.executable, "-c", "import config.wsgi"],
        cwd=APP,
        env={"PATH": os.environ["PATH"], **without(name)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert served.returncode == 1 and f"{name} is not set" in served.stderr


@pytest.mark.parametrize(
    ("variable", "value", "finding"),
    [
        ("API_URL", "http://api.example", "loci.E002"),
        ("API_CA_FILE", "/nowhere/authority.pem", "loci.E003"),
    ],
)
def test_settings_that_would_leak_or_fail_are_found_by_check(variable: str, value: str, finding: str) -> None:
    done = manage(APP, "check", **COMPLETE | {variable: value})
    assert done.returncode == 1 and finding in done.stderr


@pytest.mark.build
def test_the_built_tree_passes_every_deployment_check(built_tree: Path) -> None:
    done = manage(built_tree, "check", "--deploy", "--fail-level", "WARNING", **COMPLETE)
    assert done.returncode == 0, done.stderr
    missing = manage(built_tree, "makemigrations", "--check", "--dry-run", **COMPLETE)
    assert missing.returncode == 0, missing.stdout


@pytest.mark.build
@pytest.mark.parametrize(
    "commands",
    [
        [["npm", "ci", "--omit=dev"]],
        [["npm", "ci", "--ignore-scripts"], ["npm", "run", "postinstall"]],
    ],
    ids=["without development packages", "scripts apart"],
)
def test_the_assets_are_built_however_npm_is_called(tmp_path: Path, commands: list[list[str]]) -> None:
    for name in ("package.json", "package-lock.json", "Gruntfile.js"):
        shutil.copy(APP / name, tmp_path)
    shutil.copytree(APP / "loci/assets", tmp_path / "loci/assets")
    for command in commands:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    style = (tmp_path / "dist/loci/site.css").read_text()
    assert "prefers-color-scheme:dark" in style.replace(" ", "")
    for font in re.findall(r"url\(([^)]+)\)", style):
        assert (tmp_path / "dist/loci" / font.strip("\"'")).is_file()
    assert (tmp_path / "dist/loci/site.js").stat().st_size > 100


@pytest.mark.build
def test_a_plain_probe_is_answered_while_everything_else_goes_to_https(loci: Any) -> None:
    plain = {"X-Forwarded-Proto": "http"}
    probe = loci.session().get(f"{loci.url}/_status/", headers=plain, allow_redirects=False)
    assert (probe.status_code, probe.text) == (200, "Status: OK")
    assert "no-store" in probe.headers["Cache-Control"]
    page = loci.session().get(f"{loci.url}/", headers=plain, allow_redirects=False)
    assert page.status_code == 301 and page.headers["Location"].startswith("https://")
    secure = loci.session().get(f"{loci.url}/", headers={"X-Forwarded-Proto": "https"})
    assert "max-age=31536000" in secure.headers["Strict-Transport-Security"]


@pytest.mark.build
def test_old_addresses_and_small_files_answer(loci: Any) -> None:
    session = loci.session()
    home = session.get(f"{loci.url}/home/", allow_redirects=False)
    assert (home.status_code, home.headers["Location"]) == (302, "/")
    assert session.get(f"{loci.url}/_auth_status/").json() == {"status": "not authenticated"}
    assert session.get(f"{loci.url}/favicon.ico").headers["Content-Type"].startswith("image/svg")
    assert session.get(f"{loci.url}/robots.txt").text.startswith("User-agent")
    assert session.get(f"{loci.url}/admin/login/").status_code == 200
    missing = session.get(f"{loci.url}/nothing/")
    assert missing.status_code == 404 and "There is no such page" in missing.text


def test_hosts_are_limited_when_they_are_named() -> None:
    code = "import config.settings.production as s; print(s.ALLOWED_HOSTS)"
    hosts = {}
    for value in ("", "a.example,b.example"):
        environment = {"PATH": os.environ["PATH"], "ALLOWED_HOSTS": value}
        done = subprocess.run(
            [sys.executable, "-c", code],
            cwd=APP,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        hosts[value] = done.stdout.strip()
    assert hosts[""] == "['*']"
    assert hosts["a.example,b.example"] == "['a.example', 'b.example', 'localhost', '127.0.0.1', '[::1]']"
