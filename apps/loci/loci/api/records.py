"""What the API answers with, read strictly: an answer of another shape is ``ApiUnreadable``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import ApiUnreadable


@dataclass(frozen=True)
class Profile:
    """One person of an account. Names are empty unless the ``names`` scope was granted."""

    id: str
    first_name: str
    last_name: str
    is_genotyped: bool
    is_ancestry_only: bool

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(frozen=True)
class Account:
    id: str
    first_name: str
    last_name: str
    profiles: tuple[Profile, ...]

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(frozen=True)
class Accession:
    """A reference sequence of GRCh37. ``chromosome`` is 1 to 22, X, Y or MT; ``length`` counts bases."""

    id: str
    chromosome: str
    length: int


def read_accounts(path: str, document: Any) -> list[Account]:
    """The accounts of an answer; one answer in the API's own documentation lacks the envelope."""
    if isinstance(document, dict) and "data" not in document:
        return [_account(path, document)]
    return [_account(path, item) for item in read_list(path, document)]


def read_list(path: str, document: Any) -> list[Any]:
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list):
        raise ApiUnreadable(path, "a list under “data”", type(document).__name__)
    return data


def read_accession(path: str, item: Any) -> Accession:
    item = _object(path, item)
    return Accession(
        id=_field(path, item, "id", str),
        chromosome=_field(path, item, "chromosome", str),
        length=_field(path, item, "length", int),
    )


def _account(path: str, item: Any) -> Account:
    item = _object(path, item)
    return Account(
        id=_field(path, item, "id", str),
        first_name=_optional(path, item, "first_name"),
        last_name=_optional(path, item, "last_name"),
        profiles=tuple(_profile(path, profile) for profile in _field(path, item, "profiles", list)),
    )


def _profile(path: str, item: Any) -> Profile:
    item = _object(path, item)
    return Profile(
        id=_field(path, item, "id", str),
        first_name=_optional(path, item, "first_name"),
        last_name=_optional(path, item, "last_name"),
        # The key was called “genotyped” in the first months of this version of the API.
        is_genotyped=bool(item.get("is_genotyped", item.get("genotyped", False))),
        is_ancestry_only=bool(item.get("is_ancestry_only", False)),
    )


def _object(path: str, item: Any) -> Mapping[str, Any]:
    if not isinstance(item, dict):
        raise ApiUnreadable(path, "an object", type(item).__name__)
    return item


def _field(path: str, item: Mapping[str, Any], name: str, kind: type) -> Any:
    value = item.get(name)
    if type(value) is not kind or value == "":
        raise ApiUnreadable(path, f"“{name}” as {kind.__name__}", type(value).__name__)
    return value


def _optional(path: str, item: Mapping[str, Any], name: str) -> str:
    value = item.get(name)
    if value is not None and not isinstance(value, str):
        raise ApiUnreadable(path, f"“{name}” as text or null", type(value).__name__)
    return value or ""
