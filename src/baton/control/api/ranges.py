"""Paging by the Range header: `version ]5..; order=desc,max=10`. Pure, but for the query it narrows.

Heroku's grammar (https://devcenter.heroku.com/articles/platform-api-reference#ranges): a field, a first and a
last value (`]` leaves the first one out), then `max` and `order` behind a semicolon. A page that is not the
last one is answered with 206 and the header Next-Range, which is the Range of the next page.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import models
from django.utils.dateparse import parse_datetime

from baton.control.api.errors import BadRange

USUAL = 200
MOST = 1000
Value = str | int | uuid.UUID | datetime


@dataclass(frozen=True)
class Range:
    """`first` and `last` are in the order of the answer: with `descending`, `first` is the greatest."""

    field: str
    first: str = ""
    after: bool = False  # `first` itself is left out
    last: str = ""
    most: int = USUAL
    descending: bool = False

    def __str__(self) -> str:
        order = "order=desc,max" if self.descending else "max"
        return f"{self.field} {']' if self.after else ''}{self.first}..{self.last}; {order}={self.most}"


@dataclass(frozen=True)
class Page:
    """`records` of one answer, in order; `following` is None on the last page."""

    records: Sequence[Any]
    asked: Range
    fields: Sequence[str]
    following: Range | None

    @property
    def status(self) -> int:
        return 206 if self.following else 200

    @property
    def headers(self) -> dict[str, str]:
        field = self.asked.field
        ends = [_text(_value_of(self.records[at], field)) for at in (0, -1)] if self.records else ["", ""]
        found = {
            "Accept-Ranges": ", ".join(self.fields),
            "Content-Range": f"{field} {ends[0]}..{ends[1]}; max={self.asked.most}",
        }
        return found | ({"Next-Range": str(self.following)} if self.following else {})


def parse(header: str | None, fields: Sequence[str]) -> Range:
    """The range asked for; the first of `fields` when none is. Raises BadRange.

    A field that is not among them is passed over when it bounds nothing: some clients order lists by names of
    their own, and depend on no order.
    """
    text = (header or "").strip()
    if not text or text.lower().startswith("bytes"):  # HTTP's own ranges of bytes may be ignored, and are
        return Range(fields[0])
    bounds, _, options = text.partition(";")
    field, _, values = bounds.strip().partition(" ")
    if field not in fields and values.strip() in {"", ".."}:
        field = fields[0]
    if field not in fields:
        known = " or ".join(fields)
        raise BadRange(f"This list is ordered by {known}; the Range header asks for {field[:50]!r}.")
    return _options(options, _bounds(field, values.strip()))


def _bounds(field: str, values: str) -> Range:
    first, dots, last = values.partition("..")
    if values and not dots:
        raise BadRange(f"A Range is FIELD [FIRST]..[LAST]; found {values[:100]!r} for the values.")
    first, last = first.strip(), last.strip()
    return Range(field, first.lstrip("[]"), first.startswith("]"), last.rstrip("[]"))


def _options(text: str, found: Range) -> Range:
    for option in text.replace(";", ",").split(","):
        name, _, value = (part.strip() for part in option.partition("="))
        if name == "max":
            found = replace(found, most=_most(value))
        elif name == "order":
            found = replace(found, descending=_descending(value))
        elif name:
            raise BadRange(f"A Range has the options max and order; found {name[:50]!r}.")
    return found


def _most(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 9 or int(value) < 1:
        raise BadRange(f"max in a Range is a number from 1 to {MOST}; found {value[:50]!r}.")
    return min(int(value), MOST)


def _descending(value: str) -> bool:
    if value.lower() not in {"asc", "desc"}:
        raise BadRange(f"order in a Range is asc or desc; found {value[:50]!r}.")
    return value.lower() == "desc"


def of_query(query: models.QuerySet[Any], asked: Range, fields: Sequence[str]) -> Page:
    """The page of `query`, read from the database with a bound. Raises BadRange."""
    up, down = ("lt", "gt") if asked.descending else ("gt", "lt")
    kind = query.model._meta.get_field(asked.field)
    if asked.first:
        look = up if asked.after else f"{up}e"
        query = query.filter(**{f"{asked.field}__{look}": _typed(kind, asked.first)})
    if asked.last:
        query = query.filter(**{f"{asked.field}__{down}e": _typed(kind, asked.last)})
    sign = "-" if asked.descending else ""
    return _page(list(query.order_by(f"{sign}{asked.field}")[: asked.most + 1]), asked, fields)


def of_list(records: Sequence[Mapping[str, Any]], asked: Range, fields: Sequence[str]) -> Page:
    """The same of a list that is in memory; values compare as text, or as numbers where they are numbers."""
    ordered = sorted(records, key=lambda record: record[asked.field], reverse=asked.descending)
    kept = [record for record in ordered if _within(record[asked.field], asked)]
    return _page(kept[: asked.most + 1], asked, fields)


def _within(value: Any, asked: Range) -> bool:
    def bound(text: str) -> Any:
        return _number(text) if isinstance(value, int) else text

    def before(one: Any, other: Any) -> bool:
        return bool(one > other if asked.descending else one < other)

    if asked.first:
        first = bound(asked.first)
        if before(value, first) or (asked.after and value == first):
            return False
    return not (asked.last and before(bound(asked.last), value))


def _page(found: list[Any], asked: Range, fields: Sequence[str]) -> Page:
    if len(found) <= asked.most:
        return Page(found, asked, fields, None)
    kept = found[: asked.most]
    last = _text(_value_of(kept[-1], asked.field))
    return Page(kept, asked, fields, replace(asked, first=last, after=True))


def _value_of(record: Any, field: str) -> Value:
    value: Value = record[field] if isinstance(record, Mapping) else getattr(record, field)
    return value


def _text(value: Value) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _typed(kind: object, text: str) -> Value:
    if isinstance(kind, models.UUIDField):
        try:
            return uuid.UUID(text)
        except ValueError as error:
            raise BadRange(f"An id in a Range is a UUID; found {text[:50]!r}.") from error
    if isinstance(kind, models.IntegerField):
        return _number(text)
    if isinstance(kind, models.DateTimeField):
        return _moment(text)
    return text.replace("\0", "")


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadRange(f"This Range takes whole numbers; found {text[:50]!r}.")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise BadRange(f"A time in a Range is like 2012-01-01T12:00:00Z; found {text[:50]!r}.")
    return moment
