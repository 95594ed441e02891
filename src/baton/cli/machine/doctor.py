"""`baton doctor`: what this machine lacks, what that costs, and the command that mends it.

A finding has a stable id, documented in docs/reference/findings.md.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import httpx

from baton.base.errors import BatonError
from baton.base.paths import Home
from baton.base.settings import Settings
from baton.run import cgroups, firewall, sandbox
from baton.run.client import Supervisor

PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


class Level(StrEnum):
    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Finding:
    id: str
    level: Level
    message: str
    hint: str = ""


@dataclass(frozen=True)
class Tool:
    """A program that Baton calls, and the Debian package that brings it."""

    id: str
    program: str
    package: str
    purpose: str
    level: Level = Level.ERROR


TOOLS = (
    Tool("machine.git", "git", "git", "receives pushes"),
    Tool("machine.setpriv", "setpriv", "util-linux", "gives each app a Unix user of its own"),
    Tool("machine.nft", "nft", "nftables", "keeps apps from each other's ports", Level.WARNING),
)


def examine(home: Home) -> Iterator[Finding]:
    """Every finding about this machine and this home, good ones included."""
    yield python()
    yield from (tool(each, shutil.which(each.program, path=PATH)) for each in TOOLS)
    yield front_door()
    yield from isolation(os.geteuid() == 0)
    yield disk(home, Settings.load(home))
    yield from running(home)


def python() -> Finding:
    found = ".".join(map(str, sys.version_info[:3]))
    return Finding("machine.python", Level.OK, f"Python {found} runs Baton.")


def tool(wanted: Tool, found: str | None) -> Finding:
    if found:
        return Finding(wanted.id, Level.OK, f"{wanted.program} is {found}.")
    return Finding(
        wanted.id,
        wanted.level,
        f"{wanted.program} was looked for and not found; it {wanted.purpose}.",
        f"apt-get install {wanted.package}",
    )


def front_door() -> Finding:
    from baton.route.front import find_nginx

    try:
        nginx = find_nginx()
    except BatonError as error:
        return Finding("machine.nginx", Level.ERROR, error.message, error.hint)
    version = ".".join(map(str, nginx.version))
    return Finding("machine.nginx", Level.OK, f"nginx {version} is {nginx.binary}.")


def isolation(is_root: bool) -> Iterator[Finding]:
    if not is_root:
        yield Finding(
            "machine.user",
            Level.WARNING,
            "Baton runs as an ordinary user: apps share that user, have no memory limits, and ports below "
            "1024 are out of reach.",
            "For production run bin/up as root: each app then has its own Unix user and its own limits.",
        )
    lacking = [each for each in sandbox.ability().missing if is_root or "one Unix user" not in each]
    yield from (
        Finding("machine.sandbox", Level.WARNING, each, "docs/reference/findings.md says what allows it")
        for each in lacking
    )
    open_ports = firewall.ability() if is_root else None
    if open_ports:
        yield Finding(
            "machine.firewall", Level.WARNING, open_ports, "apt-get install nftables, then baton up"
        )
    version = cgroups.hierarchy().version
    if is_root and version == 0:
        yield Finding(
            "machine.cgroups",
            Level.WARNING,
            "No cgroup hierarchy with memory and pids controllers is writable: apps have no memory limit.",
            "Mount cgroup2 at /sys/fs/cgroup, or start the machine with systemd's default.",
        )
    elif version:
        yield Finding("machine.cgroups", Level.OK, f"Limits on memory and processes use cgroups v{version}.")


def disk(home: Home, settings: Settings) -> Finding:
    place = next(path for path in (home.root, *home.root.parents) if path.exists())
    free = shutil.disk_usage(place).free // 2**20
    if free < settings.disk_reserve_mb:
        return Finding(
            "machine.disk",
            Level.ERROR,
            f"{place} has {free} MB free; builds are refused below {settings.disk_reserve_mb} MB.",
            "Free space, or lower disk_reserve_mb in settings.toml.",
        )
    return Finding("machine.disk", Level.OK, f"{free} MB are free below {place}.")


def running(home: Home) -> Iterator[Finding]:
    try:
        status = Supervisor(home).status()
    except (BatonError, OSError):
        yield Finding("machine.supervisor", Level.ERROR, "Baton is not running.", "baton up")
        return
    yield Finding(
        "machine.supervisor", Level.OK, f"The supervisor answers and has {len(status['apps'])} apps."
    )
    settings = Settings.load(home)
    yield _reaches("machine.control", "control", f"{settings.control_url}/schema")
    if settings.http_port:
        yield _reaches("machine.front_door", "the front door", f"http://127.0.0.1:{settings.http_port}/")


def _reaches(id_: str, what: str, url: str) -> Finding:
    try:
        answer = httpx.get(url, timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        return Finding(
            id_,
            Level.ERROR,
            f"{what} should answer at {url}, and does not ({type(error).__name__}).",
            "baton up",
        )
    return Finding(id_, Level.OK, f"{what} answers at {url} ({answer.status_code}).")


def worst(findings: list[Finding]) -> Level:
    order: Callable[[Finding], int] = lambda finding: list(Level).index(finding.level)  # noqa: E731
    return max(findings, key=order).level if findings else Level.OK
