from __future__ import annotations

import json
from pathlib import Path

import pytest

from baton.build import Limits, requirements
from baton.build.errors import RequirementsInvalid, StaleLock, TreeError

from .conftest import write_tree

HASH = "--hash=sha256:" + "0" * 64


def read(root: Path, files: dict[str, str], name: str = "requirements.txt") -> requirements.Needs:
    return requirements.read(write_tree(root, files), name)


def test_included_files_count(tmp_path: Path) -> None:
    files = {
        "requirements.txt": "-r requirements/base.txt\n--constraint=c.txt # why\ndjango\n",
        "requirements/base.txt": "-rmore.txt\n--requirement ../other.txt",
        "requirements/more.txt": "-r base.txt\n",
        "other.txt": "",
        "c.txt": "",
    }
    assert set(read(tmp_path, files).files) == set(files)


@pytest.mark.parametrize(
    ("line", "local"),
    [
        ("-e .", {"."}),
        (".", {"."}),
        ("--editable=./libs/x", {"libs/x"}),
        ("./libs/x[extra]", {"libs/x"}),
        ("x @ file:./libs/x", {"libs/x"}),
        ("/app/libs/x", {"libs/x"}),
        ("wheels/x-1.0-py3-none-any.whl", {"wheels/x-1.0-py3-none-any.whl"}),
        ("libs/x", {"libs/x"}),
        ("--find-links ./wheels", {"wheels"}),
        ("django>=5", set()),
        ("x @ https://example.org/x.whl", set()),
        ("https://example.org/x.tar.gz", set()),
        ("-e git+https://example.org/x#egg=x", set()),
        ("--index-url https://example.org/simple", set()),
        ("x[a,b]==1.0 ; python_version < '3.12'", set()),
    ],
)
def test_what_is_installed_from_the_tree_is_known(tmp_path: Path, line: str, local: set[str]) -> None:
    write_tree(tmp_path, {"libs/x/setup.py": ""})
    assert read(tmp_path, {"requirements.txt": f"# comment\n{line}\n"}).local == local


@pytest.mark.parametrize(
    ("text", "pinned"),
    [
        (f"django==5.2 {HASH}\n", True),
        (f"--index-url https://example.org/simple\ndjango==5.2 \\\n    {HASH}\n", True),
        (f"django==5.2 {HASH}\ngunicorn==23.0\n", False),
        (f"django==5.2 {HASH}\n-e .\n", False),
        (f"django==5.2 {HASH}\n-r https://example.org/r.txt\n", False),
        ("django==5.2\n", False),
    ],
)
def test_only_requirements_with_hashes_alone_are_pinned(tmp_path: Path, text: str, pinned: bool) -> None:
    assert read(tmp_path, {"requirements.txt": text}).pinned is pinned


@pytest.mark.parametrize("line", ["-r ../secret.txt", "-r /etc/passwd", "-e ../..", "-r missing.txt"])
def test_what_lies_outside_or_is_missing_is_refused(tmp_path: Path, line: str) -> None:
    with pytest.raises(RequirementsInvalid):
        read(tmp_path / "tree", {"requirements.txt": line})


def test_an_included_file_that_is_a_link_out_is_refused(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "tree", {"requirements.txt": "-r more.txt"})
    (root / "more.txt").symlink_to("/etc/passwd")
    with pytest.raises(TreeError):
        requirements.read(root, "requirements.txt")


def test_endless_includes_end(tmp_path: Path) -> None:
    files = {f"r{number}.txt": f"-r r{number + 1}.txt" for number in range(60)}
    with pytest.raises(RequirementsInvalid, match="more than 50"):
        read(tmp_path, {"requirements.txt": "-r r0.txt", **files})


def test_a_local_package_s_content_decides(tmp_path: Path) -> None:
    needs = read(tmp_path, {"requirements.txt": "./lib", "lib/setup.py": "1", "unrelated.py": "1"})
    first = requirements.local_digest(tmp_path, needs, Limits())
    (tmp_path / "unrelated.py").write_text("2")
    assert requirements.local_digest(tmp_path, needs, Limits()) == first
    (tmp_path / "lib/setup.py").write_text("2")
    assert requirements.local_digest(tmp_path, needs, Limits()) != first


def test_a_pipfile_lock_becomes_requirements_with_hashes() -> None:
    lock = {
        "_meta": {"sources": [{"url": "https://a.example/simple"}, {"url": "https://${TOKEN}@b.example"}]},
        "default": {
            "django": {"version": "==5.2", "hashes": ["sha256:aa", "sha256:bb"], "extras": ["argon2"]},
            "old": {"version": "*", "markers": "python_version < '3.9'"},
            "mine": {"path": "./mine", "editable": True},
            "from-git": {"git": "https://example.org/x.git", "ref": "abc"},
        },
        "develop": {"pytest": {"version": "==8"}},
    }
    assert requirements.pipfile_requirements(json.dumps(lock)).splitlines() == [
        "-i https://a.example/simple",
        "django[argon2]==5.2 --hash=sha256:aa --hash=sha256:bb",
        "from-git @ git+https://example.org/x.git@abc",
        "-e ./mine",
        "old ; python_version < '3.9'",
    ]


@pytest.mark.parametrize("text", ["{", "[]", '{"default": []}', '{"default": {"x": 1}}', "[" * 100_000])
def test_a_broken_pipfile_lock_is_refused(text: str) -> None:
    with pytest.raises(RequirementsInvalid):
        requirements.pipfile_requirements(text)


def test_a_pipfile_that_changed_after_its_lock_is_noticed(tmp_path: Path) -> None:
    pipfile = '[[source]]\nurl = "https://x.example/simple"\nname = "x"\n[packages]\ndjango = "*"\n'
    import tomllib

    lock = {"_meta": {"hash": {"sha256": requirements.pipfile_hash(tomllib.loads(pipfile))}}, "default": {}}
    write_tree(tmp_path, {"Pipfile": pipfile, "Pipfile.lock": json.dumps(lock)})
    requirements.check_pipfile(tmp_path)
    (tmp_path / "Pipfile").write_text(pipfile + 'gunicorn = "*"\n')
    with pytest.raises(StaleLock, match="pipenv lock"):
        requirements.check_pipfile(tmp_path)


def test_a_linter_s_settings_do_not_change_what_is_installed(tmp_path: Path) -> None:
    base = '[project]\nname = "x"\ndependencies = ["django"]\n'
    first = read(tmp_path, {"uv.lock": "", "pyproject.toml": base}, "uv.lock").files
    assert (
        read(tmp_path, {"pyproject.toml": base + "[tool.ruff]\nline-length = 99\n"}, "uv.lock").files == first
    )
    assert read(tmp_path, {"pyproject.toml": base.replace("django", "flask")}, "uv.lock").files != first


def test_a_uv_lock_names_its_local_packages(tmp_path: Path) -> None:
    lock = (
        '[[package]]\nname = "x"\nsource = { virtual = "." }\n'
        '[[package]]\nname = "y"\nsource = { editable = "libs/y" }\n'
        '[[package]]\nname = "z"\nsource = { registry = "https://x" }\n'
    )
    assert read(tmp_path, {"uv.lock": lock, "pyproject.toml": ""}, "uv.lock").local == {"libs/y"}
