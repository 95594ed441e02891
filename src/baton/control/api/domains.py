"""Domains: the host names that lead to an app."""

from __future__ import annotations

from baton.control import deploys
from baton.control.api import find, serialize
from baton.control.api.errors import InvalidParams
from baton.control.api.frame import Answer, Call


def index(call: Call, app: str) -> Answer:
    found = find.app(call.user, app).domains.select_related("app")
    return call.page(found, ("id", "hostname"), lambda domain: serialize.domain(domain, call.machine))


def show(call: Call, app: str, domain: str) -> Answer:
    return Answer(serialize.domain(find.domain(find.app(call.user, app), domain), call.machine))


def create(call: Call, app: str) -> Answer:
    found = find.app(call.user, app)
    hostname = _hostname(call)
    if "sni_endpoint" in call.body:
        raise InvalidParams("Baton chooses the certificate of a domain itself; leave sni_endpoint null.")
    deploys.set_domains(found, [hostname], [], call.user)
    return Answer(serialize.domain(find.domain(found, hostname), call.machine), 201)


def _hostname(call: Call) -> str:
    """In small letters, other scripts in their ASCII form; a trailing dot is left out."""
    given = call.body.need(call.body.text("hostname", limit=253), "hostname").strip().lower().rstrip(".")
    try:
        return given if given.isascii() else given.encode("idna").decode()
    except UnicodeError as error:
        raise InvalidParams(
            f"hostname should be a host name like www.example.com; found {given!r}."
        ) from error


def update(call: Call, app: str, domain: str) -> Answer:
    """Only a certificate could be changed at Heroku, and here there is none to choose."""
    found = find.domain(find.app(call.user, app), domain)
    if "sni_endpoint" in call.body:
        raise InvalidParams("Baton chooses the certificate of a domain itself; leave sni_endpoint null.")
    return Answer(serialize.domain(found, call.machine))


def destroy(call: Call, app: str, domain: str) -> Answer:
    found = find.app(call.user, app)
    record = find.domain(found, domain)
    if record.kind == "heroku":
        raise InvalidParams(f"{record.hostname} is the app's own name; it goes with the app.")
    shown = serialize.domain(record, call.machine)
    deploys.set_domains(found, [], [record.hostname], call.user)
    return Answer(shown)
