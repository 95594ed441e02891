"""What the front door may serve for ever, and what it is given."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import brotli
import pytest
import zstandard

from baton.base.paths import Home
from baton.build import Limits, StaticFiles, publish_static, static

from .conftest import write_tree

CSS = "body { color: #123456 }\n" * 100
MD5 = hashlib.md5(CSS.encode()).hexdigest()[:12]
SHA = hashlib.sha256(CSS.encode()).hexdigest()[:12]


def slug_with(root: Path, files: dict[str, str]) -> Path:
    return write_tree(root, {f"staticfiles/{name}": content for name, content in files.items()})


def find(slug: Path, url: str = "/static/", root: str = "/app/staticfiles") -> StaticFiles | None:
    return static.find(slug, url, root, Limits())


def test_names_in_the_manifest_and_names_that_prove_themselves_count(tmp_path: Path) -> None:
    slug = slug_with(
        tmp_path,
        {
            "staticfiles.json": json.dumps(
                {"paths": {"a.css": "a.0123456789ab.css", "b.css": "b.css", "c.js": "c.ffffffffffff.js"}}
            ),
            "a.css": CSS,
            "a.0123456789ab.css": CSS,
            "b.css": CSS,
            f"CACHE/css/output.{SHA}.css": CSS,
            f"x.{MD5}.css": CSS,
            "y.aaaaaaaaaaaa.css": CSS,
        },
    )
    assert find(slug) == StaticFiles(
        "/static/", "staticfiles", (f"CACHE/css/output.{SHA}.css", "a.0123456789ab.css", f"x.{MD5}.css")
    )


@pytest.mark.parametrize(
    ("url", "root"),
    [
        ("https://cdn.example.org/static/", "/app/staticfiles"),
        ("/", "/app/staticfiles"),
        ("static/", "/app/staticfiles"),
        ("/a/../b/", "/app/staticfiles"),
        ("/a b/", "/app/staticfiles"),
        ("/a;}/", "/app/staticfiles"),
        ("/static/", "/srv/staticfiles"),
        ("/static/", "/app"),
        ("/static/", "/app/../etc"),
        ("/static/", "/app/missing"),
    ],
)
def test_other_places_are_the_app_s_own_business(tmp_path: Path, url: str, root: str) -> None:
    slug = slug_with(tmp_path, {f"x.{MD5}.css": CSS})
    assert find(slug, url, root) is None


def test_links_are_never_served(tmp_path: Path) -> None:
    (tmp_path / "secret.css").write_text(CSS)
    slug = slug_with(tmp_path / "slug", {"staticfiles.json": json.dumps({"paths": {"a.css": "a.1.css"}})})
    (slug / "staticfiles" / "a.1.css").symlink_to(tmp_path / "secret.css")
    (slug / "staticfiles" / f"x.{MD5}.css").symlink_to(tmp_path / "secret.css")
    assert find(slug) is None
    (slug / "other").symlink_to(tmp_path)
    assert find(slug, root="/app/other") is None


def test_names_that_a_server_could_misread_are_left_out(tmp_path: Path) -> None:
    names = [
        f"a\n.{MD5}.css",
        f'a".{MD5}.css',
        f"a b.{MD5}.css",
        f".x/{MD5}.css",
        f"a.{MD5}",
        f"a.{MD5}.css.gz",
    ]
    assert find(slug_with(tmp_path, dict.fromkeys(names, CSS))) is None


def test_variants_are_beside_the_file_and_mean_the_same(tmp_path: Path) -> None:
    slug = slug_with(tmp_path / "slug", {f"x.{MD5}.css": CSS, f"{MD5}.png": CSS})
    found = find(slug)
    assert found is not None
    assert static.compress(slug, found, tmp_path / "variants", lambda: False) == 1
    path = slug / "staticfiles" / f"x.{MD5}.css"
    assert brotli.decompress(Path(f"{path}.br").read_bytes()) == CSS.encode()
    assert gzip.decompress(Path(f"{path}.gz").read_bytes()) == CSS.encode()
    assert zstandard.ZstdDecompressor().decompress(Path(f"{path}.zst").read_bytes()) == CSS.encode()
    assert find(slug) == found


def test_a_variant_that_is_there_already_stays(tmp_path: Path) -> None:
    slug = slug_with(tmp_path / "slug", {f"x.{MD5}.css": CSS, f"x.{MD5}.css.br": "whitenoise's"})
    found = find(slug)
    assert found is not None
    static.compress(slug, found, tmp_path / "variants", lambda: False)
    assert (slug / "staticfiles" / f"x.{MD5}.css.br").read_text() == "whitenoise's"
    assert (slug / "staticfiles" / f"x.{MD5}.css.zst").exists()


def release(root: Path, *contents: str) -> tuple[Path, StaticFiles]:
    files = {f"x.{hashlib.md5(content.encode()).hexdigest()[:12]}.css": content for content in contents}
    slug = slug_with(root, files)
    found = find(slug)
    assert found is not None
    return slug, found


def published(home: Home) -> set[str]:
    return {str(path.relative_to(home.static("k"))) for path in home.static("k").rglob("*") if path.is_file()}


def test_the_files_of_three_releases_are_there_and_those_of_a_fourth_are_not(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    releases = [release(tmp_path / str(number), f"/* {number} */", "/* same */") for number in range(4)]
    publish_static(home, "k", releases[1:])
    first = published(home)
    publish_static(home, "k", releases)
    expected = {f"static/{name}" for _, found in releases[:3] for name in found.hashed}
    assert published(home) == expected
    assert len(expected) == 4 and first != expected
    inode = (releases[0][0] / "staticfiles" / releases[0][1].hashed[0]).stat().st_ino
    assert inode == (home.static("k") / "static" / releases[0][1].hashed[0]).stat().st_ino


def test_without_releases_nothing_is_left(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    publish_static(home, "k", [release(tmp_path / "r", "/* 1 */")])
    publish_static(home, "k", [])
    assert published(home) == set()
    assert list(home.static("k").iterdir()) == []


def test_what_became_a_link_after_the_build_is_not_published(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    slug, found = release(tmp_path / "r", "/* 1 */")
    path = slug / "staticfiles" / found.hashed[0]
    path.unlink()
    path.symlink_to("/etc/passwd")
    publish_static(home, "k", [(slug, found)])
    assert published(home) == set()
