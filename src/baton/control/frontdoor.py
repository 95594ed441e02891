"""What the front door is told: a pure door from the records, rendered and taken up only when it differs."""

from __future__ import annotations

import os
import pwd
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from baton.base.paths import Home
from baton.base.settings import Settings
from baton.control import machine
from baton.control.models import App, Release
from baton.route.certificates import authority, certificate_for
from baton.route.door import Certificate, Door, RoutedApp, sockets
from baton.route.front import FrontDoor, Nginx, find_nginx, served_digest
from baton.run.specs import ServiceSpec

SERVICE = "nginx"
_lock = threading.Lock()


def hosts_of(app: App, name: str | None = None) -> tuple[str, ...]:
    """Every name routed to an app, custom domains first, then Baton's own.

    `name`: as if it were called so.
    """
    domains = sorted(app.domains.all(), key=lambda domain: (domain.created_at, domain.hostname))
    custom = [domain.hostname for domain in domains if domain.kind != "heroku"]
    ours = [domain.hostname for domain in domains if domain.kind == "heroku"]
    return (*custom, *([own_host(name)] if name else ours))


def own_host(name: str) -> str:
    return f"{name}.{machine.options().domain}"


def door(
    home: Home,
    settings: Settings,
    apps: Iterable[RoutedApp],
    certificates: Iterable[Certificate],
    user: str | None,
) -> Door:
    """Pure. A port of 0 means that the door does not listen there."""
    return Door(
        home=home,
        http=(settings.bind, settings.http_port) if settings.http_port else None,
        https=(settings.bind, settings.https_port) if settings.https_port else None,
        apps=tuple(apps),
        certificates=tuple(certificates),
        control_hosts=control_hosts(settings),
        control_address=f"127.0.0.1:{settings.control_port}",
        user=user,
    )


def control_hosts(settings: Settings) -> tuple[str, ...]:
    return (f"baton.{settings.domain}",)


def routed_apps(static: Mapping[str, str | None]) -> list[RoutedApp]:
    """From the records.

    `static`: the URL of static files by app key, where it is about to differ from the record's.
    """
    current = {
        release.app_id: release.slug.static["url"]
        for release in Release.objects.filter(current=True).select_related("slug")
        if release.slug and release.slug.path and release.slug.static
    }
    apps = App.objects.filter(destroyed_at=None).order_by("number").prefetch_related("domains")
    return [
        RoutedApp(app.key, app.name, hosts_of(app), static.get(app.key, current.get(app.id))) for app in apps
    ]


def workers_user() -> str | None:
    """Whom nginx's workers run as: nobody in particular when Baton is root, else the one user there is."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "www-data" if "www-data" in known else "nobody"


@dataclass
class TakenUp:
    """What nginx was last given: a release that changes nothing of it then costs it nothing."""

    apps: tuple[RoutedApp, ...] | None = None
    certificates: dict[Path, int] = field(default_factory=dict)  # with the time of their files' last change


_taken_up = TakenUp()


def refresh(static: Mapping[str, str | None] | None = None) -> bool:
    """Has the front door take up what the records say now; False when nothing changed. Raises RouteError."""
    with _lock:
        apps = tuple(routed_apps(static or {}))
        return apps != _taken_up.apps and _take_up(apps)


def renew() -> bool:
    """As `refresh`, with a look at how long the certificates last; to be called every few hours."""
    with _lock:
        return _take_up(tuple(routed_apps({})))


def _take_up(apps: tuple[RoutedApp, ...]) -> bool:
    """Reloads also for a certificate that was renewed in its place, which the document does not show."""
    front, wanted = _front(), _door(apps)
    known = _taken_up.certificates
    renewed = any(known.get(path, age) != age for path, age in _ages(wanted).items())
    changed = front.apply(wanted)
    if renewed and not changed:
        front.reload()
    _remember(wanted)
    return changed or renewed


def _ages(wanted: Door) -> dict[Path, int]:
    return {certificate.chain: certificate.chain.stat().st_mtime_ns for certificate in wanted.certificates}


def _remember(wanted: Door) -> None:
    _taken_up.apps, _taken_up.certificates = wanted.apps, _ages(wanted)


def register() -> None:
    """Writes the document and gives the front door to the supervisor as a service.

    It runs or goes on running.
    """
    with _lock:
        front, wanted = _front(), _door(tuple(routed_apps({})))
        publish_authority(machine.home())
        running = served_digest(machine.home()) is not None
        changed = front.write(wanted)
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        machine.supervisor().service(
            ServiceSpec(SERVICE, tuple(front.argv), environment, sockets(wanted), style="nginx")
        )
        if changed and running:  # one that has just begun would die of the signal
            front.reload()
        front.settle()
        _remember(wanted)


def publish_authority(home: Home) -> Path:
    """The public certificate of Baton's authority, where dynos and people find it."""
    path = home.root / "ca.pem"
    wanted = authority(home).certificate.read_bytes()
    if not path.exists() or path.read_bytes() != wanted:
        scratch = path.with_name("ca.pem.new")
        scratch.write_bytes(wanted)
        scratch.chmod(0o644)
        scratch.replace(path)
    return path


@cache
def _nginx() -> Nginx:
    return find_nginx()


def _front() -> FrontDoor:
    supervisor = machine.supervisor()
    return FrontDoor(machine.home(), _nginx(), lambda: supervisor.signal(SERVICE, "HUP"))


def _door(apps: tuple[RoutedApp, ...]) -> Door:
    home, settings = machine.home(), machine.options()
    certificates = _certificates(home, settings, apps) if settings.https_port else []
    return door(home, settings, apps, certificates, workers_user())


def _certificates(home: Home, settings: Settings, apps: Iterable[RoutedApp]) -> list[Certificate]:
    return [
        certificate_for(home, control_hosts(settings)),
        *(certificate_for(home, app.hosts) for app in apps if app.hosts),
    ]
