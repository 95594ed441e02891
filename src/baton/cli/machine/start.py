"""Bringing a home up: ports, keeper, database, control.

Each step looks first whether it is done already, so that a second `up` disturbs nothing that runs.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from baton.base.paths import Home
from baton.base.settings import Settings, settings_file
from baton.cli.errors import CliError
from baton.run.client import Supervisor
from baton.run.specs import ServiceSpec

START_SECONDS = 60
POLL_SECONDS = 0.05


class MachineError(CliError):
    """The machine could not be brought to what was asked; the message carries the end of the log."""

    code = "cli.machine"


@dataclass(frozen=True)
class Ports:
    """What `up` decided about ports, and what it has to say of it."""

    http: int
    https: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Admin:
    """The first user; password and token are known only when just created."""

    email: str
    password: str | None
    token: str | None


def choose_ports(is_root: bool, is_free: Callable[[int], bool]) -> Ports:
    """80 and 443 where root and free, the next free high ports otherwise. Pure but for `is_free`."""
    if is_root and is_free(80) and is_free(443):
        return Ports(80, 443)
    http = next(port for port in range(8080, 8180) if is_free(port))
    https = next(port for port in range(8443, 8543) if is_free(port))
    if not is_root:
        return Ports(http, https, ("Ports 80 and 443 need root.",))
    taken = " and ".join(str(port) for port in (80, 443) if not is_free(port))
    return Ports(http, https, (f"Something else answers on port {taken}.",))


def port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0", port))  # noqa: S104  the question is about every address
        except OSError:
            return False
    return True


def settle(home: Home) -> tuple[Settings, tuple[str, ...]]:
    """The home's settings, decided and saved at the first `up`; with notes on what was decided."""
    settings = Settings.load(home)
    if settings_file(home).exists():
        return settings, ()
    is_root = os.geteuid() == 0
    ports = choose_ports(is_root, port_is_free)
    chosen: dict[str, object] = {}
    for name, value in {"http_port": ports.http, "https_port": ports.https}.items():
        if f"BATON_{name.upper()}" not in os.environ:
            chosen[name] = value
    for name in ("control_port", "rendezvous_port"):
        if f"BATON_{name.upper()}" not in os.environ:
            chosen[name] = next(port for port in range(getattr(settings, name), 65535) if port_is_free(port))
    if chosen.get("rendezvous_port") == chosen.get("control_port", settings.control_port):
        chosen["rendezvous_port"] = int(str(chosen["rendezvous_port"])) + 1
    if is_root and "BATON_BIND" not in os.environ:
        chosen["bind"] = "0.0.0.0"  # noqa: S104  a server serves the world
    settings = replace(settings, **chosen)  # type: ignore[arg-type]
    settings.save(home)
    return settings, ports.notes


def is_running(home: Home) -> bool:
    """Whether a supervisor of this home answers right now."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(home.supervisor_socket)) == 0


def environment(home: Home, settings: Settings | None = None) -> dict[str, str]:
    """What Baton's own processes start with: the caller's environment without its one-off settings.

    The supervisor reads no settings file; what it has to know is here.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "HEROKU_"))}
    kept |= {name: os.environ[name] for name in ("BATON_DRAIN", "BATON_PYTHONS") if name in os.environ}
    told = {"BATON_SLEEP_AFTER": str(settings.sleep_after)} if settings else {}
    return {**kept, **told, "BATON_HOME": str(home.root), "PYTHONUNBUFFERED": "1"}


def prepare(home: Home, email: str | None) -> Admin:
    """Brings the database up to date and makes the first user, in a process of its own."""
    argv = [sys.executable, "-m", "baton.control", "prepare", *(["--email", email] if email else [])]
    done = subprocess.run(argv, env=environment(home), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise MachineError(
            f"The control database could not be prepared.\n{done.stderr.strip()[-2000:]}",
            f"Mend what it says, then type baton up again. The database is {home.database}.",
        )
    return Admin(**json.loads(done.stdout.splitlines()[-1]))


def start_control(home: Home, settings: Settings) -> None:
    """Hands control to the supervisor as a service and waits until it answers."""
    spec = ServiceSpec(
        name="control",
        argv=(sys.executable, "-m", "baton.control", "serve", "--fd", "3"),
        env=environment(home),
        listen=(f"tcp:127.0.0.1:{settings.control_port}",),
        style="systemd",
    )
    Supervisor(home).service(spec)
    log_path = home.logs / "baton.log"
    wait_until(lambda: answers(f"{settings.control_url}/schema"), "control", log_path)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code < 500
    except httpx.HTTPError:
        return False


def wait_until(
    condition: Callable[[], bool], what: str, log_path: Path, seconds: float = START_SECONDS
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise MachineError(
                f"{what} should answer within {seconds:.0f} seconds, and does not.\n{tail(log_path)}",
                f"Read {log_path}; baton doctor looks for usual causes.",
            )
        time.sleep(POLL_SECONDS)


def tail(path: Path, lines: int = 15) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return f"({path} is not there)"
