from __future__ import annotations

from pathlib import Path

import pytest

from baton.base.paths import Home
from baton.build import interpreters
from baton.build.errors import PythonVersionInvalid
from baton.build.interpreters import Interpreter, Wanted


@pytest.mark.parametrize(
    ("file", "text", "numbers"),
    [
        (".python-version", "3.13\n", (3, 13)),
        (".python-version", "# comment\n\n 3.13.1 # newest\n", (3, 13, 1)),
        (".python-version", "3", (3,)),
        ("runtime.txt", "python-3.12.4\n", (3, 12, 4)),
    ],
)
def test_versions_are_read_as_heroku_reads_them(file: str, text: str, numbers: tuple[int, ...]) -> None:
    assert interpreters.parse(file, text).numbers == numbers


@pytest.mark.parametrize(
    "text", ["", "3.13\n3.12\n", "pypy3.10", "2.7", ">=3.12", "3.13.1rc1", "../../bin", "3.x"]
)
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(PythonVersionInvalid, match=r"echo 3\.13"):
        interpreters.parse(".python-version", text)


def one(version: str, distribution: bool = False) -> Interpreter:
    major, minor, patch = map(int, version.split("."))
    return Interpreter((major, minor, patch), Path(f"/x/{version}/bin/python"), distribution)


FOUND = (one("3.11.2", True), one("3.11.7"), one("3.12.1"), one("3.13.0"), one("3.12.9"))


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (None, "3.11.2"),
        ((3, 11), "3.11.2"),
        ((3, 11, 7), "3.11.7"),
        ((3, 12), "3.12.9"),
        ((3,), "3.13.0"),
        ((3, 14), None),
        ((3, 12, 2), None),
    ],
)
def test_the_newest_that_fits_is_chosen_and_the_distribution_s_first(
    wanted: tuple[int, ...] | None, chosen: str | None
) -> None:
    found = interpreters.choose(Wanted(wanted, "f") if wanted else None, FOUND)
    assert (str(found) if found else None) == chosen


def test_this_machine_s_pythons_are_found_and_broken_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, body in (
        ("python3.11", "exit 3"),
        ("python3.12", "echo Python 3.12.99"),
        ("python3.9", "echo x"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("BATON_PYTHONS", str(tmp_path))
    found = interpreters.installed(Home.at(tmp_path))
    assert [one for one in found if one.path.parent == tmp_path] == [
        Interpreter((3, 12, 99), tmp_path / "python3.12")
    ]
    assert any(one.distribution for one in found) == Path("/usr/bin/python3").exists()
