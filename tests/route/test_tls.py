"""HTTPS and HTTP/2 with certificates of Baton's own authority, told apart by name."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from baton.base.paths import Home
from baton.route.certificates import authority, certificate_for
from baton.route.door import RoutedApp
from baton.route.front import Nginx
from tests.route.conftest import HOST, Running, a_door, answering, free_port, headers, plain_door

OTHER = "other.localhost"


@pytest.fixture
def secure(home: Home, nginx: Nginx) -> Iterator[Running]:
    plain = plain_door(home)
    certificates = (
        certificate_for(home, ["baton.localhost"]),
        certificate_for(home, [HOST]),
        certificate_for(home, [OTHER]),
    )
    apps = (*plain.apps, RoutedApp("ba9876543210", "other", (OTHER,)))
    wanted = replace(
        plain,
        https=("127.0.0.1", free_port()),
        certificates=certificates,
        apps=apps,
        control_hosts=("baton.localhost",),
    )
    with a_door(wanted, nginx) as running:
        yield running


def https_port(door: Running) -> int:
    assert door.door.https
    return door.door.https[1]


def curl(door: Running, url: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    names = [
        option
        for host in (HOST, OTHER, "unknown.localhost")
        for option in ("--resolve", f"{host}:{https_port(door)}:127.0.0.1")
    ]
    command = [
        "curl",
        "-sS",
        "-m",
        "20",
        "--cacert",
        str(authority(door.door.home).certificate),
        *names,
        *options,
        url,
    ]
    return subprocess.run(command, capture_output=True, check=False)


def test_http_2_is_spoken_and_the_app_hears_https(secure: Running) -> None:
    seen: list[bytes] = []
    secure.app(answering(seen=seen))
    port = https_port(secure)
    done = curl(secure, f"https://{HOST}:{port}/", "-w", "%{http_version}")
    assert done.stdout == b"hello2", done.stderr
    found = headers(seen[0])
    assert (found["x-forwarded-proto"], found["x-forwarded-port"], found["host"]) == (
        "https",
        str(port),
        f"{HOST}:{port}",
    )
    assert "protocol=https" in secure.router_line()


def test_http_1_works_over_tls_and_plain_http_is_not_redirected(secure: Running) -> None:
    secure.app(answering())
    assert (
        curl(secure, f"https://{HOST}:{https_port(secure)}/", "--http1.1", "-w", "%{http_version}").stdout
        == b"hello1.1"
    )
    status, found, body = secure.get()
    assert (status, body, found.get("location")) == (200, b"hello", None)
    assert "protocol=http" in secure.router_line("protocol=http")


def test_each_app_shows_its_own_certificate(secure: Running) -> None:
    secure.app(answering())
    secure.app(answering(b"other"), key="ba9876543210")
    assert curl(secure, f"https://{OTHER}:{https_port(secure)}/").stdout == b"other"
    context = ssl.create_default_context(cafile=authority(secure.door.home).certificate)
    for name in (HOST, OTHER):
        with (
            socket.create_connection(("127.0.0.1", https_port(secure))) as raw,
            context.wrap_socket(raw, server_hostname=name) as wrapped,
        ):
            certificate = wrapped.getpeercert()
            assert certificate
            assert certificate["subjectAltName"] == (("DNS", name),)
            assert wrapped.version() == "TLSv1.3"


def test_an_unknown_host_over_tls_is_not_found(secure: Running) -> None:
    done = curl(secure, f"https://unknown.localhost:{https_port(secure)}/", "-k", "-w", "%{http_code}")
    assert b"No app at this address" in done.stdout
    assert done.stdout.endswith(b"404")


def test_old_tls_is_refused(secure: Running) -> None:
    secure.app(answering())
    done = curl(
        secure, f"https://{HOST}:{https_port(secure)}/", "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"
    )
    assert done.returncode != 0


def test_plain_http_to_the_tls_port_is_sent_to_https(secure: Running) -> None:
    done = curl(
        secure,
        f"http://{HOST}:{https_port(secure)}/x?y=1",
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{redirect_url}",
    )
    assert done.stdout.decode() == f"308 https://{HOST}:{https_port(secure)}/x?y=1"


@pytest.mark.parametrize("code", ["h80", "h14"])
def test_pages_come_over_http_2_too(secure: Running, code: str) -> None:
    secure.point(secure.door.home.page_socket(code))
    done = curl(
        secure,
        f"https://{HOST}:{https_port(secure)}/",
        "-H",
        "Accept: application/json",
        "-X",
        "POST",
        "-d",
        "x" * 50_000,
    )
    assert json.loads(done.stdout)["id"] == code


def test_a_fault_over_http_2_has_its_page(secure: Running) -> None:
    secure.app(lambda connection: connection.sendall(b"") if connection.recv(65536) else None)
    done = curl(secure, f"https://{HOST}:{https_port(secure)}/", "-w", "%{http_code}")
    assert b"The answer broke off" in done.stdout
    assert done.stdout.endswith(b"503")
    assert "code=H13" in secure.router_line()
