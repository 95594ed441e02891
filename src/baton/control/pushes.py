"""The hook's side of a push: a Unix socket, a thread a push, lines back to the one who pushes."""

from __future__ import annotations

import logging
import os
import secrets
import select
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from baton.base.errors import BatonError
from baton.base.paths import Home
from baton.control import builds, refs, repositories, threads
from baton.control.errors import Invalid, NotFound
from baton.control.hook import QUARANTINE
from baton.control.models import App, User

log = logging.getLogger(__name__)
REQUEST_LIMIT = 4 * 1024 * 1024
REQUEST_SECONDS = 30
SEND_SECONDS = 60  # nobody read for that long: the one who pushed is gone


@dataclass(frozen=True)
class Pusher:
    """Who pushes to what, as git over HTTP has found out."""

    app: UUID
    user: UUID


@dataclass(frozen=True)
class Request:
    """What the hook says: the push's secret, git's quarantine of the new objects, the refs."""

    secret: str
    quarantine: dict[str, str]
    refs: str


class Pushes:
    """The pushes under way, each by the secret that its hook gets in its environment."""

    def __init__(self) -> None:
        self._open: dict[str, Pusher] = {}

    @contextmanager
    def opened(self, pusher: Pusher) -> Iterator[str]:
        secret = secrets.token_urlsafe(32)
        self._open[secret] = pusher
        try:
            yield secret
        finally:
            del self._open[secret]

    def find(self, secret: str) -> Pusher:
        """Raises Invalid for a push that is not under way."""
        try:
            return self._open[secret]
        except KeyError:
            raise Invalid("The hook belongs to no push that is under way.") from None


def parse_request(body: bytes) -> Request:
    """Raises Invalid."""
    fields = body.split(b"\0")
    if len(fields) != len(QUARANTINE) + 3 or fields[-1]:
        raise Invalid("The hook should send a secret, the quarantine and the refs.")
    secret, *quarantine, lines, _ = (os.fsdecode(field) for field in fields)
    return Request(
        secret, {name: value for name, value in zip(QUARANTINE, quarantine, strict=True) if value}, lines
    )


class Listener:
    """Writes lines to the hook, and notices when nobody is there to read them."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lock = threading.Lock()
        self._gone = False
        connection.settimeout(SEND_SECONDS)

    def say(self, line: str) -> None:
        for each in line.split("\n"):
            self._send(each.replace("\0", "").encode(errors="replace") + b"\n")

    def end(self, status: int) -> None:
        self._send(b"\0%d\n" % status)

    def gone(self) -> bool:
        """Whether git, and so the client, went away."""
        if not self._gone:
            # A Python socket with a timeout waits in recv() even when told not to: so look first.
            looking = select.poll()
            looking.register(self._connection, select.POLLIN)
            try:
                self._gone = bool(looking.poll(0)) and self._connection.recv(1, socket.MSG_PEEK) == b""
            except OSError:
                self._gone = True
        return self._gone

    def _send(self, data: bytes) -> None:
        with self._lock:
            if self._gone:
                return
            try:
                self._connection.sendall(data)
            except OSError:
                self._gone = True


class HookServer:
    """Accepts hooks of this user only, and gives each push a thread."""

    def __init__(self, home: Home, pushes: Pushes) -> None:
        self.home = home
        self.pushes = pushes
        self._socket: socket.socket | None = None

    def start(self) -> None:
        path = self.home.hook_socket
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f"hook.{os.getpid()}")
        scratch.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(scratch))
        scratch.chmod(0o600)
        listening.listen(64)
        scratch.rename(path)
        self._socket = listening
        threads.start(self._accept, listening)

    def stop(self) -> None:
        if self._socket:
            self._socket.shutdown(socket.SHUT_RDWR)
            self._socket.close()

    def _accept(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            if peer_uid(connection) == os.geteuid():
                threads.start(self._serve, connection)
            else:
                connection.close()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                request = parse_request(read_request(connection))
                pusher = self.pushes.find(request.secret)
            except (BatonError, OSError, ValueError) as error:
                log.warning("a hook was refused: %s", error)
                return
            listener = Listener(connection)
            listener.end(receive(self.home, pusher, request, listener))


def receive(home: Home, pusher: Pusher, request: Request, listener: Listener) -> int:
    """Carries a push out; the hook's exit status. Every error is told to the one who pushed."""
    try:
        push = understand(home, pusher, request)
    except BatonError as error:
        return reject(listener, builds.explained(error))
    for notice in push.plan.notices:
        listener.say(f"-----> {notice}")
    try:
        if push.plan.deploy is not None:
            deploy(home, push, push.plan.deploy, listener)
    except BatonError:
        return reject(listener, [])  # its reason is part of the build's output
    except Exception:
        log.exception("a push to %s failed", push.app.name)
        return reject(listener, [" !     Baton itself failed; its log has the reason."])
    return 0


@dataclass(frozen=True)
class Push:
    """A push, understood."""

    app: App
    user: User
    quarantine: dict[str, str]
    plan: refs.PushPlan


def understand(home: Home, pusher: Pusher, request: Request) -> Push:
    """Raises Invalid, NotFound."""
    app = App.objects.filter(pk=pusher.app, destroyed_at=None).first()
    user = User.objects.filter(pk=pusher.user).first()
    if app is None or user is None:
        raise NotFound("The app was destroyed meanwhile.")
    plan = refs.plan(refs.parse(request.refs))
    if plan.deploy is not None:
        kind = repositories.kind_of(home, app.key, plan.deploy.new, request.quarantine)
        if kind != "commit":
            raise Invalid(f"{plan.deploy.short} should be a commit; it is a {kind}.", "Push a branch.")
    return Push(app, user, request.quarantine, plan)


def deploy(home: Home, push: Push, update: refs.Update, listener: Listener) -> None:
    """Raises BatonError, which the listener has then been told."""

    def fetch(target: Path) -> None:
        tree = repositories.checkout(home, push.app.key, update.new, target, push.quarantine)
        for name in tree.submodules:
            listener.say(
                f" !     {name} is a git submodule: its files are not in the push and will be missing."
            )

    builds.from_push(push.app, push.user, update.new, fetch, say=listener.say, gone=listener.gone)
    repositories.set_head(home, push.app.key, update.ref)


def reject(listener: Listener, reason: list[str]) -> int:
    for line in (*reason, " !     Push rejected. What was served is served still.", ""):
        listener.say(line)
    return 1


def peer_uid(connection: socket.socket) -> int:
    data = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", data)[1])


def read_request(connection: socket.socket) -> bytes:
    """Raises Invalid, OSError when it is not there in time."""
    connection.settimeout(REQUEST_SECONDS)
    with connection.makefile("rb", buffering=65536) as file:
        length = int(file.readline(16))
        if not 0 < length <= REQUEST_LIMIT:
            raise Invalid("The hook's request is too large.")
        body: bytes = file.read(length)
    if len(body) != length:
        raise Invalid("The hook's request is cut off.")
    return body
