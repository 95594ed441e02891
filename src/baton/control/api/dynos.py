"""Dynos: the formation's, as they run now, and one-off ones."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from baton.control import deploys
from baton.control.api import catalogue, find, serialize
from baton.control.api.errors import InvalidParams, Missing
from baton.control.api.frame import Answer, Call
from baton.control.models import App

LONGEST_COMMAND = 32 * 1024
MOST_VARIABLES = 100
REMEMBERED = timedelta(days=7)  # how long a one-off dyno keeps the id that it was created with
Json = serialize.Json


def index(call: Call, app: str) -> Answer:
    return call.page(_all(find.app(call.user, app)), ("name", "id"))


def _all(app: App) -> list[Json]:
    """What runs, as the supervisor says; a one-off dyno keeps the id that its creation answered."""
    releases = {version: str(pk) for version, pk in app.releases.values_list("version", "pk")}
    one_offs = {dyno.name: str(dyno.pk) for dyno in app.dynos.order_by("created_at")}
    found = [_shown(app, dyno, releases) for dyno in deploys.formation_dynos(app)]
    return [{**dyno, "id": one_offs.get(dyno["name"], dyno["id"])} for dyno in found]


def _shown(app: App, dyno: dict[str, Any], releases: dict[int, str]) -> Json:
    version = int(dyno["release"])
    return serialize.dyno(
        app, dyno, releases.get(version) or serialize.named_id("release", f"{app.pk}{version}")
    )


def show(call: Call, app: str, dyno: str) -> Answer:
    return Answer(_find(find.app(call.user, app), dyno))


def _find(app: App, identity: str) -> Json:
    found = next((dyno for dyno in _all(app) if identity in (dyno["name"], dyno["id"])), None)
    if found is None:
        raise Missing("dyno", f"Couldn't find the dyno {identity[:60]!r} of {app.name}.")
    return found


def create(call: Call, app: str) -> Answer:
    """A one-off dyno; with `attach`, attach_url leads to its terminal."""
    found = find.app(call.user, app)
    fields = call.body
    command = fields.need(fields.text("command", limit=LONGEST_COMMAND), "command")
    if not command.strip():
        raise InvalidParams("command should be what the dyno is to run.")
    found.dynos.filter(created_at__lt=timezone.now() - REMEMBERED).delete()
    dyno = deploys.run_dyno(
        found,
        command,
        attach=fields.flag("attach") or False,
        env=_env(fields.object("env") or {}),
        size=catalogue.size_name(fields.text("size", limit=50)),
        type=fields.text("type", limit=50),
        force_no_tty=fields.flag("force_no_tty") or False,
        user=call.user,
        host=call.host,
    )
    return Answer(serialize.one_off(dyno, getattr(dyno, "attach_url", None)), 201)


def _env(given: dict[str, Any]) -> dict[str, str]:
    """Numbers are texts here: clients send the terminal's size as numbers."""
    if len(given) > MOST_VARIABLES:
        raise InvalidParams(f"env holds at most {MOST_VARIABLES} variables; found {len(given)}.")
    for name, value in given.items():
        if not name or "=" in name or not isinstance(value, str | int | None) or isinstance(value, bool):
            raise InvalidParams(f"env.{name[:100]} should be a text.")
    return {name: str(value) for name, value in given.items() if value is not None}


def restart_all(call: Call, app: str) -> Answer:
    deploys.restart(find.app(call.user, app), None, call.user)
    return Answer({}, 202)


def restart(call: Call, app: str, dyno: str) -> Answer:
    """A name, an id, or a process type: the `heroku` program of some versions names types here."""
    found = find.app(call.user, app)
    deploys.restart(found, _target(found, dyno), call.user)
    return Answer({}, 202)


def restart_type(call: Call, app: str, kind: str) -> Answer:
    found = find.app(call.user, app)
    deploys.restart(found, _type(found, kind), call.user)
    return Answer({}, 202)


def stop(call: Call, app: str, dyno: str) -> Answer:
    found = find.app(call.user, app)
    deploys.stop(found, _target(found, dyno), call.user)
    return Answer({}, 202)


def stop_type(call: Call, app: str, kind: str) -> Answer:
    found = find.app(call.user, app)
    deploys.stop(found, _type(found, kind), call.user)
    return Answer({}, 202)


def _target(app: App, identity: str) -> str:
    if any(record.type == identity for record in deploys.formation(app)):
        return identity
    return str(_find(app, identity)["name"])


def _type(app: App, kind: str) -> str:
    if not any(record.type == kind for record in deploys.formation(app)):
        raise Missing("process type", f"Couldn't find the process type {kind[:60]!r} of {app.name}.")
    return kind
