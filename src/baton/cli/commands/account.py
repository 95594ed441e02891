"""Who is signed in, where: login, logout, whoami."""

from __future__ import annotations

import getpass
import socket
import sys
from typing import Annotated, Any

import typer

from baton.cli import git
from baton.cli.api import Api, path
from baton.cli.credentials import Account
from baton.cli.errors import BadAnswer, CliError, GitError, NotFound, NotSignedIn, UsageError
from baton.cli.registry import Registry
from baton.cli.session import Session

commands = Registry("Your account")

TOKEN_SECONDS = 30 * 24 * 3600


@commands.command(
    "login",
    needs="server",
    aliases=("auth:login",),
    shape="account",
    examples=(
        ("baton login", "asks for email and password"),
        (
            "baton login --host https://baton.example.org",
            "signs in to another machine, and uses it from then on",
        ),
        (
            "baton login --email me@example.org < password.txt",
            "from a script: the password is one line of stdin",
        ),
    ),
)
def login(
    session: Session,
    *,
    email: Annotated[
        str | None, typer.Option("--email", metavar="EMAIL", help="Sign in as this user.")
    ] = None,
    interactive: Annotated[
        bool, typer.Option("-i", "--interactive", help="Accepted for Heroku's sake; always so.")
    ] = True,
) -> None:
    """Sign in, and let git find the password by itself.

    The token is kept in ~/.config/baton/credentials.toml, readable by you alone. No other server sees it.
    """
    who, password = _asked(session, email)
    api = Api(session.server, None)
    authorization = _authorize(api, who, password)
    token = str(authorization["access_token"]["token"])
    account = Api(session.server, token).get("/account")
    session.remember(Account(session.server, str(account["email"]), token, str(authorization.get("id", ""))))
    session.offer_git_password()
    session.out.show(account, [f"Logged in as {account['email']}"])


def _authorize(api: Api, email: str, password: str) -> dict[str, Any]:
    wanted = {
        "description": f"Baton command line on {socket.gethostname()}",
        "expires_in": TOKEN_SECONDS,
        "scope": ["global"],
    }
    try:
        found: dict[str, Any] = api.post("/oauth/authorizations", wanted, basic=(email, password))
    except NotSignedIn as error:
        raise NotSignedIn(
            f"{api.server} knows no such email and password.", "Type baton login again."
        ) from error
    if not isinstance(found.get("access_token"), dict):
        raise BadAnswer(f"{api.server} answered without a token.")
    return found


def _asked(session: Session, email: str | None) -> tuple[str, str]:
    """Email and password; from a terminal without echo, else from stdin's lines. Raises UsageError."""
    if sys.stdin.isatty():
        session.out.note(f"Enter your login for {session.server}:")
        who = email or _line("Email: ")
        return who, getpass.getpass("Password: ")
    who = email or sys.stdin.readline().strip()
    password = sys.stdin.readline().rstrip("\r\n")
    if not who or not password:
        raise UsageError(
            "Expected an email and a password, found no terminal to ask and too few lines on stdin.",
            "Type baton login --email EMAIL < FILE, with the password in FILE.",
        )
    return who, password


def _line(prompt: str) -> str:
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


@commands.command(
    "logout",
    needs="server",
    aliases=("auth:logout",),
    shape='{"server", "signed_out"}',
    examples=(("baton logout", "revokes the token and forgets it"),),
)
def logout(session: Session) -> None:
    """Revoke this machine's token and forget it."""
    account = session.credentials.of(session.server)
    if account is None:
        raise NotSignedIn(f"You are not signed in to {session.server}.")
    with session.out.action(f"Logging out of {account.server}"):
        _revoke(Api(account.server, account.token), account)
        session.forget(account.server)
    try:
        git.withdraw_password(account.server)
    except GitError as error:
        session.out.warn(error.message)
    session.out.show({"server": account.server, "signed_out": True})


def _revoke(api: Api, account: Account) -> None:
    """A token the server no longer takes is as good as revoked."""
    steps = ["/oauth/sessions/~"] + (
        [path("oauth", "authorizations", account.authorization)] if account.authorization else []
    )
    for step in steps:
        try:
            api.delete(step)
        except (NotFound, NotSignedIn):
            continue
        except CliError as error:
            raise CliError(f"The token could not be revoked: {error.message}", error.hint) from error


@commands.command(
    "whoami",
    needs="server",
    aliases=("auth:whoami",),
    shape="account",
    examples=(("baton whoami", "prints your email; exit code 3 when you are not signed in"),),
)
def whoami(session: Session) -> None:
    """Show who is signed in."""
    account = session.api.get("/account")
    session.out.show(account, [str(account["email"])])
