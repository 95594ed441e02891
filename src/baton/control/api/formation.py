"""The formation: how many dynos of which size each process type has."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from baton.control import deploys
from baton.control.api import catalogue, find, serialize
from baton.control.api.bodies import Members
from baton.control.api.errors import InvalidParams, Missing
from baton.control.api.frame import Answer, Call
from baton.control.models import App, Formation

MOST = 50  # process types in one change


def _shown(app: App, records: Iterable[Formation]) -> list[serialize.Json]:
    current = app.releases.select_related("slug").filter(current=True).first()
    commands = current.slug.process_types if current and current.slug else {}
    return [serialize.formation(record, commands.get(record.type, "")) for record in records]


def index(call: Call, app: str) -> Answer:
    found = find.app(call.user, app)
    return call.page(_shown(found, deploys.formation(found)), ("type", "id"))


def show(call: Call, app: str, formation: str) -> Answer:
    found = find.app(call.user, app)
    return Answer(_shown(found, [_find(found, formation)])[0])


def _find(app: App, identity: str) -> Formation:
    found = next((row for row in deploys.formation(app) if identity in (row.type, str(row.pk))), None)
    if found is None:
        raise Missing("process type", f"Couldn't find that process type ({identity[:60]}).")
    return found


def batch(call: Call, app: str) -> Answer:
    """`{"updates": [{"type", "quantity", "size"}]}`; the answer has the process types that were named."""
    found = find.app(call.user, app)
    updates = call.body.need(call.body.items("updates", MOST), "updates")
    wanted = [_update(entry) for entry in updates]
    return Answer(_scaled(call, found, wanted))


def update(call: Call, app: str, formation: str) -> Answer:
    found = find.app(call.user, app)
    kind = _find(found, formation).type
    return Answer(_scaled(call, found, [_wish(call.body, kind)])[0])


def _scaled(call: Call, app: App, wanted: list[dict[str, Any]]) -> list[serialize.Json]:
    rows = deploys.scale(app, wanted, call.user)
    kinds = {wish["type"] for wish in wanted}
    return _shown(app, [row for row in rows if row.type in kinds])


def _update(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise InvalidParams("Each of updates should be an object with type, quantity and size.")
    fields = Members(entry, "updates.")
    return _wish(fields, fields.need(fields.text("type", limit=100), "type"))


def _wish(fields: Members, kind: str) -> dict[str, Any]:
    """The quantity goes on as it came (2, "2", "+1"): it is read where the present one is known."""
    quantity = fields.found.get("quantity")
    if isinstance(quantity, bool) or not isinstance(quantity, int | str | None):
        raise InvalidParams(f'quantity of {kind[:60]} should be a number, or a text like "+1".')
    return {"type": kind, "quantity": quantity, "size": catalogue.size_name(_size(fields))}


def _size(fields: Members) -> str | None:
    """`size` is a name; `dyno_size` a name, or an object with a name or an id."""
    nested = fields.found.get("dyno_size")
    if isinstance(nested, dict):
        inner = Members(nested, "dyno_size.")
        return inner.text("name", limit=50) or inner.text("id", limit=50)
    return fields.text("size", limit=50) or fields.text("dyno_size", limit=50)
