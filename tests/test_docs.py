"""The reference pages say what the code does: a name that is missing there fails here."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import baton
from baton.base.errors import BatonError
from baton.base.settings import Settings

ROOT = Path(__file__).parents[1]
REFERENCE = ROOT / "docs/reference"


def modules() -> Iterator[str]:
    for info in pkgutil.walk_packages(baton.__path__, "baton."):
        if ".migrations" not in info.name and not info.name.endswith("__main__"):
            yield info.name


def error_codes() -> set[str]:
    for name in modules():
        if name.endswith(("errors", "start", "door", "samples")):
            importlib.import_module(name)
    found: set[str] = set()
    waiting: list[type[BatonError]] = [BatonError]
    while waiting:
        current = waiting.pop()
        waiting += current.__subclasses__()
        if "code" in vars(current) and current is not BatonError:
            found.add(str(current.code))
    return found


@pytest.mark.parametrize("code", sorted(error_codes()))
def test_every_error_code_has_its_page(code: str) -> None:
    page = (REFERENCE / "errors.md").read_text()
    assert f"`{code}`" in page, f"docs/reference/errors.md lacks {code}"


@pytest.mark.parametrize("name", [field.name for field in fields(Settings)])
def test_every_setting_is_in_the_reference(name: str) -> None:
    assert f"`{name}`" in (REFERENCE / "configuration.md").read_text()


def test_every_config_var_that_baton_reads_is_in_the_reference() -> None:
    page = (REFERENCE / "configuration.md").read_text()
    sources = "\n".join(path.read_text() for path in sorted((ROOT / "src/baton").rglob("*.py")))
    read = set(re.findall(r"[\"'](BATON_[A-Z_]+)[\"']", sources))
    assert not {name for name in read if f"`{name}`" not in page}


def test_every_finding_of_the_doctor_has_its_page() -> None:
    page = (REFERENCE / "findings.md").read_text()
    ids = set(re.findall(r'"(machine\.[a-z_]+)"', (ROOT / "src/baton/cli/machine/doctor.py").read_text()))
    assert ids and not {each for each in ids if f"`{each}`" not in page}


def test_every_dependency_says_what_it_replaces() -> None:
    page = (ROOT / "docs/dependencies.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = {re.split(r"[\[<>=~!]", line)[0] for line in wanted}
    assert not {
        name for name in names if not name.startswith(("types-", "django-stubs-ext")) and name not in page
    }


def test_the_project_names_no_package_registry_and_no_path_of_a_workplace() -> None:
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("registry", "npmjs", "org"))
    ]
    paths = ["/" + "work/", "/" + "root/.pyenv"]
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout
    for name in filter(None, listed.split("\0")):
        path = ROOT / name
        if path.is_file() and not path.is_symlink():
            text = path.read_bytes().decode(errors="ignore")
            found = [word for word in hosts + paths if word in text]
            assert not found, f"{name} names {found}"
