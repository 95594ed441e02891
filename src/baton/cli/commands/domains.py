"""Domains: the hostnames an app answers to."""

from __future__ import annotations

from typing import Annotated

import typer

from baton.cli.api import Record
from baton.cli.output import Line, app_name, header, join, table
from baton.cli.registry import Registry
from baton.cli.session import Session

commands = Registry("Domains")

Hostname = Annotated[str, typer.Argument(metavar="HOSTNAME", help="Like www.example.org.")]


@commands.command(
    "domains",
    needs="app",
    shape="[domain, ...]",
    examples=(("baton domains -a shop", "every hostname, and where its DNS record should point"),),
)
def domains(session: Session) -> None:
    """Show an app's hostnames."""
    found = session.api.every(session.at("domains"))
    session.out.show(found, domain_lines(session.app, found))


def domain_lines(app: str, found: list[Record]) -> list[Line]:
    own = sorted(domain["hostname"] for domain in found if domain["kind"] == "heroku")
    custom = sorted(
        (domain for domain in found if domain["kind"] == "custom"), key=lambda domain: str(domain["hostname"])
    )
    lines: list[Line] = [header(join(app_name(app), " Baton Domain")), "", *own, ""]
    if not custom:
        return lines
    rows = [
        [domain["hostname"], record_type(domain["hostname"]), domain.get("cname") or ""] for domain in custom
    ]
    titles = ("Domain Name", "DNS Record Type", "DNS Target")
    return [*lines, header(join(app_name(app), " Custom Domains")), "", *table(rows, titles)]


def record_type(hostname: str) -> str:
    """The record to make: a zone's own name can't have a CNAME. Two labels are taken for a zone."""
    return "ALIAS or ANAME" if hostname.count(".") == 1 else "CNAME"


@commands.command(
    "domains:add",
    needs="app",
    shape="domain",
    examples=(("baton domains:add www.example.org -a shop", "then point its DNS record at this machine"),),
)
def add(session: Session, hostname: Hostname) -> None:
    """Let an app answer to a hostname."""
    with session.out.action(join("Adding ", (hostname, "green"), " to ", app_name(session.app))):
        made = session.api.post(session.at("domains"), {"hostname": hostname, "sni_endpoint": None})
    target = made.get("cname")
    lines = [f"Configure your DNS provider to point {hostname} to {target}."] if target else []
    session.out.show(made, lines)


@commands.command(
    "domains:remove",
    needs="app",
    shape="domain",
    examples=(("baton domains:remove www.example.org -a shop", "the app no longer answers to it"),),
)
def remove(session: Session, hostname: Hostname) -> None:
    """Take a hostname from an app."""
    with session.out.action(join("Removing ", (hostname, "green"), " from ", app_name(session.app))):
        gone = session.api.delete(session.at("domains", hostname))
    session.out.show(gone)
