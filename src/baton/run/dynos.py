"""One dyno from start to end: a sandboxed process tree, its log stream, its exit status.

A dyno is gone when its PID namespace is empty, not when the first process has ended. bwrap writes that one's
status
into a memfd, from where any supervisor can read it at any time.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from baton.run.cgroups import Cgroup
from baton.run.errors import SandboxError
from baton.run.logs import Stream, now
from baton.run.machine import Machine, Process, pids_in_namespace, signal_all
from baton.run.sandbox import (
    ENVIRONMENT_FD,
    SAFE_ENVIRONMENT,
    Sandbox,
    ability,
    environment_memfd,
    with_environment,
)
from baton.run.sizes import MEGABYTE, size
from baton.run.spawn import spawn
from baton.run.specs import AppSpec, Mount, ProcessSpec

STATUS_FD = 8
SHARED_FD, PRIVATE_FD = 3, 4
INSIDE = "/run/baton"
UDS = "dyno.sock"
SETTLE = 0.002  # seconds between looks for what bwrap is about to write

# The one place where a user's own command meets a shell, as on Heroku.
START = (
    'for file in .profile.d/*.sh; do if [ -r "$file" ]; then . "$file"; fi; done; '
    'if [ -r .profile ]; then . ./.profile; fi; unset file; exec bash -c "$1"'
)


@dataclass(frozen=True)
class DynoRecord:
    """What a successor has to know of a running dyno. `began` is ISO 8601, `port` 0 where there is none."""

    id: str
    name: str
    type: str
    command: str
    size: str
    grace: int
    release: int
    began: str
    port: int = 0
    uid: int = 0
    road: str = ""

    @property
    def short(self) -> str:
        return self.id[:8]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def new_record(spec: AppSpec, name: str, process: ProcessSpec, port: int = 0) -> DynoRecord:
    """A dyno that is about to be started. Raises SpecError for an unknown size."""
    return DynoRecord(
        id=str(uuid.uuid4()),
        name=name,
        type=process.type,
        command=process.command,
        size=size(process.size).name,
        grace=process.grace,
        release=spec.release,
        began=now(),
        port=port,
        uid=spec.uid,
    )


def environment(spec: AppSpec, record: DynoRecord, extra: Mapping[str, str]) -> dict[str, str]:
    """The environment that the first process sees: Heroku's, the config vars, and how a web dyno is
    reached.
    """
    env = {
        "PATH": SAFE_ENVIRONMENT["PATH"],
        "LANG": "C.UTF-8",
        "HEROKU_APP_ID": spec.app_id,
        "HEROKU_APP_NAME": spec.name,
        "HEROKU_DYNO_ID": record.id,
        "HEROKU_RELEASE_VERSION": f"v{spec.release}",
        "DYNO_RAM": str(size(record.size).memory // MEGABYTE),
        "HEROKU_SLUG_COMMIT": spec.commit,
        "HEROKU_SLUG_DESCRIPTION": spec.description,
        **spec.env,
        "HOME": "/app",
        "DYNO": record.name,
    }
    if record.port:
        uds = f"{INSIDE}/{UDS}"
        env |= {"PORT": str(record.port), "LISTEN_FDS": "2", "UVICORN_UDS": uds, "GRANIAN_UDS": uds}
    return env | dict(extra)


class Dyno:
    """`gone` has the exit status (128 + number after a signal), or None where it can't be known any more."""

    def __init__(self, machine: Machine, key: str, record: DynoRecord) -> None:
        self.machine, self.key, self.record = machine, key, record
        self.directory = machine.dynos / record.short
        self.cgroup = Cgroup(f"baton/{key}/{record.short}")
        self.gone: asyncio.Future[int | None] = asyncio.get_running_loop().create_future()
        self.stream: Stream | None = None
        self.process: Process | None = None
        self.outer: int | None = None
        self.terminated = False
        self.over_quota = False
        if record.port:
            machine.ports.add(record.port)

    def held(self, what: str) -> str:
        return f"dyno:{self.record.id}:{what}"

    @property
    def addresses(self) -> dict[str, str | tuple[str, int]]:
        """Where a probe may find it, by road."""
        return {
            "inherit": str(self.directory / "probe.sock"),
            "uds": str(self.directory / "run" / UDS),
            "tcp": ("127.0.0.1", self.record.port),
        }

    def set_road(self, road: str) -> None:
        self.record = replace(self.record, road=road)

    # Starting

    def hold(self, *, logged: bool = True) -> int | None:
        """Put everything that has to outlive the supervisor into the store, before there is a process.

        Returns the pipe's end for the dyno's output, which `start` closes.
        """
        store = self.machine.store
        self.directory.mkdir(mode=0o711, parents=True)
        store.put(self.held("status"), os.memfd_create("status", os.MFD_CLOEXEC))
        if self.record.port:
            store.put(self.held("probe"), self.machine.listen(self.directory / "probe.sock", 0o600))
        return Stream.make(store, self.held("log")) if logged else None

    async def start(
        self,
        spec: AppSpec,
        *,
        output: int | None = None,
        shared: int | None = None,
        stdio: Sequence[int] = (),
        tty: bool = False,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        """Start the processes. `output` and `stdio` (stdin, stdout, stderr) are closed. Raises
        SandboxError.
        """
        try:
            self._spawn(spec, output=output, shared=shared, stdio=stdio, tty=tty, extra=extra or {})
        finally:
            for fd in {*stdio, *([] if output is None else [output])}:
                os.close(fd)
        self._follow_log()
        await self._find()

    def _spawn(
        self,
        spec: AppSpec,
        *,
        output: int | None,
        shared: int | None,
        stdio: Sequence[int],
        tty: bool,
        extra: Mapping[str, str],
    ) -> None:
        store = self.machine.store
        sandbox = self._sandbox(spec)
        sandbox.prepare()
        limit = size(self.record.size)
        self.cgroup.create(
            self.cgroup.name, memory=limit.limit, processes=limit.processes, cpu_weight=limit.cpu_weight
        )
        if self.record.port and self.machine.firewall:
            self.machine.firewall.allow(self.record.port, self.record.uid)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        env = environment_memfd(environment(spec, self.record, extra))
        standard = stdio or (null, null if output is None else output, null if output is None else output)
        fds = {**dict(enumerate(standard)), STATUS_FD: store.fds[self.held("status")], ENVIRONMENT_FD: env}
        if shared is not None:
            fds |= {SHARED_FD: shared, PRIVATE_FD: store.fds[self.held("probe")]}
        try:
            self.outer = spawn(sandbox.argv(self._command(tty)), SAFE_ENVIRONMENT, fds, self.cgroup.entrances)
        finally:
            os.close(null)
            os.close(env)

    def _command(self, tty: bool) -> list[str]:
        # A terminal's ^C reaches a whole session: so it gets one without bwrap in it.
        terminal = ["/usr/bin/setsid", "--ctty"] if tty else []
        return [*terminal, *with_environment(["/bin/bash", "-c", START, "bash", self.record.command])]

    def _sandbox(self, spec: AppSpec) -> Sandbox:
        uid, gid = (spec.uid, spec.gid) if self.machine.root else (None, None)
        data = self.machine.home.data(self.key)
        inside = self.directory / "run"
        for directory in (data, inside):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if uid is not None and gid is not None:
                os.chown(directory, uid, gid)
        overlay: Path | None = self.directory / "overlay"
        root = Path(spec.slug or "/var/empty")
        if not ability().overlay:
            root, overlay = self._copy(root), None
        return Sandbox(
            root=root,
            mounts=(*spec.mounts, *self._accounts(uid, gid), *self._shared_files()),
            binds=(Mount(str(data), "/data"), Mount(str(inside), INSIDE)),
            overlay=overlay,
            uid=uid,
            gid=gid,
            hostname=self.record.short,
            status_fd=STATUS_FD,
        )

    def _accounts(self, uid: int | None, gid: int | None) -> tuple[Mount, ...]:
        uid, gid = os.getuid() if uid is None else uid, os.getgid() if gid is None else gid
        files = {
            "passwd": f"root:x:0:0:root:/root:/bin/sh\nu{uid}:x:{uid}:{gid}:dyno:/app:/bin/bash\n",
            "group": f"root:x:0:\ndyno:x:{gid}:\n",
        }
        for name, text in files.items():
            (self.directory / name).write_text(text)
            (self.directory / name).chmod(0o644)
        return tuple(Mount(str(self.directory / name), f"/etc/{name}") for name in files)

    def _shared_files(self) -> tuple[Mount, ...]:
        """Names of the apps on this machine, and the authority that signs for them."""
        home = self.machine.home
        files = ((home.run / "hosts", "/etc/hosts"), (home.root / "ca.pem", "/etc/baton-ca.pem"))
        return tuple(Mount(str(source), target) for source, target in files if source.exists())

    def _copy(self, root: Path) -> Path:
        """Where there is no overlay, a dyno gets a copy of its slug."""
        import shutil

        return Path(shutil.copytree(root, self.directory / "copy", symlinks=True))

    # Watching

    def adopt(self) -> None:
        """Take back a dyno that a predecessor started, or was about to start."""
        self._follow_log()
        if self.machine.store.get(self.held("pid")) is not None:
            self._watch(None)
        elif (pid := self._written().get("child-pid")) and pid in pids_in_namespace(
            self._written()["pid-namespace"]
        ):
            self._watch(pid)
        else:
            asyncio.get_running_loop().call_soon(self._finish)

    def _follow_log(self) -> None:
        if self.machine.store.get(self.held("log:out")) is not None:
            book = self.machine.book(self.key)
            self.stream = Stream(self.machine.store, book, self.held("log"), self.record.name).follow()

    async def _find(self) -> None:
        """Wait for bwrap to say which process is the first of the new namespace."""
        if self.outer is None:
            raise SandboxError(f"{self.record.name} has no process.")
        outer = os.pidfd_open(self.outer)
        os.close(outer)
        while not (pid := self._written().get("child-pid")):
            if not _is_running(self.outer):
                return self._finish()
            await asyncio.sleep(SETTLE)
        self._watch(pid)
        return None

    def _watch(self, pid: int | None) -> None:
        self.process = Process(self.machine, self.held("pid"), pid)
        self.process.gone.add_done_callback(
            lambda _: self.machine.background(asyncio.create_task(self._end()))
        )

    async def _end(self) -> None:
        """bwrap's outer process may be a moment behind with the status."""
        for _ in range(500):
            if "exit-code" in self._written() or (self.outer and not _is_running(self.outer)):
                break
            await asyncio.sleep(SETTLE)
        self._finish()

    def _finish(self) -> None:
        if self.gone.done():
            return
        status = self._written().get("exit-code")
        if self.stream:
            self.stream.finish()
        if self.cgroup.oom_killed():
            self.machine.say(self.key, self.record.name, "Error R15 (Memory quota vastly exceeded)")
        self.cgroup.kill()
        self.cgroup.remove()
        self._close_port()
        self.machine.store.drop_all(f"dyno:{self.record.id}:")
        self.machine.discard(self.directory)
        self.gone.set_result(status)

    def _close_port(self) -> None:
        if self.record.port:
            self.machine.ports.discard(self.record.port)
            if self.machine.firewall:
                self.machine.firewall.forbid(self.record.port, self.record.uid)

    def _written(self) -> dict[str, Any]:
        """What bwrap has said so far: child-pid, pid-namespace, later exit-code."""
        handle = self.machine.store.get(self.held("status"))
        text = b"" if handle is None else os.pread(handle, 4096, 0)
        found: dict[str, Any] = {}
        for line in text.splitlines():
            with suppress(ValueError):
                found |= json.loads(line)
        return found

    # Ending

    @property
    def alive(self) -> bool:
        return not self.gone.done()

    def pids(self) -> list[int]:
        inode = self._written().get("pid-namespace")
        return pids_in_namespace(inode) if inode else []

    def _signal(self, number: int) -> None:
        """To all of its processes; where only bwrap's own first one is there yet, nothing would hear it but
        SIGKILL.
        """
        first = self._written().get("child-pid")
        pids = [pid for pid in self.pids() if pid != first]
        signal_all(pids, number)
        if not pids and self.process:
            self.process.signal(signal.SIGKILL)

    async def terminate(self) -> None:
        """SIGTERM to all of its processes, and after the grace SIGKILL; returns when it is gone."""
        while self.alive and self.process is None:
            await asyncio.sleep(SETTLE)  # It is just being started.
        if not self.alive:
            return
        if not self.terminated:
            self.terminated = True
            self.machine.say(self.key, self.record.name, "Stopping all processes with SIGTERM")
            self._signal(signal.SIGTERM)
        await asyncio.wait([self.gone], timeout=self.record.grace)
        if self.alive:
            self.machine.say(
                self.key,
                self.record.name,
                "Error R12 (Exit timeout) -> At least one process failed to exit "
                f"within {self.record.grace} seconds of SIGTERM",
            )
            await self.kill()

    async def kill(self) -> None:
        self.machine.say(self.key, self.record.name, "Stopping remaining processes with SIGKILL")
        if self.process:
            self.process.signal(signal.SIGKILL)
        await asyncio.wait([self.gone])

    def check_memory(self) -> None:
        """R14 while the quota is exceeded, as Heroku says it."""
        used, quota = self.cgroup.memory_usage(), size(self.record.size).memory
        if used > quota:
            share = 100 * used / quota
            self.machine.say(
                self.key, self.record.name, f"Process running mem={used // MEGABYTE}M({share:.1f}%)"
            )
            self.machine.say(self.key, self.record.name, "Error R14 (Memory quota exceeded)")


def _is_running(pid: int) -> bool:
    """False also for a zombie: it has nothing more to write."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
