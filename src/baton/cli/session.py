"""What one command works with: the server it speaks to, the app it is about, the streams it writes on.

Everything is found when it is first asked for, so a command that needs no configuration reads none.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from baton.cli import credentials as keys
from baton.cli import git, names, servers
from baton.cli.api import Api, path
from baton.cli.credentials import Account, Credentials
from baton.cli.errors import GitError, NotFound, NotSignedIn
from baton.cli.output import Output


@dataclass(frozen=True)
class Options:
    """The options that commands share."""

    app: str | None = None
    remote: str | None = None
    host: str | None = None
    json: bool = False


class Session:
    def __init__(self, options: Options, *, about_app: bool = False) -> None:
        self.options = options
        self._about_app = about_app
        self.out = Output(json=options.json)

    @classmethod
    @contextmanager
    def begin(cls, options: Options, *, about_app: bool) -> Iterator[Session]:
        session = cls(options, about_app=about_app)
        try:
            yield session
        finally:
            for warning in session.warnings:
                session.out.warn(f"Warning: {warning}")

    def make_ready(self) -> None:
        """A command about an app is refused before it says what it is doing: no app, no token."""
        if self._about_app:
            _ = self.api

    @cached_property
    def credentials(self) -> Credentials:
        return keys.load(keys.location(os.environ))

    def remember(self, account: Account) -> None:
        keys.save(keys.location(os.environ), self.credentials.signed_in(account))

    def forget(self, server: str) -> None:
        keys.save(keys.location(os.environ), self.credentials.signed_out(server))

    @cached_property
    def known_servers(self) -> frozenset[str]:
        explicit = self._explicit_server
        return frozenset({explicit}) if explicit else keys.known_servers(os.environ, self.credentials)

    @cached_property
    def target(self) -> names.Target:
        """The app meant, and its server when a git remote told it. Raises UsageError."""
        given = self.options.app or os.environ.get("BATON_APP") or os.environ.get("HEROKU_APP")
        look = bool(self.options.remote) or not given
        return names.find(
            app=self.options.app,
            remote=self.options.remote,
            environ=os.environ,
            remotes=git.remotes() if look else (),
            known=self.known_servers,
            preferred=git.preferred_remote()
            if look and not self.options.remote and git.inside_repository()
            else None,
        )

    @property
    def app(self) -> str:
        return self.target.app

    @cached_property
    def server(self) -> str:
        """What --host or BATON_HOST names, else the git remote's, else the one signed in to last."""
        return self._explicit_server or self._remote_server or self.credentials.server

    @cached_property
    def token(self) -> str | None:
        return keys.token_for(self.server, os.environ, self.credentials)

    @cached_property
    def api(self) -> Api:
        """Raises NotSignedIn before anything is sent when there is no token for the server."""
        if not self.token:
            raise NotSignedIn(f"You are not signed in to {self.server}.", f"Type {self.login_command}.")
        return Api(self.server, self.token)

    @cached_property
    def authority(self) -> str | None:
        """The certificate (PEM) of the server's own authority, by which its attached dynos are known.

        It comes the way the token goes, so it is as good as the server's address; None where there is none.
        """
        try:
            return str(self.api.get("/authority")["certificate"])
        except NotFound:
            return None

    @property
    def login_command(self) -> str:
        return (
            "baton login" if self.server == self.credentials.server else f"baton login --host {self.server}"
        )

    @property
    def warnings(self) -> list[str]:
        api = self.__dict__.get("api")
        return api.warnings if api else []

    def at(self, *parts: object) -> str:
        """The path of something that belongs to the app: `at("domains", name)`."""
        return path("apps", self.app, *parts)

    def details(self) -> dict[str, Any]:
        """The app's record. Raises NotFound."""
        found: dict[str, Any] = self.api.get(self.at())
        return found

    def offer_git_password(self) -> None:
        """Lets git find the token by itself. Where that can't be set up git asks, and a warning says why."""
        try:
            git.offer_password(self.server)
        except GitError as error:
            self.out.warn(f"git will ask for a password on push: {error.message}")

    @cached_property
    def _explicit_server(self) -> str | None:
        return servers.explicit(self.options.host, os.environ)

    @property
    def _remote_server(self) -> str | None:
        return self.target.server if self._about_app else None
