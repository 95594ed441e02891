"""Maintenance: a page instead of the app."""

from __future__ import annotations

from baton.cli.output import app_name, join
from baton.cli.registry import Registry
from baton.cli.session import Session

commands = Registry("Dynos")


@commands.command(
    "maintenance",
    needs="app",
    shape="app",
    examples=(("baton maintenance -a shop", "on or off"),),
)
def maintenance(session: Session) -> None:
    """Show whether maintenance mode is on."""
    app = session.details()
    session.out.show(app, ["on" if app["maintenance"] else "off"])


@commands.command(
    "maintenance:on",
    needs="app",
    shape="app",
    examples=(("baton maintenance:on -a shop", "visitors see a page; dynos go on running"),),
)
def on(session: Session) -> None:
    """Show visitors a maintenance page."""
    _switch(session, "Enabling", True)


@commands.command(
    "maintenance:off",
    needs="app",
    shape="app",
    examples=(("baton maintenance:off -a shop", "visitors see the app again"),),
)
def off(session: Session) -> None:
    """Let visitors see the app again."""
    _switch(session, "Disabling", False)


def _switch(session: Session, verb: str, wanted: bool) -> None:
    with session.out.action(join(f"{verb} maintenance mode for ", app_name(session.app))):
        app = session.api.patch(session.at(), {"maintenance": wanted})
    session.out.show(app)
