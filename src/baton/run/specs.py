"""What an app should be, as control says it: plain values that cross the supervisor's socket as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from baton.run.errors import SpecError


@dataclass(frozen=True)
class Mount:
    """A read-only bind: `source` outside, absolute `target` inside the sandbox."""

    source: str
    target: str


@dataclass(frozen=True)
class ProcessSpec:
    """One line of the formation. `stop_first`: never two at a time; `grace`: seconds from SIGTERM to
    SIGKILL.
    """

    type: str
    command: str
    quantity: int
    size: str
    stop_first: bool = False
    grace: int = 30


@dataclass(frozen=True)
class Health:
    """How a web dyno is asked. Without a path, any status below 500 on `/` is alive; with one, 200-399.

    `timeout` is in seconds from the start of the process.
    """

    host: str
    path: str | None = None
    timeout: int = 60


@dataclass(frozen=True)
class AppSpec:
    """The whole of an app. `slug` is None for a blank app; `uid` and `gid` count only where Baton is root."""

    key: str
    name: str
    app_id: str
    release: int
    release_id: str
    slug: str | None
    mounts: tuple[Mount, ...]
    env: dict[str, str] = field(repr=False)
    processes: tuple[ProcessSpec, ...]
    uid: int
    gid: int
    health: Health
    maintenance: bool = False
    hosts: tuple[str, ...] = ()
    commit: str = ""
    description: str = ""

    def process(self, name: str) -> ProcessSpec | None:
        """The line of the formation of that type."""
        return next((process for process in self.processes if process.type == name), None)

    @property
    def web_quantity(self) -> int:
        web = self.process("web")
        return web.quantity if web and self.slug else 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> AppSpec:
        """Raises SpecError when a field is missing, unknown or of a wrong shape."""
        try:
            values = dict(document)
            values["mounts"] = tuple(Mount(**mount) for mount in values["mounts"])
            values["processes"] = tuple(ProcessSpec(**process) for process in values["processes"])
            values["health"] = Health(**values["health"])
            values["hosts"] = tuple(values.get("hosts", ()))
            values["env"] = {str(name): str(value) for name, value in values["env"].items()}
            return cls(**values)
        except (KeyError, TypeError, AttributeError) as error:
            raise SpecError(f"An app's spec should have AppSpec's fields; {error}.") from error


@dataclass(frozen=True)
class ServiceSpec:
    """A server of Baton's own whose listening sockets the supervisor holds: nginx, control.

    `listen` has `tcp:HOST:PORT`, `unix:/path` or `unix:/path:MODE` (octal). `style` says how they are told:
    "nginx" (NGINX=3;4;) or "systemd" (LISTEN_FDS, LISTEN_PID). `env` is the whole environment.
    """

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = field(repr=False)
    listen: tuple[str, ...]
    style: str = "systemd"
    grace: int = 30

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> ServiceSpec:
        try:
            values = dict(document)
            values["argv"], values["listen"] = tuple(values["argv"]), tuple(values["listen"])
            return cls(**values)
        except (KeyError, TypeError) as error:
            raise SpecError(f"A service's spec should have ServiceSpec's fields; {error}.") from error
