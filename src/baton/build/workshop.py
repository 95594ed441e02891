"""What the buildpacks of one build share: the tree, the cage, and what each leaves for the next."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from baton.build import dependencies
from baton.build.cage import Cage, Ended, View, app_environment, operator_network
from baton.build.output import Output, indented
from baton.build.request import BuildRequest
from baton.run.sandbox import Overlay
from baton.run.specs import Mount

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True)
class Contribution:
    """What a buildpack says of the app in the end, as bin/release of Heroku's buildpack API does."""

    name: str
    provided: str
    process_types: dict[str, str] = field(default_factory=dict)
    config_vars: dict[str, str] = field(default_factory=dict)
    addons: tuple[str, ...] = ()


@dataclass
class Workshop:
    """`mounts` go with the slug; `path` and `env` are exported to later buildpacks; `sourced` are their
    `export` files.
    """

    request: BuildRequest
    root: Path
    cage: Cage
    out: Output
    mounts: list[Mount] = field(default_factory=list)
    overlays: list[Overlay] = field(default_factory=list)
    path: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    exports: list[Mount] = field(default_factory=list)
    leases: list[dependencies.Lease] = field(default_factory=list)
    static: tuple[str, str] | None = None

    def environment(self, *, config: bool = True) -> dict[str, str]:
        """What a program of the app sees: the machine's network, the platform, the config vars, the
        buildpacks before.
        """
        given = app_environment(self.request.env) if config else {}
        return {
            "LANG": "C.UTF-8",
            **operator_network(),
            **self.env,
            **given,
            "HOME": "/app",
            "PATH": ":".join([*self.path, SYSTEM_PATH]),
            "STACK": self.request.stack,
            "SOURCE_VERSION": self.request.commit,
            "REQUEST_ID": self.request.build_id,
        }

    def run(
        self,
        what: str,
        script: str,
        *,
        arguments: Sequence[str] = (),
        binds: tuple[Mount, ...] = (),
        env: dict[str, str] | None = None,
        workdir: str = "/app",
        show: Callable[[str], str | None] = indented,
    ) -> Ended:
        """Run a script of the app's in its tree, as the buildpacks so far have made it."""
        mounts = (*self.mounts, *self.exports)
        view = View(self.root, mounts=mounts, binds=binds, overlays=tuple(self.overlays), workdir=workdir)
        sources = "".join(f". {mount.target} >/dev/null 2>&1 || :\n" for mount in self.exports)
        return self.cage.run(
            what,
            sources + script,
            view,
            self.environment() if env is None else env,
            arguments=arguments,
            show=show,
        )

    def scratch(self, name: str) -> Path:
        """A new directory of the cage's user for this build alone."""
        path = self.request.directory / name
        path.mkdir(parents=True, exist_ok=True)
        self.own(path)
        return path

    def cache(self, name: str) -> Path:
        """A directory of the app's that stays from build to build."""
        path = self.request.home.cache(self.request.key) / name
        path.mkdir(parents=True, exist_ok=True)
        self.own(path)
        return path

    def own(self, path: Path) -> None:
        if self.request.uid is not None and self.request.gid is not None:
            os.chown(path, self.request.uid, self.request.gid)

    def obtain(self, name: str, make: Callable[[], Path], owner: tuple[int, int] | None = None) -> Path:
        """The shared tree of that name (see `dependencies.obtain`), held until the slug claims it."""
        request = self.request
        found = dependencies.obtain(
            request.home, name, make, self.cage.cancelled, request.limits, owner=owner
        )
        self.leases.append(found.lease)
        return found.path

    def step(self, name: str) -> str:
        """A line of script that notes what is being done, for the message when it fails."""
        return f"printf %s {name} > /run/report/step\n"

    def release(self) -> None:
        while self.leases:
            self.leases.pop().release()
