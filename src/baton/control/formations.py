"""How many dynos of each process type: Heroku's words for changes, and the defaults of a first deploy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from baton.control.errors import Invalid, NotFound
from baton.control.models import App, Formation, Slug
from baton.control.specs import RELEASE_TYPE
from baton.run.errors import SpecError
from baton.run.sizes import size as known_size

MOST = 100  # dynos of one type
DEFAULT_SIZE = "Basic"
MANIFEST_LIMIT = 256 * 1024
_QUANTITY = re.compile(r"[+-]?\d{1,4}")


def planned(
    types: Iterable[str], existing: Mapping[str, Formation], wishes: Mapping[str, tuple[int, str]], app: App
) -> list[Formation]:
    """Rows for the types of a slug.

    Those there are, else app.json's wish at the first deploy, else one web, no other.
    """
    first = not existing
    result = []
    for kind in types:
        usual = (1 if kind == "web" else 0, DEFAULT_SIZE)
        quantity, size = wishes.get(kind, usual) if first and kind != RELEASE_TYPE else usual
        result.append(existing.get(kind) or Formation(app=app, type=kind, quantity=quantity, size=size))
    return result


def of_slug(app: App, slug: Slug | None) -> list[Formation]:
    """Saved rows and unsaved ones for types that are new; `web` first."""
    if slug is None:
        return []
    rows = {row.type: row for row in app.formation.all()}
    found = planned(slug.process_types, rows, wishes(slug) if not rows else {}, app)
    return sorted(found, key=lambda row: (row.type != "web", row.type))


def wishes(slug: Slug) -> dict[str, tuple[int, str]]:
    """What app.json at the root of the tree wants of a new app's formation.

    Nothing when it is absent or unreadable.
    """
    path = Path(slug.path or "/nonexistent") / "app.json"
    try:
        if path.is_symlink() or path.stat().st_size > MANIFEST_LIMIT:
            return {}
        document = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        return {}
    return parsed_wishes(document.get("formation") if isinstance(document, dict) else None)


def parsed_wishes(formation: object) -> dict[str, tuple[int, str]]:
    if not isinstance(formation, dict):
        return {}
    result = {}
    for kind, wish in formation.items():
        if isinstance(wish, dict) and isinstance(wish.get("quantity", 1), int):
            size = _size_or_default(wish.get("size"))
            result[str(kind)] = (max(0, min(int(wish.get("quantity", 1)), MOST)), size)
    return result


def _size_or_default(name: object) -> str:
    try:
        return known_size(str(name)).name
    except SpecError:
        return DEFAULT_SIZE


def scaled(rows: Iterable[Formation], updates: Iterable[Mapping[str, Any]]) -> list[Formation]:
    """The rows after Heroku's updates, in place and unsaved. Raises NotFound, Invalid."""
    by_type = {row.type: row for row in rows}
    for update in updates:
        kind = str(update.get("type", ""))
        row = by_type.get(kind)
        if row is None or kind == RELEASE_TYPE:
            raise NotFound(
                f"Couldn't find that process type ({kind or 'none given'}).",
                f"The current release declares: {', '.join(by_type) or 'nothing; push something first'}.",
            )
        if update.get("quantity") is not None:
            row.quantity = quantity(row.quantity, update["quantity"], kind)
        if update.get("size") is not None:
            row.size = checked_size(str(update["size"]))
    return list(by_type.values())


def quantity(now: int, asked: object, kind: str) -> int:
    """2, "2", "+1" or "-1". Raises Invalid."""
    text = str(asked).strip()
    if isinstance(asked, bool) or not _QUANTITY.fullmatch(text):
        raise Invalid(f"The quantity of {kind} should be a number, +N or -N; found {text[:40]!r}.")
    wanted = now + int(text) if text[0] in "+-" else int(text)
    if not 0 <= wanted <= MOST:
        raise Invalid(f"The quantity of {kind} should be from 0 to {MOST}; it would be {wanted}.")
    return wanted


def checked_size(name: str) -> str:
    try:
        return known_size(name).name
    except SpecError as error:
        raise Invalid(error.message, error.hint) from error


def text(rows: Iterable[Formation]) -> str:
    """As Heroku logs it: `web@2:Basic worker@0:Basic`."""
    return " ".join(f"{row.type}@{row.quantity}:{row.size}" for row in rows if row.type != RELEASE_TYPE)
