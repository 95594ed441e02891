"""A home made ready for control: its directories, its keys, its database, its first user."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from django.core.management import call_command

from baton.base.ids import new_token
from baton.base.paths import Home
from baton.base.secrets import Vault, digest
from baton.control import frontdoor
from baton.control.models import Token, User

USUAL_EMAIL = "admin@localhost"


@dataclass(frozen=True)
class Prepared:
    """The first user; password and token are None unless they were just made, since nothing stores them."""

    email: str
    password: str | None
    token: str | None


def prepare(home: Home, email: str | None = None) -> Prepared:
    """May be called again at each start and upgrade.

    What is there stays, and the database is brought up to date.
    """
    make_directories(home)
    Vault.open(home)
    call_command("migrate", verbosity=0, interactive=False)
    Path(home.database).chmod(0o600)
    frontdoor.publish_authority(home)
    return first_user(email or USUAL_EMAIL)


def make_directories(home: Home) -> None:
    """What the front door's workers and the dynos have to pass through is 0711.

    What is nobody's business 0700.
    """
    for path in (
        home.root,
        home.run,
        home.slugs,
        home.deps,
        home.builds,
        home.logs,
        home.run / "front",
        home.run / "web",
    ):
        path.mkdir(mode=0o711, parents=True, exist_ok=True)
    for path in (
        home.keys,
        home.root / "git",
        home.root / "hooks",
        home.root / "sources",
        home.logs / "output",
    ):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.geteuid() == 0:
        home.root.chmod(0o711)


def first_user(email: str) -> Prepared:
    known = User.objects.order_by("created_at").first()
    if known is not None:
        return Prepared(known.email, None, None)
    password, token = secrets.token_urlsafe(18), new_token()
    user = User.objects.create_user(email, password, is_admin=True)
    Token.objects.create(user=user, digest=digest(token), description="baton up", scope=["global"])
    return Prepared(user.email, password, token)
