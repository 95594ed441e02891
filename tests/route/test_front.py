"""The front door finds nginx, and never puts a document in force that nginx refuses."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from baton.base.paths import Home
from baton.route.door import Certificate, RoutedApp
from baton.route.errors import DocumentRefused, DoorError, NginxMissing, NotSettled
from baton.route.front import FrontDoor, Nginx, find_nginx, served_digest
from tests.route.conftest import Running, answering, plain_door


def an_nginx_that_says(path: Path, words: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{words}' >&2\n")
    path.chmod(0o755)
    return path


def test_the_newest_usable_nginx_is_found(tmp_path: Path) -> None:
    found = find_nginx([
        an_nginx_that_says(tmp_path / "old", "nginx version: nginx/1.18.0 (Ubuntu)"),
        an_nginx_that_says(tmp_path / "good", "nginx version: nginx/1.22.1"),
        an_nginx_that_says(tmp_path / "best", "nginx version: nginx/1.31.3"),
        tmp_path / "missing",
    ])  # fmt: skip
    assert found == Nginx(tmp_path / "best", (1, 31, 3))


def test_without_a_usable_nginx_it_says_what_was_found_and_what_to_type(tmp_path: Path) -> None:
    old = an_nginx_that_says(tmp_path / "old", "nginx version: nginx/1.18.0")
    with pytest.raises(NginxMissing, match=r"(?s)1\.22\.0 or newer.*1\.18\.0.*apt-get install"):
        find_nginx([old, an_nginx_that_says(tmp_path / "none", "something else")])


def test_this_machine_s_own_nginx_is_found() -> None:
    assert find_nginx().version >= (1, 22, 0)


def test_a_refused_document_leaves_the_former_one_and_what_is_served(door: Running) -> None:
    door.app(answering())
    former = door.door.home.front_document.read_text()
    missing = Certificate(("shop.localhost",), Path("/nowhere.pem"), Path("/nowhere.pem"))
    with pytest.raises(DocumentRefused, match=r"nowhere\.pem"):
        door.front.apply(replace(door.door, https=("127.0.0.1", 1), certificates=(missing,)))
    assert door.door.home.front_document.read_text() == former
    assert list(door.door.home.root.glob("nginx.conf.*")) == []
    assert door.get()[2] == b"hello"


def test_an_unknown_user_is_refused_before_nginx_is_asked(home: Home, nginx: Nginx) -> None:
    front = FrontDoor(home, nginx, lambda: None)
    with pytest.raises(DoorError, match="no-such-user"):
        front.write(replace(plain_door(home), user="no-such-user"))


def test_a_document_that_is_never_taken_up_is_reported(door: Running) -> None:
    deaf = replace(door.front, reload=lambda: None)
    with pytest.raises(NotSettled, match="former one"):
        deaf.apply(replace(door.door, idle=99), within=0.3)
    door.front.reload()
    door.front.settle()


def test_an_nginx_that_does_not_run_has_no_digest(home: Home) -> None:
    assert served_digest(home) is None


def test_pages_are_readable_by_nginx_s_workers_whatever_the_umask(home: Home, nginx: Nginx) -> None:
    FrontDoor(home, nginx, lambda: None).furnish()
    for page in (home.root / "pages").iterdir():
        assert stat.S_IMODE(page.stat().st_mode) == 0o644


def test_a_hundred_hosts_of_many_lengths_fit_one_document(home: Home, nginx: Nginx) -> None:
    label = "a" * 60
    apps = tuple(
        RoutedApp(
            f"{number:012x}",
            f"app-{number}",
            (f"{label}{number}.{label}.{label}.example", f"*.w{number}.example"),
            "/static/",
        )
        for number in range(100)
    )
    assert FrontDoor(home, nginx, lambda: None).write(replace(plain_door(home), apps=apps))


def test_it_writes_anew_only_what_has_changed(home: Home, nginx: Nginx) -> None:
    front, door = FrontDoor(home, nginx, lambda: None), plain_door(home)
    assert front.write(door)
    assert not front.write(door)
    assert front.write(replace(door, apps=()))
