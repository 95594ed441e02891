"""What the front door is told: a pure door from the records, rendered and taken up only when it differs."""

from __future__ import annotations

import os
import pwd
import threading
from collections.abc import Iterable, Mapping
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
    domains = app.domains.order_by("created_at", "hostname")
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
    apps = App.objects.filter(destroyed_at=None).order_by("number")
    return [
        RoutedApp(app.key, app.name, hosts_of(app), static.get(app.key, current.get(app.id)))
        for app in apps.prefetch_related("domains")
    ]


def workers_user() -> str | None:
    """Whom nginx's workers run as: nobody in particular when Baton is root, else the one user there is."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "www-data" if "www-data" in known else "nobody"


def refresh(static: Mapping[str, str | None] | None = None) -> bool:
    """Has the front door take up what the records say now; False when nothing changed. Raises RouteError."""
    with _lock:
        return _front().apply(_door(static or {}))


def register() -> None:
    """Writes the document and gives the front door to the supervisor as a service.

    It runs or goes on running.
    """
    with _lock:
        front, wanted = _front(), _door({})
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


def _door(static: Mapping[str, str | None]) -> Door:
    home, settings = machine.home(), machine.options()
    apps = routed_apps(static)
    certificates = _certificates(home, settings, apps) if settings.https_port else []
    return door(home, settings, apps, certificates, workers_user())


def _certificates(home: Home, settings: Settings, apps: Iterable[RoutedApp]) -> list[Certificate]:
    return [
        certificate_for(home, control_hosts(settings)),
        *(certificate_for(home, app.hosts) for app in apps if app.hosts),
    ]
