"""The commands of the machine itself: `up`, `down`, `doctor`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from baton.base.errors import BatonError
from baton.base.paths import Home
from baton.base.settings import Settings
from baton.cli.credentials import Account
from baton.cli.errors import CliError, Code
from baton.cli.machine import doctor as finder
from baton.cli.machine import samples, start
from baton.cli.machine.start import Admin, MachineError
from baton.cli.output import header, join, pairs
from baton.cli.registry import Registry
from baton.cli.session import Session
from baton.run import client

commands = Registry("This machine")

_STYLES = {finder.Level.OK: "green", finder.Level.WARNING: "yellow", finder.Level.ERROR: "red"}


@contextmanager
def explained() -> Iterator[None]:
    """Errors of the rooms below, as errors of the command line."""
    try:
        yield
    except CliError:
        raise
    except BatonError as error:
        raise MachineError(error.message, error.hint) from error


@commands.command(
    "up",
    needs="nothing",
    examples=(
        ("baton up", "start Baton here, with Loci deployed on it; again: see that all is well"),
        ("baton up --no-sample", "without Loci"),
    ),
)
def up(
    session: Session,
    email: Annotated[
        str | None, typer.Option("--email", metavar="ADDRESS", help="The first user's e-mail address.")
    ] = None,
    sample: Annotated[bool, typer.Option("--sample/--no-sample", help="Deploy Loci as an example.")] = True,
) -> None:
    """Start Baton on this machine, or see that it runs.

    Everything lies below BATON_HOME (/var/lib/baton for root, ~/.local/share/baton otherwise). A second `up`
    takes seconds and disturbs nothing that runs.
    """
    with explained():
        home = Home.find()
        settings, notes = start.settle(home)
        admin = _prepare(session, home, email)
        token = _sign_in(session, settings, admin)
        try:
            _start(session, home, settings)
            if sample and token and samples.available():
                samples.deploy_all(settings, token)
        except BaseException:
            # Made just now and kept nowhere in the clear: this is the one chance to see it.
            for line in _account(admin):
                session.out.note(line)
            raise
        for note in (*notes, *_weaknesses()):
            session.out.note(join(("  note  ", "yellow"), note))
        session.out.show({}, _summary(settings, home, admin, sample and samples.available()))


@commands.command(
    "down",
    needs="nothing",
    examples=(("baton down", "stop every app, then Baton; data, apps and releases stay"),),
)
def down(session: Session) -> None:
    """Stop every app and Baton itself. `baton up` brings all of it back."""
    with explained():
        home = Home.find()
        if not start.is_running(home):
            session.out.note(f"Baton is not running ({home.root}).")
            return
        with session.out.action("Stopping every app and Baton"):
            client.Supervisor(home).shutdown()


@commands.command(
    "doctor",
    needs="nothing",
    shape="a list of findings: id, level (ok, warning, error), message, hint",
    examples=(("baton doctor", "what is missing here, and the command that mends it"),),
)
def doctor(session: Session) -> int:
    """Say what this machine lacks, what that costs, and the command that mends it."""
    with explained():
        findings = list(finder.examine(Home.find()))
    session.out.show([asdict(finding) for finding in findings], _lines(findings))
    return Code.FAILED if finder.worst(findings) is finder.Level.ERROR else Code.OK


def _lines(findings: list[finder.Finding]) -> Iterator[Text]:
    for finding in findings:
        yield Text.assemble(
            (f"{finding.level:<8}", _STYLES[finding.level]), (f"{finding.id:<20}", "dim"), finding.message
        )
        if finding.hint:
            yield Text.assemble(" " * 28, ("mend it: ", "dim"), (finding.hint, "cyan"))


def _prepare(session: Session, home: Home, email: str | None) -> Admin:
    with session.out.action(f"Preparing {home.root}"):
        home.root.mkdir(parents=True, exist_ok=True)
        return start.prepare(home, email)


def _start(session: Session, home: Home, settings: Settings) -> None:
    if not start.is_running(home):
        with session.out.action("Starting the supervisor"):
            client.start(home, start.environment(home, settings))
    if not start.answers(f"{settings.control_url}/schema"):
        with session.out.action("Starting control and the front door"):
            start.start_control(home, settings)


def _sign_in(session: Session, settings: Settings, admin: Admin) -> str | None:
    """The token for this machine's control: the one just made, else the one kept from before."""
    if admin.token:
        session.remember(Account(settings.control_url, admin.email, admin.token))
        return admin.token
    kept = session.credentials.of(settings.control_url)
    if kept is None:
        session.out.note("Not signed in here, so Loci is not looked at. Type baton login, then baton up.")
    return kept.token if kept else None


def _weaknesses() -> list[str]:
    found = finder.isolation(os.geteuid() == 0)
    return [finding.message for finding in found if finding.level is not finder.Level.OK]


def _summary(settings: Settings, home: Home, admin: Admin, sample: bool) -> Iterator[Text]:
    yield Text()
    yield header("Baton runs")
    addresses = {"API and git": settings.control_url}
    if sample:
        loci = settings.web_url(samples.LOCI)
        addresses |= {"Loci": loci, "Its sandbox": settings.web_url(samples.SANDBOX)}
    yield from pairs(addresses)
    if settings.https_port and sample:
        yield Text.assemble(
            (f"Browsers ask about the certificate until they trust {home.root / 'ca.pem'}.", "dim"),
        )
    yield from _account(admin)
    yield Text()
    yield header("Next")
    baton = _command()
    yield from pairs(
        {
            "See what runs": f"{baton} apps",
            "Your own app": f"cd YOUR-APP && {baton} create NAME && git push baton main",
            "Learn more": f"{baton} --help, docs/tutorial/first-deploy.md",
        }
    )


def _account(admin: Admin) -> Iterator[Text]:
    if admin.password:
        yield Text()
        yield header("Your account (the password is shown this once)")
        yield from pairs({"E-mail": admin.email, "Password": admin.password})


def _command() -> str:
    """How to call this program from where the caller stands."""
    own = Path(sys.executable).parent / "baton"
    on_path = any(Path(each) == own.parent for each in os.environ.get("PATH", "").split(os.pathsep))
    return "baton" if on_path else str(own)
