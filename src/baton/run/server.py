"""What the supervisor does when asked: one JSON line in, JSON lines out, the last one `done` or `error`."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from baton.base.errors import BatonError
from baton.run import errors
from baton.run.apps import App
from baton.run.errors import SpecError, TimedOut, UnknownApp
from baton.run.firewall import Firewall
from baton.run.generations import remove_leftovers
from baton.run.logs import KEPT_LINES
from baton.run.machine import Machine, Process
from baton.run.oneoffs import Command, OneOff, OneOffs
from baton.run.services import Services
from baton.run.specs import AppSpec, ServiceSpec

REQUEST_BYTES = 8 << 20
HOSTS = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
REMEMBERED = 100

Answer = dict[str, Any]


class Caller:
    """One connection: its request, and whether it is still there."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.loop = asyncio.get_running_loop()
        self.rest = b""

    async def request(self) -> Answer:
        """The first line. Raises SpecError when it is no JSON object or too long."""
        data = b""
        while b"\n" not in data:
            piece = await self.loop.sock_recv(self.connection, 1 << 16)
            if not piece or len(data) > REQUEST_BYTES:
                raise SpecError("A request is one line of JSON.")
            data += piece
        try:
            document = json.loads(data)
        except ValueError as error:
            raise SpecError(f"A request is one line of JSON: {error}.") from None
        if not isinstance(document, dict):
            raise SpecError("A request is a JSON object.")
        return document

    async def tell(self, document: Answer) -> None:
        await self.loop.sock_sendall(self.connection, json.dumps(document).encode() + b"\n")

    async def gone(self) -> None:
        """Returns when the caller has closed its side."""
        with suppress(OSError):
            while await self.loop.sock_recv(self.connection, 4096):
                continue


async def either(news: asyncio.Event, other: asyncio.Future[Any]) -> None:
    """Wait for one of the two."""
    waiting = asyncio.ensure_future(news.wait())
    try:
        await asyncio.wait([waiting, other], return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


class Operation:
    """A change that goes on although its caller may leave, and that another caller may join by its id."""

    def __init__(self, work: Callable[[Callable[[Answer], None]], Awaitable[None]]) -> None:
        self.events: list[Answer] = []
        self.news = asyncio.Event()
        self.task = asyncio.create_task(self._run(work))

    async def _run(self, work: Callable[[Callable[[Answer], None]], Awaitable[None]]) -> None:
        try:
            await work(self._emit)
        finally:
            self.news.set()

    def _emit(self, event: Answer) -> None:
        self.events.append(event)
        self.news.set()
        self.news = asyncio.Event()

    async def follow(self, caller: Caller) -> None:
        """Tell all events to the caller; raises what the work raised."""
        told = 0
        while True:
            news = self.news
            for event in self.events[told:]:
                await caller.tell(event)
            told = len(self.events)
            if self.task.done():
                return self.task.result()
            await either(news, self.task)


class Server:
    """The apps, services and one-offs of a machine, by the ops that `client.Supervisor` sends."""

    def __init__(self, machine: Machine, leave: Callable[[bool], None]) -> None:
        self.machine, self.leave = machine, leave
        self.apps: dict[str, App] = {}
        self.services = Services(machine)
        self.oneoffs = OneOffs(machine)
        self.operations: dict[str, Operation] = {}
        self.calls: set[asyncio.Task[None]] = set()

    def adopt(self) -> None:
        """Take back everything that a predecessor had. One document that can't be read spoils no other."""
        for name in self.machine.store.names("app:"):
            try:
                app = App.from_json(self.machine, self.machine.store.load(name))
            except (BatonError, KeyError, TypeError, ValueError, OSError) as error:
                sys.stderr.write(f"{name} can't be taken back: {error!r}\n")
                continue
            self.apps[app.key] = app
        self.oneoffs.adopt()
        self.services.adopt()
        # Relays that finish for dynos which are gone already.
        for name in set(self.machine.store.names("relay:")) - self.machine.watched:
            Process(self.machine, name)
        remove_leftovers(self.machine)
        self.write_hosts()

    # Connections

    async def serve(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            call = asyncio.create_task(self.answer(connection))
            self.calls.add(call)
            call.add_done_callback(self.calls.discard)

    async def answer(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        caller = Caller(connection)
        try:
            with connection:
                await self._answer(caller)
        except OSError:
            return  # The caller has left; what it asked for goes on.

    async def _answer(self, caller: Caller) -> None:
        try:
            request = await caller.request()
            work = getattr(self, f"op_{request.get('op')}", None)
            if work is None:
                raise SpecError(f"The supervisor does not know the operation {request.get('op')!r}.")
            await caller.tell({"done": True, **(await work(caller, request) or {})})
        except BatonError as error:
            await caller.tell({"error": errors.to_json(error)})
        except (KeyError, TypeError, ValueError) as error:
            await caller.tell({"error": errors.to_json(SpecError(f"The request lacks or misuses {error}."))})

    async def _operate(
        self, caller: Caller, request: Answer, work: Callable[[Callable[[Answer], None]], Awaitable[None]]
    ) -> None:
        """Start the operation of that id, or join it."""
        name = request.get("operation") or f"anonymous-{id(request)}"
        operation = self.operations.get(name)
        if operation is None:
            operation = self.operations[name] = Operation(work)
            for old in [key for key, value in self.operations.items() if value.task.done()][:-REMEMBERED]:
                del self.operations[old]
        await operation.follow(caller)

    def _app(self, request: Answer) -> App:
        app = self.apps.get(request["key"])
        if app is None:
            raise UnknownApp(f"No app with the key {request['key']} runs here.", "Deploy it first.")
        return app

    # Ops on apps

    async def op_deploy(self, caller: Caller, request: Answer) -> None:
        spec = AppSpec.from_json(request["spec"])
        app = self.apps.get(spec.key)
        if app is None:
            app = self.apps[spec.key] = App(self.machine, spec_of_nothing(spec))
            app.changed()

        async def work(emit: Callable[[Answer], None]) -> None:
            await app.deploy(spec, request["operation"], emit)
            self.write_hosts()

        await self._operate(caller, request, work)

    async def op_restart(self, caller: Caller, request: Answer) -> None:
        app, target = self._app(request), request["target"]
        if not await self._stop_one_off(app, target):
            await self._operate(caller, request, lambda _: app.restart(target))

    async def op_stop(self, caller: Caller, request: Answer) -> None:
        app, target = self._app(request), request["target"]
        if not await self._stop_one_off(app, target):
            await self._operate(caller, request, lambda _: app.stop(target))

    async def _stop_one_off(self, app: App, target: str | None) -> bool:
        """A one-off is stopped by its name; it is never started again."""
        named = any(one.name == target for one in self.oneoffs.of(app.key))
        if named:
            await self.oneoffs.stop(app.key, target)
        return named

    async def op_destroy(self, caller: Caller, request: Answer) -> None:
        app = self.apps.get(request["key"])
        if app is None:
            return
        await asyncio.gather(app.destroy(), self.oneoffs.stop(app.key))
        self.apps.pop(app.key, None)
        self.machine.book(app.key).close(remove=True)
        self.machine.books.pop(app.key, None)
        self.write_hosts()

    async def op_maintenance(self, caller: Caller, request: Answer) -> None:
        self._app(request).maintenance(bool(request["on"]))

    async def op_dynos(self, caller: Caller, request: Answer) -> Answer:
        app = self.apps.get(request["key"])
        described = app.describe() if app else []
        return {"dynos": described + [one.describe() for one in self.oneoffs.of(request["key"])]}

    async def op_status(self, caller: Caller, request: Answer) -> Answer:
        return {
            "apps": {key: app.status() for key, app in self.apps.items()},
            "services": [service.describe() for service in self.services.services.values()],
            "firewall": self.machine.firewall.missing if self.machine.firewall else "not looked at",
            "memory": _memory(),
            "pid": os.getpid(),
        }

    # One-offs

    async def op_run(self, caller: Caller, request: Answer) -> Answer:
        """Output as `line` events with their sequence numbers; the last line has the exit status."""
        operation = request["operation"]
        one = self.oneoffs.running.get(operation)
        if one is None and operation not in self.oneoffs.results:
            spec = AppSpec.from_json(request["spec"])
            one = await self.oneoffs.start(spec, Command.from_json(request))
        if one is not None:
            await self._follow_run(caller, request, one)
        status, after = self.oneoffs.results.get(operation, (one.status if one else None, 0))
        await self._tell_lines(caller, request, max(after, request.get("after") or 0))
        return {"status": 255 if status is None else status}

    async def _follow_run(self, caller: Caller, request: Answer, one: OneOff) -> None:
        one.callers += 1
        left = asyncio.create_task(caller.gone())
        ended = asyncio.Event()
        after = max(one.after, request.get("after") or 0)
        lines = asyncio.create_task(self._lines(caller, request, after, ended))
        try:
            timeout = request.get("timeout")
            waits: list[asyncio.Future[Any]] = [one.dyno.gone, *([left] if one.bound else [])]
            done, _ = await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if one.dyno.gone not in done:
                await one.dyno.terminate()
            if not done:
                raise TimedOut(
                    f"`{one.dyno.record.command}` should end within {timeout} seconds, and was stopped."
                )
            if left in done:
                raise ConnectionResetError("the caller of a bound command has left")
        finally:
            one.callers -= 1
            left.cancel()
            ended.set()
            # Not cancelled: that could cut a line in two.
            await asyncio.wait([lines])
            lines.exception()

    async def _lines(self, caller: Caller, request: Answer, after: int, ended: asyncio.Event) -> None:
        """Tell the command's output as it comes; `request["after"]` says how far that went."""
        book = self.machine.book(request["spec"]["key"])
        over = asyncio.ensure_future(ended.wait())
        while not ended.is_set():
            news = book.changed
            after = await self._tell_lines(caller, request, after)
            await either(news, over)

    async def _tell_lines(self, caller: Caller, request: Answer, after: int) -> int:
        book = self.machine.book(request["spec"]["key"])
        for sequence, line in book.select(1 << 30, after=after, source="app", dyno=request["dyno"]):
            request["after"] = after = sequence
            await caller.tell({"line": line.partition("]: ")[2], "sequence": sequence})
        return after

    async def op_run_detached(self, caller: Caller, request: Answer) -> Answer:
        spec = AppSpec.from_json(request["spec"])
        if request["operation"] in self.oneoffs.running:
            return {}
        command = Command.from_json(request, type="run", bound=False)
        one = await self.oneoffs.start(spec, command)
        return {"id": one.dyno.record.id}

    async def op_attach(self, caller: Caller, request: Answer) -> Answer:
        """After the line `ready` the connection is the program's."""
        spec = AppSpec.from_json(request["spec"])
        window = (int(request["rows"]), int(request["cols"])) if request["tty"] else None
        command = Command.from_json(request, type="run", bound=True)
        await self.oneoffs.attach(spec, command, window, caller.connection)
        raise ConnectionAbortedError("the relay has the connection now")

    # Logs

    async def op_logs(self, caller: Caller, request: Answer) -> None:
        """`line` events; with `tail`, until the caller leaves."""
        book = self.machine.book(request["key"])
        source, dyno, after = request.get("source"), request.get("dyno"), request.get("after")
        limit, left = request.get("lines") or KEPT_LINES, asyncio.create_task(caller.gone())
        try:
            while not left.done():
                news, seen = book.changed, book.sequence
                for sequence, line in book.select(limit, after, source, dyno):
                    await caller.tell({"line": line, "sequence": sequence})
                if not request.get("tail"):
                    return
                await either(news, left)
                limit, after = 1 << 30, seen
        finally:
            left.cancel()

    async def op_log(self, caller: Caller, request: Answer) -> None:
        self.machine.book(request["key"]).write(
            request["source"], request["dyno"], request["message"].splitlines()
        )

    # Services and the supervisor itself

    async def op_service(self, caller: Caller, request: Answer) -> None:
        await self.services.apply(ServiceSpec.from_json(request["spec"]))

    async def op_signal(self, caller: Caller, request: Answer) -> None:
        self.services.signal(request["name"], request["signal"])

    async def op_reexec(self, caller: Caller, request: Answer) -> None:
        await caller.tell({"done": True})
        self.leave(True)

    async def op_shutdown(self, caller: Caller, request: Answer) -> None:
        await asyncio.gather(*(app.end() for app in self.apps.values()), self.oneoffs.stop())
        await self.services.stop()
        if self.machine.firewall:
            self.machine.firewall.tear_down()
        await caller.tell({"done": True})
        self.leave(False)

    # Beside the ops

    def write_hosts(self) -> None:
        """The names of all apps, for all dynos; in place, because running dynos see this very file."""
        names = sorted({host for app in self.apps.values() for host in app.spec.hosts if "*" not in host})
        text = HOSTS + "".join(f"127.0.0.1 {name}\n" for name in names)
        path = self.machine.home.run / "hosts"
        with path.open("r+" if path.exists() else "w") as file:
            file.write(text)
            file.truncate()
        path.chmod(0o644)

    def on_request(self, key: str, line: str) -> None:
        """A line of the router's."""
        app = self.apps.get(key)
        if app:
            app.traffic = asyncio.get_running_loop().time()
            self.machine.say(key, "router", line)

    def web_dyno(self, key: str) -> str:
        app = self.apps.get(key)
        names = list(app.serving.slots) if app and app.serving else []
        return names[0] if len(names) == 1 else "web"


def spec_of_nothing(spec: AppSpec) -> AppSpec:
    """The app before its first deploy: blank."""
    return replace(
        spec, slug=None, release=0, release_id="", processes=(), env={}, mounts=(), maintenance=False
    )


def raise_firewall(machine: Machine, *, fresh: bool) -> None:
    machine.firewall = Firewall(machine.home.root)
    machine.firewall.raise_up(fresh=fresh)
    if machine.firewall.missing and machine.root:
        sys.stderr.write(f"No firewall between apps: {machine.firewall.missing}\n")


def _memory() -> dict[str, int]:
    """Bytes of this process and of its keeper."""
    with open("/proc/self/status") as status:  # noqa: PTH123
        rss = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))
    return {"supervisor": rss}
