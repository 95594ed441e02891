"""Third-party buildpacks, by path, git URL and archive."""

from __future__ import annotations

import functools
import http.server
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from baton.build import BuildError, classic
from baton.build.errors import BuildpackRelease

from .conftest import DJANGO, Builder, write_tree

PACK = {
    "bin/detect": '#!/bin/sh\n[ -f "$1/site.txt" ] && echo Sites || exit 1\n',
    "bin/compile": (
        "#!/bin/bash\nset -e\n"
        'echo "-----> Building the site"\n'
        'count=$(cat "$2/count" 2>/dev/null || echo 0); echo $((count + 1)) | tee "$2/count" > "$1/count"\n'
        'mkdir -p "$1/.profile.d" "$1/tool/bin"\n'
        'printf "#!/bin/sh\\necho tool $GREETING\\n" > "$1/tool/bin/tool"; chmod +x "$1/tool/bin/tool"\n'
        "echo 'export PATH=$HOME/tool/bin:$PATH' > \"$1/.profile.d/site.sh\"\n"
        'here=$(cd "$(dirname "$0")/.." && pwd)\n'
        "printf 'export PATH=/app/tool/bin:$PATH\\nexport FROM_EXPORT=yes\\n' > \"$here/export\"\n"
    ),
    "bin/release": (
        "#!/bin/sh\ncat <<END\n---\naddons:\n  - heroku-redis:mini\nconfig_vars:\n  MODE: production\n"
        "default_process_types:\n  web: tool serve\n  worker: tool work\nEND\n"
    ),
}
SECOND = {
    "bin/detect": "#!/bin/sh\necho Second\n",
    "bin/compile": '#!/bin/sh\ntool > "$1/said"; echo "$FROM_EXPORT" >> "$1/said"\n',
}
SITE = {"site.txt": "x", "Procfile": "web: tool web\n"}


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "pack", PACK)


def git(directory: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    subprocess.run(["git", *identity, *arguments], cwd=directory, check=True, capture_output=True)


def test_a_path_is_detected_compiled_and_asked(fresh: Builder, pack: Path) -> None:
    slug = fresh.build(SITE, buildpacks=(str(pack),))
    assert slug.provided == "Sites"
    assert slug.process_types == {"web": "tool web", "worker": "tool work"}
    assert slug.config_vars == {"MODE": "production"}
    assert slug.addons == ("heroku-redis:mini",)
    assert fresh.lines[:3] == [
        "-----> Building on the Heroku-24 stack",
        "-----> Sites app detected",
        "-----> Building the site",
    ]
    assert "       Procfile declares types -> web" in fresh.lines
    assert "       Default types for buildpack -> worker" in fresh.lines
    assert not (pack / "export").exists()


def test_its_cache_stays_from_build_to_build_and_is_the_app_s_own(fresh: Builder, pack: Path) -> None:
    counts = [fresh.build(SITE, buildpacks=(str(pack),)).path / "count" for _ in range(2)]
    other = fresh.other_app().build(SITE, buildpacks=(str(pack),)).path / "count"
    assert [path.read_text().strip() for path in (*counts, other)] == ["1", "2", "1"]


def test_what_it_exports_reaches_the_next_one(fresh: Builder, pack: Path, tmp_path: Path) -> None:
    second = write_tree(tmp_path / "second", SECOND)
    slug = fresh.build(SITE, buildpacks=(str(pack), str(second)))
    assert (slug.path / "said").read_text().split() == ["tool", "yes"]
    assert slug.provided == "Second"
    assert slug.process_types == {"web": "tool web"}


@pytest.mark.parametrize("reference", ["", "#v1", "#main"])
def test_a_git_url_is_fetched_at_its_reference(fresh: Builder, pack: Path, reference: str) -> None:
    git(pack, "init", "-q", "-b", "main")
    git(pack, "add", ".")
    git(pack, "commit", "-q", "-m", "x")
    git(pack, "tag", "v1")
    slug = fresh.build(SITE, buildpacks=(f"file://{pack}{reference}",))
    assert slug.provided == "Sites"


def test_a_commit_may_be_the_reference(fresh: Builder, pack: Path) -> None:
    git(pack, "init", "-q", "-b", "main")
    git(pack, "add", ".")
    git(pack, "commit", "-q", "-m", "x")
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=pack, check=True, capture_output=True, text=True
    ).stdout.strip()
    (pack / "bin/detect").write_text("#!/bin/sh\nexit 1\n")
    git(pack, "commit", "-q", "-a", "-m", "broken")
    assert fresh.build(SITE, buildpacks=(f"file://{pack}#{commit}",)).provided == "Sites"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    directory = tmp_path / "served"
    directory.mkdir()
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.mark.parametrize("inner", ["", "buildpack-1.0"])
def test_an_archive_is_unpacked(fresh: Builder, pack: Path, tmp_path: Path, server: str, inner: str) -> None:
    with tarfile.open(tmp_path / "served" / "pack.tgz", "w:gz") as archive:
        archive.add(pack, inner or ".")
    assert fresh.build(SITE, buildpacks=(f"{server}/pack.tgz",)).provided == "Sites"


def test_an_archive_that_climbs_out_is_refused(fresh: Builder, tmp_path: Path, server: str) -> None:
    (tmp_path / "x").write_text("x")
    with tarfile.open(tmp_path / "served" / "pack.tgz", "w:gz") as archive:
        archive.add(tmp_path / "x", "../../../escaped")
    with pytest.raises(BuildError) as caught:
        fresh.build(SITE, buildpacks=(f"{server}/pack.tgz",))
    assert caught.value.code == "build.buildpack-not-fetched"
    assert not list(fresh.home.root.rglob("escaped"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"bin/detect": "#!/bin/sh\nexit 1\n"}, "build.buildpack-rejects"),
        ({"bin/compile": "#!/bin/sh\necho reason; exit 7\n"}, "build.buildpack-failed"),
        ({"bin/release": "#!/bin/sh\nexit 1\n"}, "build.buildpack-release"),
        ({"bin/release": "#!/bin/sh\necho '[1, 2]'\n"}, "build.buildpack-release"),
    ],
)
def test_each_of_its_failures_is_told_apart(
    fresh: Builder, tmp_path: Path, change: dict[str, str], code: str
) -> None:
    broken = write_tree(tmp_path / "broken", {**PACK, **change})
    with pytest.raises(BuildError) as caught:
        fresh.build(SITE, buildpacks=(str(broken),))
    assert caught.value.code == code
    if code == "build.buildpack-failed":
        assert "with 7" in caught.value.message and "reason" in caught.value.excerpt


@pytest.mark.parametrize("name", ["/nowhere/at/all", "/etc", "file:///etc", "http://127.0.0.1:9/x.tgz"])
def test_what_is_no_buildpack_can_not_be_fetched(fresh: Builder, name: str) -> None:
    with pytest.raises(BuildError) as caught:
        fresh.build(SITE, buildpacks=(name,))
    assert caught.value.code == "build.buildpack-not-fetched"


def test_no_path_of_another_app_s_can_be_one(fresh: Builder, pack: Path) -> None:
    inside = write_tree(fresh.home.root / "slugs" / "someone-s", PACK)
    with pytest.raises(BuildError, match="BATON_HOME"):
        fresh.build(SITE, buildpacks=(str(inside),))


@pytest.mark.parametrize(
    "text",
    [
        "- a",
        "a: [",
        "addons: x",
        "config_vars: [1]",
        "config_vars: {a: [1]}",
        "default_process_types: {'a b': c}",
        "addons: [{x: y}]",
    ],
)
def test_a_release_document_of_a_wrong_shape_is_refused(text: str) -> None:
    with pytest.raises(BuildpackRelease):
        classic.parse_release("x", text)


def test_an_empty_release_document_says_nothing() -> None:
    assert classic.parse_release("x", "--- {}\n").process_types == {}


@pytest.mark.slow
def test_it_works_beside_our_own(builder: Builder, tmp_path: Path) -> None:
    second = write_tree(
        tmp_path / "second",
        {
            **SECOND,
            "bin/compile": '#!/bin/sh\npython -c "import django; print(django.__version__)" > "$1/said"\n',
        },
    )
    slug = builder.build(DJANGO, buildpacks=("heroku/python", str(second)))
    assert (slug.path / "said").read_text().startswith("5.2")
