"""What the front door is asked to be: addresses, apps, certificates, control. Plain values, checked later."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from baton.base.paths import Home

# Codes that the front door answers on Unix sockets of its own, so that an app's symlink can point to them.
PAGE_SOCKETS = ("H10", "H14", "H80", "H81")


@dataclass(frozen=True)
class Certificate:
    """PEM files for the names they cover; `*.example.com` covers one label. Both may be one file."""

    names: tuple[str, ...]
    chain: Path
    key: Path

    def covers(self, host: str) -> bool:
        parent = host.partition(".")[2]
        return host in self.names or (bool(parent) and f"*.{parent}" in self.names)


@dataclass(frozen=True)
class RoutedApp:
    """An app at the door. Hosts are lower-case names or `*.example.com`; static_url looks like `/static/`."""

    key: str
    name: str
    hosts: tuple[str, ...]
    static_url: str | None = None


@dataclass(frozen=True)
class Door:
    """Everything the document depends on. Times in seconds, sizes in bytes.

    `first_byte` is how long an app has to begin its answer, and for ordinary answers also the longest pause
    in it; `idle` is the longest pause on a WebSocket or for a client that asks for an event stream.
    `user` is whom nginx's workers run as (`nobody`, or `nobody nogroup`); None leaves them the caller's user
    (what an ordinary user has to do). `open_files` must not exceed the hard limit of the process.
    """

    home: Home
    http: tuple[str, int] | None
    https: tuple[str, int] | None
    apps: tuple[RoutedApp, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    control_hosts: tuple[str, ...] = ()
    control_address: str = "127.0.0.1:5100"
    user: str | None = None
    nginx_version: tuple[int, int, int] = (1, 22, 1)
    workers: int | None = None
    open_files: int = 16384
    first_byte: float = 30
    idle: float = 55
    connect: float = 5
    largest_body: int = 1 << 30
    largest_push: int = 4 << 30


def sockets(door: Door) -> tuple[str, ...]:
    """What nginx must find listening, as `tcp:ADDRESS:PORT` and `unix:PATH`, in the document's own words."""
    tcp = [f"tcp:{endpoint(address)}" for address in (door.http, door.https) if address]
    return (*tcp, *(f"unix:{page_listener(door.home, code)}" for code in PAGE_SOCKETS))


def page_listener(home: Home, code: str) -> Path:
    """Where nginx listens for a page; `home.page_socket(code)` is a second name (a hard link) of the same
    socket.

    An nginx that has outlived its parent unlinks the sockets it inherited when it ends. The second name
    stays.
    """
    return home.page_socket(code).with_suffix(".nginx")


def endpoint(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
