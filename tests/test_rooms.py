"""The rooms' one direction: each imports only from those below it, the apps import nothing of Baton."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ["base", "route", "run", "build", "addons", "production", "control", "cli"]  # bottom to top


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            yield "baton.(relative)"


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "baton" and len(parts) > 1 and parts[1] != "__version__" else None


MODULES = sorted((ROOT / "src/baton").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "src/baton")))
def test_a_room_imports_only_from_rooms_below_it(path: Path) -> None:
    relative = path.relative_to(ROOT / "src/baton")
    own = relative.parts[0] if len(relative.parts) > 1 else None
    if own is None:
        return
    allowed = set(ROOMS[: ROOMS.index(own) + 1])
    found = {name for name in map(room, imported(path)) if name is not None}
    assert found <= allowed, f"{relative} imports upwards: {sorted(found - allowed)}"


def test_every_room_says_what_it_is_for() -> None:
    for folder in sorted((ROOT / "src/baton").iterdir()):
        if (folder / "__init__.py").exists():
            docstring = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()))
            assert docstring and len(docstring.splitlines()) >= 3, (
                f"{folder.name}: no three lines on what it is for"
            )


def test_only_machine_commands_of_the_command_line_reach_below_http() -> None:
    for path in sorted((ROOT / "src/baton/cli").rglob("*.py")):
        reached = {name for name in map(room, imported(path)) if name not in {None, "cli", "base"}}
        if "machine" not in path.relative_to(ROOT).parts:
            assert not reached, f"{path.name} reaches past HTTP: {sorted(r for r in reached if r)}"


def test_the_apps_know_nothing_of_baton() -> None:
    for path in sorted((ROOT / "apps").rglob("*.py")):
        if "node_modules" not in path.parts:
            assert not any(name.startswith("baton.") and "(" not in name for name in imported(path)), path
