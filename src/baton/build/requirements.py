"""What a Python app needs, read from its files: everything that an installed tree depends on, so that it can
be told apart.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import tomllib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from baton.build import tree
from baton.build.errors import RequirementsInvalid, StaleLock
from baton.build.request import Limits

FILE_LIMIT = 5_000_000  # bytes
MOST_FILES = 50

_REMOTE = re.compile(r"^[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_INCLUDE = re.compile(r"^(?:-r|-c|--requirements?|--constraints?)(?:\s+|=|(?<=-[rc]))\s*(.+)$")
_EDITABLE = re.compile(r"^(?:-e|--editable)(?:\s+|=|(?<=-e))\s*(.+)$")
_FIND_LINKS = re.compile(r"^(?:-f|--find-links)(?:\s+|=)\s*(.+)$")
_COMMENT = re.compile(r"(?:^|\s)#.*$")
_ARCHIVE = (".whl", ".zip", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")


@dataclass
class Needs:
    """`files`: name to content, all that was read; `local`: paths in the tree that are installed from there.

    `remote`: files of requirements elsewhere, whose content nobody can know; `pinned`: each requirement names
    the hashes of what may be installed, and nothing of the app's own is.
    """

    main: str
    files: dict[str, str] = field(default_factory=dict)
    local: set[str] = field(default_factory=set)
    remote: set[str] = field(default_factory=set)
    hashed: bool = True

    @property
    def pinned(self) -> bool:
        known = self.main in ("requirements.txt", "Pipfile.lock")
        return known and self.hashed and not self.local and not self.remote and len(self.files) == 1


def read(root: Path, name: str) -> Needs:
    """The needs of a tree by the file it has: one of `detect.REQUIREMENTS`. Raises PythonError, TreeError."""
    needs = Needs(name)
    if name == "requirements.txt":
        _read_requirements(root, name, needs)
    elif name == "Pipfile.lock":
        needs.files[name] = pipfile_requirements(_content(root, name))
        _scan(needs, root, name, needs.files[name])
    elif name == "poetry.lock":
        needs.files = _locked(root, "poetry.lock")
        needs.local = _poetry_paths(_toml(name, needs.files[name]))
    else:
        needs.files = _locked(root, "uv.lock")
        needs.local = uv_paths(_toml(name, needs.files[name]))
    return needs


def _locked(root: Path, lock: str) -> dict[str, str]:
    return {
        lock: _content(root, lock),
        "pyproject.toml": relevant(_toml("pyproject.toml", _content(root, "pyproject.toml"))),
    }


def relevant(pyproject: dict[str, Any]) -> str:
    """The parts of a pyproject.toml that decide what is installed: a linter's settings do not."""
    tools = pyproject.get("tool", {})
    parts = {name: pyproject.get(name) for name in ("project", "build-system", "dependency-groups")}
    return json.dumps(
        {**parts, "uv": tools.get("uv"), "poetry": tools.get("poetry")}, sort_keys=True, default=str
    )


def configuration(root: Path) -> str:
    """What uv reads in a tree besides the requirements: uv.toml and [tool.uv]."""
    pyproject = tree.read_text(root, "pyproject.toml", FILE_LIMIT)
    tools = _toml("pyproject.toml", pyproject).get("tool", {}) if pyproject else {}
    return json.dumps(
        [tree.read_text(root, "uv.toml", FILE_LIMIT), tools.get("uv")], sort_keys=True, default=str
    )


def local_digest(root: Path, needs: Needs, limits: Limits) -> str:
    """A hash of everything that lies at the local paths, "" without any. Names, contents and modes count."""
    digest = hashlib.sha256()
    for name in sorted(needs.local):
        start = tree.locate(root, name)
        if start is None:
            raise RequirementsInvalid(needs.main, f"it names {name!r}, which is not in the tree.")
        entries = (
            [start]
            if start.is_file()
            else [Path(entry.path) for entry in tree.walk(start, limits) if entry.is_file]
        )
        for path in sorted(entries):
            digest.update(
                f"{path.relative_to(root.resolve())}\0{path.lstat().st_mode & 0o111}\0".encode(
                    "utf-8", "surrogateescape"
                )
            )
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest() if needs.local else ""


def _content(root: Path, name: str) -> str:
    text = tree.read_text(root, name, FILE_LIMIT)
    if text is None:
        raise RequirementsInvalid(name, "it should be there, and is not.")
    return text


def _read_requirements(root: Path, main: str, needs: Needs) -> None:
    pending = [main]
    while pending:
        name = pending.pop()
        if name in needs.files:
            continue
        if len(needs.files) >= MOST_FILES:
            raise RequirementsInvalid(main, f"it includes more than {MOST_FILES} other files.")
        text = tree.read_text(root, name, FILE_LIMIT)
        if text is None:
            raise RequirementsInvalid(main, f"it includes {name!r}, which is not in the tree.")
        needs.files[name] = text
        pending += _scan(needs, root, name, text)


def _scan(needs: Needs, root: Path, name: str, text: str) -> list[str]:
    """Note what the lines of one file refer to; returns the files it includes."""
    included = []
    for line in logical_lines(text):
        needs.hashed = needs.hashed and ("--hash" in line or line.startswith("-"))
        include = _INCLUDE.match(line)
        if include:
            target = _unquoted(include.group(1))
            if _REMOTE.match(target):
                needs.remote.add(target)
            else:
                included.append(_inside(needs.main, name, target))
            continue
        local = local_path(root, line)
        if local is not None:
            needs.local.add(_inside(needs.main, "", local))
    return included


def logical_lines(text: str) -> list[str]:
    """Lines without comments, continued ones joined."""
    joined = re.sub(r"\\\r?\n", " ", text)
    lines = (_COMMENT.sub("", line).strip() for line in joined.splitlines())
    return [line for line in lines if line]


def local_path(root: Path, line: str) -> str | None:
    """The path in the tree that a requirement installs from, None when it installs from elsewhere."""
    marked = _EDITABLE.match(line) or _FIND_LINKS.match(line)
    target = _unquoted(marked.group(1)) if marked else line
    if " @ " in target:
        target = target.partition(" @ ")[2].strip()
    target = target.partition(";")[0].strip().split(" ")[0]
    if target.startswith("file:"):
        target = target.removeprefix("file://").removeprefix("file:")
    elif _REMOTE.match(target) or target.startswith("-"):
        return None
    path = re.sub(r"\[[\w,. -]*\]$", "", target)
    if (
        marked
        or path.startswith((".", "/"))
        or path.endswith(_ARCHIVE)
        or ("/" in path and (root / path).exists())
    ):
        return path
    return None


def _unquoted(text: str) -> str:
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    return words[0] if words else ""


def _inside(main: str, name: str, target: str) -> str:
    """`target` as a path relative to the root, seen from the file `name`."""
    path = PurePosixPath(target)
    if path.is_absolute():
        path = PurePosixPath(target).relative_to("/app") if target.startswith("/app") else path
    parts: list[str] = []
    start = () if path.is_absolute() else PurePosixPath(name).parent.parts
    for part in (*start, *path.parts):
        if part == "..":
            if not parts:
                raise RequirementsInvalid(main, f"it names {target!r}, which lies outside of the tree.")
            parts.pop()
        elif part == "/":
            raise RequirementsInvalid(main, f"it names {target!r}, which lies outside of the tree.")
        elif part != ".":
            parts.append(part)
    return "/".join(parts) or "."


def pipfile_requirements(text: str) -> str:
    """The default packages of a Pipfile.lock as requirements with hashes, as `pipenv requirements --hash`
    prints them.
    """
    try:
        document = json.loads(text)
        packages = document["default"]
        sources = [str(source["url"]) for source in document.get("_meta", {}).get("sources", ())]
        lines = [_pipfile_line(str(name), dict(package)) for name, package in sorted(packages.items())]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise RequirementsInvalid(
            "Pipfile.lock", f"it should be what `pipenv lock` writes ({type(error).__name__}: {error})."
        ) from error
    options = ["-i " + sources[0], *("--extra-index-url " + url for url in sources[1:])] if sources else []
    indexes = [line for line in options if "${" not in line]
    return "\n".join([*indexes, *lines, ""])


def _pipfile_line(name: str, package: dict[str, Any]) -> str:
    extras = f"[{','.join(package['extras'])}]" if package.get("extras") else ""
    markers = f" ; {package['markers']}" if package.get("markers") else ""
    if "git" in package:
        ref = f"@{package['ref']}" if package.get("ref") else ""
        subdirectory = f"#subdirectory={package['subdirectory']}" if package.get("subdirectory") else ""
        return f"{name}{extras} @ git+{package['git']}{ref}{subdirectory}{markers}"
    where = package.get("path") or package.get("file")
    if where:
        return f"-e {where}{extras}" if package.get("editable") else f"{where}{extras}{markers}"
    hashes = "".join(f" --hash={digest}" for digest in package.get("hashes", ()))
    return f"{name}{extras}{package.get('version', '').replace('*', '')}{markers}{hashes}"


def pipfile_is_stale(pipfile: str, lock: str) -> bool:
    """Whether Pipfile.lock was made from another Pipfile: pipenv writes a hash of it into the lock."""
    try:
        found = json.loads(lock)["_meta"]["hash"]["sha256"]
        document = tomllib.loads(pipfile)
    except (ValueError, KeyError, TypeError):
        return False
    return bool(found != pipfile_hash(document))


def pipfile_hash(document: dict[str, Any]) -> str:
    """As pipenv computes it (plette.models.pipfiles.Pipfile.get_hash)."""
    data: dict[str, Any] = {
        "_meta": {"sources": document.get("source", []), "requires": document.get("requires", {})},
        "default": document.get("packages", {}),
        "develop": document.get("dev-packages", {}),
    }
    for category, values in document.items():
        if category not in (
            "source",
            "scripts",
            "pipenv",
            "requires",
            "packages",
            "dev-packages",
            "default",
            "develop",
        ):
            data[category] = values
    return hashlib.sha256(json.dumps(data, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def uv_paths(lock: dict[str, Any]) -> set[str]:
    """Directories and files of the tree that a uv.lock installs from. A virtual project installs nothing."""
    paths = set()
    for package in lock.get("package", ()):
        source = package.get("source", {})
        for kind in ("editable", "directory", "path"):
            if kind in source:
                paths.add(_inside("uv.lock", "", str(source[kind])))
    return paths


def _poetry_paths(lock: dict[str, Any]) -> set[str]:
    found = (package.get("source", {}) for package in lock.get("package", ()))
    return {
        _inside("poetry.lock", "", str(source["url"]))
        for source in found
        if source.get("type") in ("directory", "file")
    }


def _toml(name: str, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequirementsInvalid(name, f"it should be TOML: {error}") from error


def check_pipfile(root: Path) -> None:
    """Raises StaleLock when Pipfile has changed since Pipfile.lock was made."""
    pipfile = tree.read_text(root, "Pipfile", FILE_LIMIT)
    if pipfile is not None and pipfile_is_stale(pipfile, _content(root, "Pipfile.lock")):
        raise StaleLock("Pipfile.lock", "Pipfile", "pipenv lock")
