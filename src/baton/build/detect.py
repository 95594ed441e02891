"""Which buildpacks build a tree: their names in all their forms, and detection."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from baton.build import tree
from baton.build.errors import NoBuildpack, UnknownBuildpack

PYTHON = "heroku/python"
NODEJS = "heroku/nodejs"
OWN = (PYTHON, NODEJS)

# One of these, exactly, says what a Python app needs; the last ones are the more precise.
REQUIREMENTS = ("requirements.txt", "Pipfile.lock", "poetry.lock", "uv.lock")

MISSPELLINGS = {
    name.lower(): right
    for right, names in {
        "requirements.txt": "requirement.txt requirements requirements.text requirments.txt requirements.tx "
        "requirements.txt.txt requirement.text requeriments.txt reqs.txt requirements-txt requirements.txt",
        "Pipfile.lock": "pipfile.lock pip.lock",
        "poetry.lock": "poetry.lock poerty.lock",
        "uv.lock": "uv.lock uv.lck",
        "package.json": "package.json packages.json package.js",
    }.items()
    for name in names.split()
}
_WITHOUT_LOCK = {
    "requirements.in": ("requirements.txt", "uv pip compile requirements.in -o requirements.txt"),
    "Pipfile": ("Pipfile.lock", "pipenv lock"),
    "pyproject.toml": ("uv.lock", "uv lock"),
    "setup.py": ("requirements.txt", "pip freeze > requirements.txt"),
}

_REGISTRY = re.compile(r"^https?://buildpack-registry\.s3\.amazonaws\.com/buildpacks/([\w-]+)/([\w-]+)\.tgz$")
_CODON = re.compile(
    r"^https?://(?:codon-buildpacks|buildpack-registry)\.s3\.amazonaws\.com/buildpacks/heroku/([\w-]+)\.tgz$"
)
_GITHUB = re.compile(
    r"^(?:https?://|git://|git@|ssh://git@)github\.com[/:]heroku/heroku-buildpack-([\w-]+?)(?:\.git)?/?(?:#.*)?$"
)
_URL = re.compile(r"^(?:https?|git|ssh|file)://\S+$|^[\w.-]+@[\w.-]+:\S+$")


def canonical(name: str) -> str:
    """Heroku's many forms of its own buildpacks, to `heroku/python` and `heroku/nodejs`; other URLs and paths
    as given.

    Raises UnknownBuildpack.
    """
    name = name.strip()
    own = _own_name(name)
    if own in OWN:
        return own
    if name.startswith("/") or (_URL.match(name) and not _control(name)):
        return name
    raise UnknownBuildpack(name)


def _own_name(name: str) -> str:
    if name in ("python", "nodejs", "urn:buildpack:heroku/python", "urn:buildpack:heroku/nodejs"):
        return f"heroku/{name.rpartition('/')[2]}"
    for pattern in (_CODON, _GITHUB):
        found = pattern.match(name)
        if found:
            return f"heroku/{found.group(1)}"
    found = _REGISTRY.match(name)
    return f"{found.group(1)}/{found.group(2)}" if found else name


def _control(name: str) -> bool:
    return any(ord(character) < 32 for character in name)


def choose(root: Path, wanted: Iterable[str]) -> tuple[str, ...]:
    """The buildpacks set on the app, or the one that fits the tree. Raises NoBuildpack, UnknownBuildpack."""
    given = tuple(canonical(name) for name in wanted)
    if given:
        return given
    if python_files(root) or misspelled_python(root):
        return (PYTHON,)
    if tree.is_file(root, "package.json"):
        return (NODEJS,)
    names = names_at_root(root)
    raise NoBuildpack(listing(names), explain(names))


def python_files(root: Path) -> tuple[str, ...]:
    """Which of REQUIREMENTS are there, in that order."""
    return tuple(name for name in REQUIREMENTS if tree.is_file(root, name))


def misspelled_python(root: Path) -> bool:
    """A tree with a manage.py and a misspelled requirements file is a Python app all the same."""
    names = names_at_root(root)
    return "manage.py" in names or any(MISSPELLINGS.get(name.lower()) in REQUIREMENTS for name in names)


def names_at_root(root: Path) -> tuple[str, ...]:
    return tuple(sorted(entry.name for entry in root.iterdir()))


def listing(names: Iterable[str], most: int = 12) -> list[str]:
    """Names as a message shows them: few, and without surprises."""
    shown = [name.encode("unicode_escape", "backslashreplace").decode()[:60] for name in names]
    return shown if len(shown) <= most else [*shown[:most], f"{len(shown) - most} more"]


def explain(names: Iterable[str]) -> str:
    """A sentence about a name that was probably meant to be another, or is half of a pair."""
    for name in names:
        right = MISSPELLINGS.get(name.lower())
        if right and right != name:
            return f" {name} should probably be called {right}: git mv {name} {right}"
    for name, (lock, command) in _WITHOUT_LOCK.items():
        if name in names:
            return f" {name} is there, but {lock} is not; it is made by: {command}"
    return ""
