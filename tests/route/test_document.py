"""The document as text: what a door says is in it, and what it can't say is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from baton.base.paths import Home
from baton.route.document import digest_of, document
from baton.route.door import Certificate, Door, RoutedApp, page_listener, sockets
from baton.route.errors import DoorError
from baton.route.variables import STATIC_TYPES

HOME = Home(Path("/var/lib/baton"))
SHOP = RoutedApp("0123456789ab", "shop", ("shop.localhost",), "/static/")
PEM = Path("/var/lib/baton/keys/tls/a.pem")


def a_door(**changes: object) -> Door:
    return replace(Door(HOME, ("127.0.0.1", 8080), None, (SHOP,), user="www-data www-data"), **changes)  # type: ignore[arg-type]


def server(text: str, name: str) -> str:
    """The server block that has this server_name."""
    blocks = [block for block in text.split("\n    server {\n") if f"server_name {name};" in block]
    assert len(blocks) == 1
    return blocks[0]


@pytest.mark.parametrize(
    ("changes", "there", "absent"),
    [
        (
            {},
            [
                "user www-data www-data;",
                "daemon off;",
                "worker_processes auto;",
                "listen 127.0.0.1:8080 default_server",
            ],
            ["ssl", "http2"],
        ),
        ({"user": None}, [], ["user "]),
        ({"workers": 3}, ["worker_processes 3;"], []),
        ({"open_files": 500}, ["worker_rlimit_nofile 500;", "worker_connections 500;"], []),
        ({"first_byte": 1.5, "idle": 9}, ["proxy_read_timeout 1500ms;", "proxy_read_timeout 9000ms;"], []),
        (
            {"https": ("0.0.0.0", 443)},
            [
                "listen 0.0.0.0:443 default_server backlog=4096 sndbuf=1m ssl http2;",
                "ssl_reject_handshake on;",
            ],
            ["http2 on;"],
        ),
        (
            {"https": ("0.0.0.0", 443), "nginx_version": (1, 31, 3)},
            ["listen 0.0.0.0:443 default_server backlog=4096 sndbuf=1m ssl;", "http2 on;"],
            ["ssl http2"],
        ),
        ({"nginx_version": (1, 27, 3)}, [], ["keepalive_min_timeout"]),
        ({"nginx_version": (1, 27, 4)}, ["keepalive_min_timeout 5s;"], []),
        ({"http": ("::1", 80)}, ["listen [::1]:80 default_server"], []),
        ({"http": None, "https": ("127.0.0.1", 443)}, ["listen 127.0.0.1:443"], [":8080"]),
        ({"apps": ()}, [], ['proxy_pass "http']),
        (
            {"control_hosts": ("baton.localhost",)},
            ["proxy_pass http://127.0.0.1:5100;", "server_name baton.localhost;"],
            [],
        ),
    ],
)
def test_the_door_s_wishes_are_in_the_document(
    changes: dict[str, object], there: list[str], absent: list[str]
) -> None:
    text = document(a_door(**changes))
    assert [one for one in there if one not in text] == []
    assert [one for one in absent if one in text] == []


def test_an_app_s_block_names_its_socket_and_no_release() -> None:
    block = server(document(a_door()), "shop.localhost")
    assert 'proxy_pass "http://unix:/var/lib/baton/run/front/0123456789ab.sock:";' in block
    assert 'root "/var/lib/baton/static/0123456789ab";' in block
    assert "location ^~ /static/ {" in block
    without = server(document(a_door(apps=(replace(SHOP, static_url=None),))), "shop.localhost")
    assert "try_files $uri$baton_first" not in without


def test_the_sockets_are_those_that_the_document_listens_on() -> None:
    door = a_door(https=("0.0.0.0", 8443))
    text = document(door)
    for spec in sockets(door):
        where = spec.removeprefix("tcp:")
        assert f"listen {where} default_server" in text or f'listen "{where}" default_server' in text, spec
    assert f"unix:{page_listener(HOME, 'H80')}" in sockets(door)


def test_each_host_gets_the_certificate_that_fits_it_best() -> None:
    own = Certificate(("shop.localhost",), Path("/own.pem"), Path("/own.pem"))
    wild = Certificate(("*.example.com",), Path("/wild.pem"), Path("/wild.key"))
    exact = Certificate(("www.example.com",), Path("/exact.pem"), Path("/exact.pem"))
    hosts = ("shop.localhost", "a.example.com", "www.example.com", "a.b.example.com", "example.com")
    text = document(
        a_door(https=("0.0.0.0", 443), certificates=(own, wild, exact), apps=(replace(SHOP, hosts=hosts),))
    )
    assert 'ssl_certificate "/own.pem"' in server(text, "shop.localhost a.b.example.com example.com")
    assert 'ssl_certificate "/wild.pem";\n        ssl_certificate_key "/wild.key"' in server(
        text, "a.example.com"
    )
    assert 'ssl_certificate "/exact.pem"' in server(text, "www.example.com")


def test_a_digest_names_the_document_and_changes_with_it() -> None:
    first, same, other = document(a_door()), document(a_door()), document(a_door(idle=1))
    assert first == same
    assert digest_of(first) != digest_of(other)
    assert "@DIGEST@" not in first


@pytest.mark.parametrize(
    "changes",
    [
        {"apps": (SHOP, replace(SHOP, key="ba9876543210", name="other"))},
        {"apps": (SHOP,), "control_hosts": ("shop.localhost",)},
        *(
            {"apps": (replace(SHOP, hosts=(host,)),)}
            for host in (
                "a b",
                "a;b",
                "~x",
                "A.b",
                "",
                ".a",
                "a..b",
                "*",
                "a.*.b",
                "-a.b",
                "a" * 300,
                "a\nb",
                "$host",
            )
        ),
        *(
            {"apps": (replace(SHOP, static_url=url),)}
            for url in ("/", "static/", "/static", "/sta tic/", "/a;/", "/$x/", "/{}/", '/"/')
        ),
        *(
            {"apps": (replace(SHOP, key=key),)}
            for key in ("", "../../../etc", "0123456789AB", "0123456789abc")
        ),
        {"apps": (replace(SHOP, name="a\n}"),)},
        {"user": "root; daemon on"},
        {"control_address": "127.0.0.1"},
        {"control_address": "127.0.0.1:80; }"},
        *({"home": Home(Path(path))} for path in ("/a$b", '/a"b', "/a;b", "/a\nb")),
    ],
)
def test_what_can_t_be_said_or_would_say_something_else_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(DoorError):
        document(a_door(**changes))


def test_every_type_s_suffix_can_stand_in_a_pattern() -> None:
    assert all(suffix.isalnum() for suffix in STATIC_TYPES)


def test_five_hundred_apps_make_a_document_of_bounded_size() -> None:
    apps = tuple(
        RoutedApp(f"{number:012x}", f"app-{number}", (f"app-{number}.localhost",), "/static/")
        for number in range(500)
    )
    text = document(a_door(apps=apps))
    assert len(text) / 500 < 8000
    assert text.count("server {") == 500 + 1 + 8
