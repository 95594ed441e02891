"""Where the app's and its packages' code runs during a build: a sandbox with its own user, limits, and low
priority.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from baton.base.paths import Home
from baton.build import tree
from baton.build.errors import Cancelled, DiskFull, NoCage, OutOfMemory, TimedOut
from baton.build.output import Lines, Output, indented
from baton.build.request import BuildRequest
from baton.run import sandbox
from baton.run.cgroups import Cgroup
from baton.run.sandbox import Overlay, Sandbox
from baton.run.specs import Mount

INSIDE = "/opt/baton/inside"
UV = "/opt/baton/bin/uv"
REPORT = "/run/report"
POLL = 0.1  # seconds between two looks at the clock, the disk and `cancelled`
TAIL = 60  # lines kept for messages
MOST_LINES = 20_000

# The operator's own ways to the network and to package indexes, and where their certificates lie.
CERTIFICATES = (
    "SSL_CERT_FILE SSL_CERT_DIR PIP_CERT REQUESTS_CA_BUNDLE CURL_CA_BUNDLE GIT_SSL_CAINFO "
    "NODE_EXTRA_CA_CERTS NIX_SSL_CERT_FILE"
).split()
NETWORK = (
    *CERTIFICATES,
    *"HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY http_proxy https_proxy no_proxy all_proxy".split(),
    *"npm_config_registry npm_config_cafile NPM_CONFIG_REGISTRY NPM_CONFIG_CAFILE".split(),
    *"UV_NATIVE_TLS UV_SYSTEM_CERTS UV_HTTP_TIMEOUT".split(),
)
INDEXES = (
    *"UV_INDEX_URL UV_DEFAULT_INDEX UV_EXTRA_INDEX_URL UV_INDEX UV_FIND_LINKS".split(),
    *"UV_NO_INDEX UV_INDEX_STRATEGY UV_OFFLINE".split(),
)
_PIP_TO_UV = {
    "PIP_INDEX_URL": "UV_INDEX_URL",
    "PIP_EXTRA_INDEX_URL": "UV_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
}

# What no config var may set in a build, as it would break the build's own programs.
RESERVED = frozenset(
    "PATH HOME PYTHONHOME LD_PRELOAD LD_LIBRARY_PATH BASH_ENV ENV GIT_DIR CPATH LIBRARY_PATH SHELLOPTS PS4 "
    "BATON_BUILD BATON_BUILD_CACHE".split()
)

_ENTER = (
    'n=$1; shift; while [ "$n" -gt 0 ]; do echo 0 > "$1" || :; shift; n=$((n-1)); done 2>/dev/null; '
    'exec 9<&0 </dev/null; exec "$@"'
)


@dataclass(frozen=True)
class Ended:
    """`tail`: the last lines that were shown, redacted; `step`: what the script last said that it was doing;
    `starved`: of memory.
    """

    status: int
    tail: tuple[str, ...]
    step: str
    starved: bool = False


@dataclass(frozen=True)
class View:
    """What one caged script sees besides the tree at /app."""

    root: Path
    mounts: tuple[Mount, ...] = ()
    binds: tuple[Mount, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    workdir: str = "/app"


@dataclass
class Cage:
    """Runs scripts for one build, one at a time."""

    request: BuildRequest
    out: Output
    cancelled: Callable[[], bool]
    started: float = field(default_factory=time.monotonic)
    lines: int = 0

    @property
    def report(self) -> Path:
        """The directory in which a script leaves what it found out; untrusted like the tree."""
        return self.request.directory / "report"

    def run(
        self,
        what: str,
        script: str,
        view: View,
        env: Mapping[str, str],
        *,
        show: Callable[[str], str | None] = indented,
        arguments: Sequence[str] = (),
    ) -> Ended:
        """Run a bash script in the cage; `show` turns a line into what is shown of it, None hides it.

        Raises Cancelled, TimedOut, OutOfMemory, DiskFull, NoCage; any other end is the caller's to judge.
        """
        self.require()
        tree.remove(self.report)
        self.report.mkdir()
        tree.give(self.report, self.request.uid, self.request.gid, self.request.limits)
        box = self._sandbox(view)
        box.prepare()
        group = Cgroup.create(
            cgroup(self.request.build_id),
            memory=self.request.limits.memory,
            processes=self.request.limits.processes,
            cpu_weight=20,
        )
        try:
            inner = ["/bin/bash", "--noprofile", "--norc", "-c", script, "bash", *arguments]
            ended = self._follow(what, self._start(box, group, inner, env), show, group)
        finally:
            clear(group)
        if ended.status == 0:
            return ended
        if ended.starved:
            raise OutOfMemory(what, self.request.limits.memory)
        check_disk(self.request.home, self.request.limits.reserve)
        return ended

    def require(self) -> None:
        """Raises NoCage where this machine can't build, Cancelled when nobody wants to any more."""
        ability = sandbox.ability()
        if not ability.bwrap:
            raise NoCage(ability.missing)
        if self.cancelled():
            raise Cancelled

    def _sandbox(self, view: View) -> Sandbox:
        return Sandbox(
            root=view.root,
            mounts=(*tools(), *view.mounts),
            binds=(Mount(str(self.report), REPORT), *view.binds),
            overlays=view.overlays,
            uid=self.request.uid,
            gid=self.request.gid,
            die_with_parent=True,
            workdir=view.workdir,
        )

    def _start(
        self, box: Sandbox, group: Cgroup, inner: Sequence[str], env: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        argv = enter_argv(group.entrances, box.argv(sandbox.with_environment(inner)))
        memory = sandbox.environment_memfd(env)
        try:
            return subprocess.Popen(
                argv,
                stdin=memory,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(sandbox.SAFE_ENVIRONMENT),
                start_new_session=True,
            )
        finally:
            os.close(memory)

    def _follow(
        self, what: str, process: subprocess.Popen[bytes], show: Callable[[str], str | None], group: Cgroup
    ) -> Ended:
        tail: deque[str] = deque(maxlen=TAIL)
        try:
            for line in self._output(what, process):
                self._show(line, show, tail)
            status = process.wait()
        except BaseException:
            process.kill()
            group.kill()
            process.wait()
            raise
        return Ended(status, tuple(tail), self._step(), starved=group.oom_killed() > 0)

    def _show(self, line: str, show: Callable[[str], str | None], tail: deque[str]) -> None:
        line = self.out.redact(line)
        shown = show(line)
        if shown is not None:
            tail.append(line)
        self.lines += 1
        if shown is None or self.lines > MOST_LINES:
            return
        self.out.line(
            shown
            if self.lines < MOST_LINES
            else f" !     More than {MOST_LINES:,} lines of output; the rest is not shown."
        )

    def _output(self, what: str, process: subprocess.Popen[bytes]) -> Iterable[str]:
        """The lines of a process as they come, with an eye on what may stop it."""
        stream, lines = process.stdout, Lines()
        assert stream is not None
        with selectors.DefaultSelector() as selector, stream:
            selector.register(stream, selectors.EVENT_READ)
            checked = 0.0
            while True:
                ready = selector.select(POLL)
                if time.monotonic() - checked >= POLL:
                    self._check(what)
                    checked = time.monotonic()
                if not ready:
                    continue
                data = os.read(stream.fileno(), 65536)
                yield from lines.feed(data)
                if not data:
                    break
        yield from lines.end()

    def _check(self, what: str) -> None:
        if self.cancelled():
            raise Cancelled
        if time.monotonic() - self.started > self.request.limits.seconds:
            raise TimedOut(what, self.request.limits.seconds)
        check_disk(self.request.home, self.request.limits.reserve)

    def _step(self) -> str:
        with suppress(Exception):
            return (tree.read_text(self.report, "step", 1000) or "").strip()
        return ""


def cgroup(build_id: str) -> str:
    """The name of a build's control group."""
    return f"baton/build/{build_id}"


def clear(group: Cgroup) -> None:
    """End everything in the group and remove it; the kernel may need a moment for the last process."""
    group.kill()
    deadline = time.monotonic() + 2
    group.remove()
    while any(path.exists() for path in group.directories()) and time.monotonic() < deadline:
        time.sleep(0.005)
        group.remove()


def check_disk(home: Home, reserve: int) -> None:
    """Raises DiskFull when less than `reserve` bytes are free."""
    place = home.root if home.root.exists() else home.root.parent
    usage = os.statvfs(place)
    free = usage.f_bavail * usage.f_frsize
    if free < reserve:
        raise DiskFull(home.root, free, reserve)


def enter_argv(entrances: Sequence[str], command: Sequence[str]) -> list[str]:
    """`command` inside of the control group before its first instruction, with low priority, its environment
    moved to fd 9.
    """
    polite = [name for name in ("nice", "ionice") if shutil.which(name)]
    options = {"nice": ["-n", "10"], "ionice": ["-c", "3", "-t"]}
    prefix = [word for name in polite for word in (name, *options[name])]
    return ["/bin/sh", "-c", _ENTER, "enter", str(len(entrances)), *entrances, *prefix, *command]


def tools() -> tuple[Mount, ...]:
    """What a build brings along: uv, the helper scripts, and the operator's certificates where they lie
    outside of /etc/ssl.
    """
    inside = Path(__file__).parent / "inside"
    return (Mount(str(find_uv()), UV), Mount(str(inside), INSIDE), *_network_files())


def _network_files() -> tuple[Mount, ...]:
    paths = {os.environ.get(name, "") for name in (*CERTIFICATES, "NPM_CONFIG_CAFILE", "npm_config_cafile")}
    links = {link for name in INDEXES for link in re.split(r"[\s,]+", operator_indexes().get(name, ""))}
    local = {link.removeprefix("file://") for link in links if link.startswith(("file://", "/"))}
    wanted = sorted(path for path in paths | local if path.startswith("/") and Path(path).exists())
    seen = ("/usr", "/etc/ssl", "/etc/pki", "/etc/ca-certificates")
    return tuple(
        Mount(path, path) for path in wanted if not any(Path(path).is_relative_to(base) for base in seen)
    )


def find_uv() -> Path:
    from uv import find_uv_bin

    return Path(os.path.realpath(find_uv_bin()))


def operator_network() -> dict[str, str]:
    """Certificates and proxies that this machine's operator has set for Baton."""
    return {name: os.environ[name] for name in NETWORK if os.environ.get(name)}


def operator_indexes() -> dict[str, str]:
    """The operator's package indexes as uv names them: from UV_*, else PIP_*, else pip's configuration."""
    set_for_pip = {pip: os.environ[pip] for pip in _PIP_TO_UV if os.environ.get(pip)}
    own = {name: os.environ[name] for name in INDEXES if os.environ.get(name)}
    return {**as_uv_names({**pip_configuration(), **set_for_pip}), **own}


def as_uv_names(settings: Mapping[str, str]) -> dict[str, str]:
    """pip's settings of where packages are, as uv's: it wants commas between the places of --find-links."""
    found = {uv: settings[pip] for pip, uv in _PIP_TO_UV.items() if settings.get(pip)}
    if "UV_FIND_LINKS" in found:
        found["UV_FIND_LINKS"] = ",".join(found["UV_FIND_LINKS"].split())
    return found


def pip_configuration(path: Path = Path("/etc/pip.conf")) -> dict[str, str]:
    """index-url, extra-index-url and find-links of a pip.conf, by their environment variables' names."""
    import configparser

    parser = configparser.RawConfigParser()
    with suppress(OSError, configparser.Error, UnicodeDecodeError):
        parser.read(path)
    found = {}
    for option, name in (
        ("index-url", "PIP_INDEX_URL"),
        ("extra-index-url", "PIP_EXTRA_INDEX_URL"),
        ("find-links", "PIP_FIND_LINKS"),
    ):
        for section in ("global", "install"):
            value = " ".join(parser.get(section, option, fallback="").split())
            if value:
                found[name] = value
    return found


def app_environment(env: Mapping[str, str]) -> dict[str, str]:
    """The config vars that a build's own programs may see."""
    return {name: value for name, value in env.items() if name not in RESERVED and name.isidentifier()}
