"""One-off dynos: `run` and `run:detached`, and the tickets with which a client attaches to one."""

from __future__ import annotations

import ipaddress
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from baton.base.secrets import digest
from baton.base.settings import Settings
from baton.control import configuration, ledger, machine, planning, releases
from baton.control.errors import Invalid
from baton.control.formations import DEFAULT_SIZE, checked_size
from baton.control.models import App, Dyno, Release, User
from baton.run.specs import AppSpec

TICKET_SECONDS = 60
LONGEST_COMMAND = 64 * 1024
SECRET_LENGTH = 43  # of token_urlsafe(32)


@dataclass(frozen=True)
class Ticket:
    """What attaching with a secret starts; used once, before `expires` (monotonic seconds)."""

    spec: AppSpec = field(repr=False)
    dyno: str
    command: str
    env: Mapping[str, str] = field(repr=False)
    tty: bool
    rows: int
    columns: int
    expires: float


class Tickets:
    """Open tickets by the digest of their secret, in memory: they don't outlive the process, nor a minute."""

    def __init__(self) -> None:
        self._open: dict[str, Ticket] = {}
        self._lock = threading.Lock()

    def issue(self, ticket: Ticket) -> str:
        secret = secrets.token_urlsafe(32)
        with self._lock:
            now = time.monotonic()
            self._open = {name: each for name, each in self._open.items() if each.expires > now}
            self._open[digest(secret)] = ticket
        return secret

    def take(self, secret: str) -> Ticket | None:
        """The ticket, which is gone with this; None for a secret that is unknown, used or too old."""
        with self._lock:
            ticket = self._open.pop(digest(secret), None)
        return ticket if ticket and ticket.expires > time.monotonic() else None


tickets = Tickets()


def run(
    app: App,
    command: str,
    *,
    attach: bool,
    env: Mapping[str, str],
    size: str | None,
    type: str | None,  # noqa: A002 - Heroku's word
    force_no_tty: bool,
    user: User,
    host: str | None = None,
) -> Dyno:
    """The record, with `attach_url` when attached.

    The command starts when somebody attaches. Raises Invalid.
    """
    release = ledger.current_release(app)
    if release is None or release.slug is None:
        raise Invalid(f"{app.name} has nothing to run yet.", "Push something first: git push <remote> main")
    if not command.strip() or len(command) > LONGEST_COMMAND or "\0" in command:
        raise Invalid("command should be a shell command of at most 64 kB.")
    extra = configuration.after({}, {name: str(value) for name, value in env.items()})
    spec = planning.spec_now(app)
    assert spec is not None
    dyno = _record(app, release, command, checked_size(size) if size else DEFAULT_SIZE, type or "run")
    releases.tell(app, f"Starting process with command `{command[:200]}` by user {user.email}")
    dyno.attach_url = None  # type: ignore[attr-defined]
    if attach:
        ticket = _ticket(spec, dyno, extra, force_no_tty)
        dyno.attach_url = attach_url(machine.options(), tickets.issue(ticket), host)  # type: ignore[attr-defined]
    else:
        machine.supervisor().run_detached(spec, dyno.name, command, env=extra)
    return dyno


def attach_url(settings: Settings, secret: str, host: str | None = None) -> str:
    """`host`: how the client reached the API, without port; it reaches the rendezvous in the same way."""
    return f"rendezvous://{host or attach_host(settings)}:{settings.rendezvous_port}/{secret}"


def attach_host(settings: Settings) -> str:
    """Where a client reaches the rendezvous.

    This machine, unless Baton serves a domain of its own to others.
    """
    local = settings.domain == "localhost" or ipaddress.ip_address(settings.bind).is_loopback
    return "127.0.0.1" if local else settings.domain


def _ticket(spec: AppSpec, dyno: Dyno, env: Mapping[str, str], force_no_tty: bool) -> Ticket:
    return Ticket(
        spec=spec,
        dyno=dyno.name,
        command=dyno.command,
        env=env,
        tty=not force_no_tty,
        rows=_bounded(env.get("LINES"), 24),
        columns=_bounded(env.get("COLUMNS"), 80),
        expires=time.monotonic() + TICKET_SECONDS,
    )


def _bounded(text: str | None, usual: int) -> int:
    return min(int(text), 1000) if text and text.isdigit() and int(text) else usual


def _record(app: App, release: Release, command: str, size: str, kind: str) -> Dyno:
    kind = kind if kind.replace("-", "").replace("_", "").isalnum() and len(kind) <= 40 else "run"
    taken = set(app.dynos.values_list("name", flat=True))
    name = next(
        name for _ in range(10_000) if (name := f"{kind}.{secrets.randbelow(9000) + 1000}") not in taken
    )
    return Dyno.objects.create(app=app, name=name, type=kind, command=command, size=size, release=release)
