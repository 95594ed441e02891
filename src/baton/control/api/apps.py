"""Apps: what a push goes to."""

from __future__ import annotations

from baton.base.ids import APP_NAME
from baton.control import deploys
from baton.control.api import catalogue, find, serialize
from baton.control.api.errors import InvalidParams, Missing
from baton.control.api.frame import Answer, Call
from baton.control.models import App

NAME_IN_WORDS = "3 to 30 small letters, digits and dashes, from a letter to a letter or digit"


def _shown(call: Call, app: App, status: int = 200) -> Answer:
    return Answer(serialize.app(find.app(call.user, str(app.pk)), call.machine), status)


def index(call: Call) -> Answer:
    return call.page(find.apps(call.user), ("name", "id"), lambda app: serialize.app(app, call.machine))


def create(call: Call) -> Answer:
    fields = call.body
    name = fields.text("name", limit=100, pattern=APP_NAME, like=NAME_IN_WORDS)
    stack = catalogue.stack_name(fields.text("stack", limit=100))
    region = catalogue.region_name(fields.text("region", limit=100))
    return _shown(call, deploys.create_app(call.user, name, stack=stack, region=region), 201)


def show(call: Call, app: str) -> Answer:
    return Answer(serialize.app(find.app(call.user, app), call.machine))


def update(call: Call, app: str) -> Answer:
    found = find.app(call.user, app)
    fields = call.body
    name = fields.text("name", limit=100, pattern=APP_NAME, like=NAME_IN_WORDS)
    stack = catalogue.stack_name(fields.text("build_stack", limit=100))
    maintenance = fields.flag("maintenance")
    if stack is not None and stack != found.stack:
        App.objects.filter(pk=found.pk).update(stack=stack)
        found.stack = stack
    if name is not None and name != found.name:
        deploys.rename_app(found, name, call.user)
    if maintenance is not None and maintenance != found.maintenance:
        deploys.set_maintenance(found, maintenance, call.user)
    return _shown(call, found)


def destroy(call: Call, app: str) -> Answer:
    found = find.app(call.user, app)
    shown = serialize.app(found, call.machine)
    deploys.destroy_app(found, call.user)
    return Answer(shown)


def filtered(call: Call) -> Answer:
    """POST /filters/apps: those of the named ids that the user may see."""
    wanted = call.body.object("in") or {}
    ids = wanted.get("id")
    if not isinstance(ids, list) or len(ids) > 1000 or not all(isinstance(one, str) for one in ids):
        raise InvalidParams("in.id should be a list of at most 1000 ids of apps.")
    chosen = [app for app in find.apps(call.user) if str(app.pk) in ids]
    return call.page([serialize.app(app, call.machine) for app in chosen], ("name", "id"))


def collaborators(call: Call, app: str) -> Answer:
    found = find.app(call.user, app)
    return call.page([serialize.collaborator(found, found.owner)], ("id",))


def collaborator(call: Call, app: str, collaborator: str) -> Answer:
    found = find.app(call.user, app)
    shown = serialize.collaborator(found, found.owner)
    if collaborator.lower() not in {found.owner.email.lower(), shown["id"], "~"}:
        raise Missing("collaborator", f"{found.name} belongs to its owner alone.")
    return Answer(shown)
