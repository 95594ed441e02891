"""Git: the remote to push to, and the password for it."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from baton.cli import credential_helper, git
from baton.cli.api import path
from baton.cli.errors import NoApp
from baton.cli.names import checked
from baton.cli.registry import Registry
from baton.cli.session import Session

commands = Registry("Git")


@commands.command(
    "git:remote",
    needs="server",
    shape='{"app", "remote", "url"}',
    examples=(
        ("baton git:remote -a shop", "git push baton main deploys to shop from here"),
        ("baton git:remote -a shop --remote production", "under another name"),
    ),
)
def git_remote(
    session: Session,
    app: Annotated[str | None, typer.Option("-a", "--app", metavar="NAME", help="The app.")] = None,
    remote: Annotated[str, typer.Option("-r", "--remote", metavar="NAME", help="What to call it.")] = "baton",
) -> None:
    """Add a git remote that deploys to an app, or point the existing one there."""
    named = app or os.environ.get("BATON_APP") or os.environ.get("HEROKU_APP")
    if not named:
        raise NoApp("git:remote takes none from the remotes it is about to change")
    found = session.api.get(path("apps", checked(named)))
    url = git.remote_url(session.server, found["name"])
    git.set_remote(remote, url)
    session.offer_git_password()
    session.out.show({"app": found, "remote": remote, "url": url}, [f"set git remote {remote} to {url}"])


@commands.command(
    "git:credentials",
    needs="nothing",
    examples=(
        ("git config credential.http://127.0.0.1:5100.helper '!baton git:credentials'", "what login sets up"),
    ),
)
def git_credentials(
    session: Session,
    operation: Annotated[str, typer.Argument(metavar="get|store|erase", help="What git wants.")] = "get",
) -> int:
    """Answer git when it asks for a server's password (a credential helper)."""
    return credential_helper.main(operation)
