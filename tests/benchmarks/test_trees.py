"""The sample trees hold what their kind and flaw promise, and their programs answer when started by hand."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.apps import EXTRA_REQUIREMENT, FLAWS, KINDS, tree, write

BIN = Path(sys.executable).parent


@contextmanager
def started(files: dict[str, str], where: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The tree's web process on a port of its own, ended by its process group."""
    write(files, where)
    web = next(line[5:] for line in files["Procfile"].splitlines() if line.startswith("web: "))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "PORT": str(port),
        "GREETING": "hello",
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "DYNO": "web.1",
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    if web.startswith("gunicorn"):
        web = f"{web} --bind 127.0.0.1:{port} --no-control-socket"
    with (where / "log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {web}"],
            cwd=where,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield process, f"http://127.0.0.1:{port}"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
            process.wait()


def ask(url: str, body: bytes | None = None) -> dict[str, str]:
    deadline = time.monotonic() + 20
    while True:
        try:
            with urllib.request.urlopen(url, data=body, timeout=5) as answer:
                return json.load(answer)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_answers_with_version_setting_and_the_requests_nonce(kind: str, tmp_path: Path) -> None:
    with started(tree(kind, "v7"), tmp_path) as (_, url):
        answer = ask(f"{url}/?nonce=n1")
        posted = ask(f"{url}/echo?nonce=n2", b"abc")
    assert (answer["version"], answer["setting"], answer["nonce"]) == ("v7", "hello", "n1")
    assert posted["length"] == 3
    assert posted["sha256"].startswith("ba7816bf")


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_that_crashes_after_binding_dies_at_its_first_request(kind: str, tmp_path: Path) -> None:
    with started(tree(kind, "v1", "crash_after_bind"), tmp_path) as (process, url):
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            with pytest.raises(OSError):
                urllib.request.urlopen(url, timeout=5)
            time.sleep(0.05)
        assert process.poll() is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flaw", FLAWS)
def test_a_flaw_changes_one_file_besides_the_version(kind: str, flaw: str) -> None:
    good, bad = tree(kind, "v1"), tree(kind, "v1", flaw)
    assert good.keys() == bad.keys()
    assert len([name for name in good if good[name] != bad[name]]) == 1


def test_a_further_requirement_is_added_to_the_kinds_own() -> None:
    plain, more = tree("gunicorn", "v1"), tree("gunicorn", "v1", requirements=[EXTRA_REQUIREMENT])
    assert more["requirements.txt"] == plain["requirements.txt"] + f"{EXTRA_REQUIREMENT}\n"


def test_an_unknown_kind_or_flaw_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(ValueError, match="gunicorn"):
        tree("iis", "v1")
    with pytest.raises(ValueError, match="import_error"):
        tree("port", "v1", "bad_luck")
