"""Hashed static files come from disk in the best form the client takes; everything else is the app's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.route.conftest import KEY, Running, answering

CSS = b"body { color: teal }\n" * 20


@pytest.fixture
def files(door: Running) -> Path:
    root = door.door.home.static(KEY) / "static"
    (root / "css").mkdir(parents=True)
    for suffix, content in (("", CSS), (".br", b"brotli"), (".zst", b"zstandard"), (".gz", b"gzipped")):
        (root / "css" / f"site.0a1b2c3d4e5f.css{suffix}").write_bytes(content)
    (root / "logo.0a1b2c3d4e5f.svg").write_bytes(b"<svg/>")
    (root / "logo.0a1b2c3d4e5f.svg.gz").write_bytes(b"gz")
    (root / "data.0a1b2c3d4e5f.tar.gz").write_bytes(b"an archive")
    door.app(answering(b"the app's"))
    return root


SHEET = "/static/css/site.0a1b2c3d4e5f.css"


@pytest.mark.parametrize(
    ("accepted", "coding", "body"),
    [
        ("gzip, deflate, br, zstd", "br", b"brotli"),
        ("gzip, zstd", "zstd", b"zstandard"),
        ("GZIP;q=0.5", "gzip", b"gzipped"),
        ("br;q=0, gzip", "gzip", b"gzipped"),
        ("br;q=0.0", None, CSS),
        ("br ; q=0.8", "br", b"brotli"),
        ("brotli, gzipped", None, CSS),
        ("identity", None, CSS),
        ("", None, CSS),
    ],
)
def test_a_file_comes_in_the_best_form_that_the_client_takes(
    door: Running, files: Path, accepted: str, coding: str | None, body: bytes
) -> None:
    status, headers, found = door.get(SHEET, Accept_Encoding=accepted)
    assert (status, found, headers.get("content-encoding")) == (200, body, coding)
    assert headers["content-type"] == "text/css; charset=utf-8"
    assert headers["content-length"] == str(len(body))
    assert headers["vary"] == "Accept-Encoding"
    assert headers["cache-control"] == "public, max-age=31536000, immutable"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize(
    ("path", "accepted", "kind", "coding"),
    [
        ("/static/logo.0a1b2c3d4e5f.svg", "br, gzip", "image/svg+xml", "gzip"),
        ("/static/logo.0a1b2c3d4e5f.svg", "br", "image/svg+xml", None),
        ("/static/data.0a1b2c3d4e5f.tar.gz", "gzip", "application/octet-stream", None),
    ],
)
def test_type_and_encoding_are_those_of_what_is_sent(
    door: Running, files: Path, path: str, accepted: str, kind: str, coding: str | None
) -> None:
    status, headers, _ = door.get(path, Accept_Encoding=accepted)
    assert (status, headers["content-type"], headers.get("content-encoding")) == (200, kind, coding)


def test_head_range_and_etag_work_as_http_wants_them(door: Running, files: Path) -> None:
    status, headers, body = door.get(SHEET, method="HEAD")
    assert (status, headers["content-length"], body) == (200, str(len(CSS)), b"")
    status, part, body = door.get(SHEET, Range="bytes=5-9")
    assert (status, part["content-range"], body) == (206, f"bytes 5-9/{len(CSS)}", CSS[5:10])
    assert door.get(SHEET, Range="bytes=99999-")[0] == 416
    assert door.get(SHEET, Range="bytes=0-1,3-4")[0] == 200
    status, unchanged, body = door.get(SHEET, If_None_Match=headers["etag"])
    assert (status, body, unchanged["vary"]) == (304, b"", "Accept-Encoding")
    assert unchanged["cache-control"].endswith("immutable")
    compressed = door.get(SHEET, Accept_Encoding="br")[1]["etag"]
    assert compressed != headers["etag"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_the_app_s(door: Running, files: Path, method: str) -> None:
    assert door.get(SHEET, method=method)[2] == b"the app's"


@pytest.mark.parametrize(
    "path",
    [
        "/static/",
        "/static/css",
        "/static/css/",
        "/static/css/site.css",
        "/static/%00",
        "/static/" + "a" * 300,
    ],
)
def test_what_is_not_there_is_the_app_s_and_not_cached(door: Running, files: Path, path: str) -> None:
    status, headers, body = door.get(path, Accept_Encoding="br, gzip")
    if status == 400:  # a zero byte
        return
    assert (status, body) == (200, b"the app's")
    assert "cache-control" not in headers
    assert path in door.router_line()


def test_a_file_is_served_as_soon_as_it_is_published_also_after_it_was_missed(
    door: Running, files: Path
) -> None:
    for _ in range(3):
        assert door.get("/static/new.111111111111.js")[2] == b"the app's"
    (files / "new.111111111111.js").write_bytes(b"1")
    for _ in range(6):
        assert door.get("/static/new.111111111111.js")[2] == b"1"


@pytest.mark.parametrize(
    "path",
    [
        "/static/../../secret",
        "/static/%2e%2e/%2e%2e/secret",
        "/static/..%2f..%2fsecret",
        "/static/css/../../../secret",
        "/static/link",
        "/static/dir/secret",
    ],
)
def test_no_path_and_no_link_leads_out_of_the_files(door: Running, files: Path, path: str) -> None:
    secret = door.door.home.static(KEY).parent / "secret"
    secret.write_text("secret")
    (files / "link").symlink_to(secret)
    (files / "dir").symlink_to(secret.parent)
    answer = door.get(path)
    assert b"secret" not in answer[2]


def test_disk_served_files_are_not_in_the_router_log(door: Running, files: Path) -> None:
    door.get(SHEET)
    door.get("/marker")
    assert 'path="/marker"' in door.router_line()
    assert not door.log_lines


def test_an_unreadable_file_is_the_app_s_to_answer(door: Running, files: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root's nginx has workers of another user")
    (files / "private.222222222222.css").write_bytes(b"x")
    (files / "private.222222222222.css").chmod(0o600)
    assert door.get("/static/private.222222222222.css")[2] != b"x"
