"""Tokens and the servers they were made for, in ~/.config/baton/credentials.toml (mode 0600)."""

from __future__ import annotations

import json
import os
import stat
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from baton.cli import servers
from baton.cli.errors import CredentialsError, UsageError


@dataclass(frozen=True)
class Account:
    """One sign-in. `authorization` is the id by which the token can be revoked."""

    server: str
    email: str
    token: str
    authorization: str = ""


@dataclass(frozen=True)
class Credentials:
    """Every server signed in to, and the one used when nothing names another."""

    default: str | None = None
    accounts: tuple[Account, ...] = ()

    def of(self, server: str) -> Account | None:
        return next((account for account in self.accounts if account.server == server), None)

    def signed_in(self, account: Account) -> Credentials:
        others = tuple(other for other in self.accounts if other.server != account.server)
        return Credentials(account.server, (*others, account))

    def signed_out(self, server: str) -> Credentials:
        others = tuple(other for other in self.accounts if other.server != server)
        return replace(self, accounts=others, default=None if self.default == server else self.default)

    @property
    def server(self) -> str:
        return self.default or servers.DEFAULT_SERVER


def default_server(environ: Mapping[str, str], credentials: Credentials) -> str:
    return servers.explicit(None, environ) or credentials.server


def token_for(server: str, environ: Mapping[str, str], credentials: Credentials) -> str | None:
    """The token to show to `server`, and to no other.

    BATON_API_KEY belongs to the server that BATON_HOST names, else to the default one. HEROKU_API_KEY is used
    only where HEROKU_HOST names this very server: everywhere else it is somebody's key to Heroku.
    """
    key = environ.get("BATON_API_KEY")
    if key and server == default_server(environ, credentials):
        return key
    key = environ.get("HEROKU_API_KEY")
    if key and server == servers.of_url(environ.get("HEROKU_HOST", "")):
        return key
    account = credentials.of(server)
    return account.token if account else None


def known_servers(environ: Mapping[str, str], credentials: Credentials) -> frozenset[str]:
    """Servers whose git remotes are taken for apps of ours."""
    return frozenset(
        {default_server(environ, credentials), *(account.server for account in credentials.accounts)}
    )


def location(environ: Mapping[str, str]) -> Path:
    base = environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "baton" / "credentials.toml"


def parse(text: str) -> Credentials:
    """Raises ValueError, KeyError or TypeError when `text` is not what `dump` writes."""
    found = tomllib.loads(text)
    accounts = tuple(
        Account(**{key: str(value) for key, value in entry.items()}) for entry in found.get("server", [])
    )
    default = found.get("default")
    checked = tuple(replace(account, server=servers.normalise(account.server)) for account in accounts)
    return Credentials(servers.normalise(str(default)) if default else None, checked)


def dump(credentials: Credentials) -> str:
    lines = [f"default = {_quoted(credentials.default)}"] if credentials.default else []
    for account in credentials.accounts:
        lines += ["", "[[server]]", *(f"{key} = {_quoted(value)}" for key, value in vars(account).items())]
    return "\n".join(lines) + "\n"


def load(path: Path) -> Credentials:
    """What the file says; empty without one. Raises CredentialsError, also when others can read it."""
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except FileNotFoundError:
        return Credentials()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(
            f"{path} can't be read ({error}).", "Mend it, or remove it and type baton login."
        ) from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise CredentialsError(f"{path} holds tokens and other users can read it.", f"Type: chmod 600 {path}")
    try:
        return parse(text)
    except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
        raise CredentialsError(
            f"{path} is not what baton login writes.", "Remove it and type baton login."
        ) from error


def save(path: Path, credentials: Credentials) -> None:
    """Replaces the file in one step; others can read it at no moment. Raises CredentialsError."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(prefix=".credentials-", dir=path.parent)
        with os.fdopen(handle, "w") as file:
            file.write(dump(credentials))
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).replace(path)
    except OSError as error:
        raise CredentialsError(
            f"{path} can't be written ({error}).", "Set XDG_CONFIG_HOME to a place of yours."
        ) from error


def _quoted(text: str | None) -> str:
    """A TOML basic string: JSON's, with the one control character escaped that JSON leaves alone."""
    return json.dumps(text or "", ensure_ascii=False).replace("\x7f", "\\u007f")
