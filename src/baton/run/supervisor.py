"""`python -m baton.run.supervisor --home DIR --store FD`: started by the keeper, and again whenever it ends.

It may be killed at any moment: what it knows is in the store, and every dyno, socket and pipe goes on without
it.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

from baton.base.paths import Home
from baton.route.routerlog import heroku_line
from baton.run import keeper
from baton.run.apps import tidy_fronts
from baton.run.cgroups import sweep
from baton.run.generations import connections
from baton.run.machine import Machine, signal_all
from baton.run.server import Server, raise_firewall
from baton.run.spawn import spawn
from baton.run.store import Store

MEMORY_SECONDS = 20.0
DATAGRAM = 1 << 16


class Supervisor:
    def __init__(self, home: Home, store: Store) -> None:
        self.home, self.store = home, store
        self.machine = Machine(home, store)
        self.server = Server(self.machine, self.leave)
        self.over = asyncio.Event()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        fresh = not self.store.names("")
        self.machine.prepare()
        if fresh:
            end_strays(self.machine)
        raise_firewall(self.machine, fresh=fresh)
        loop.add_signal_handler(signal.SIGCHLD, self.machine.reap)
        self.watch_keeper()
        self.server.adopt()
        tidy_fronts(self.machine, set(self.server.apps))
        self.machine.background(asyncio.create_task(self.watch_apps()))
        self.machine.background(asyncio.create_task(self.server.serve(self.listener())))
        loop.add_reader(self.router_socket(), self.read_router)
        await self.over.wait()

    # Its keeper

    def watch_keeper(self) -> None:
        if self.store.keeper is None:
            self.new_keeper()
        assert self.store.keeper is not None
        asyncio.get_running_loop().add_reader(self.store.keeper.fileno(), self.keeper_ended)

    def keeper_ended(self) -> None:
        """It never speaks first: something to read is its end."""
        if self.store.keeper is not None:
            asyncio.get_running_loop().remove_reader(self.store.keeper.fileno())
            self.store.keeper.close()
        self.new_keeper()
        self.watch_keeper()

    def new_keeper(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fd = keeper.STORE_FD
        argv = [sys.executable, "-m", "baton.run.keeper", "--home", str(self.home.root), "--store", str(fd)]
        spawn(argv, os.environ, {0: 0, 1: 1, 2: 2, fd: theirs.fileno()})
        theirs.close()
        self.store.entrust(ours)

    def leave(self, again: bool) -> None:
        """End: for good, or to be started again in the code that is on disk now, keeper included."""
        assert self.store.keeper is not None
        asyncio.get_running_loop().remove_reader(self.store.keeper.fileno())
        self.store.quit()
        if again:
            self.renew_keeper()
        else:
            self.home.supervisor_socket.unlink(missing_ok=True)
        self.over.set()

    def renew_keeper(self) -> None:
        """Wait for the old keeper's end, which frees its lock, and give everything to a new one."""
        old = self.store.keeper
        if old is not None:
            old.settimeout(5)
            old.recv(1)
            old.close()
        self.new_keeper()

    # Its sockets

    def listener(self) -> socket.socket:
        held = self.store.get("server")
        if held is None:
            held = self.store.put("server", self.machine.listen(self.home.supervisor_socket, 0o600))
        listener = socket.socket(fileno=os.dup(held))
        listener.setblocking(False)
        return listener

    def router_socket(self) -> int:
        held = self.store.get("router")
        if held is None:
            path = self.home.router_log_socket
            path.unlink(missing_ok=True)
            lengthen_queues()
            receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
            receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            receiver.bind(str(path))
            path.chmod(0o666)
            held = self.store.put("router", receiver.detach())
        self.router = socket.socket(fileno=os.dup(held))
        self.router.setblocking(False)
        return self.router.fileno()

    def read_router(self) -> None:
        """Read until nothing is left, but not for ever: other things are to be done too."""
        for _ in range(256):
            try:
                datagram = self.router.recv(DATAGRAM)
            except BlockingIOError:
                return
            found = heroku_line(datagram, self.server.web_dyno)
            if found:
                self.server.on_request(*found)

    # What is looked at from time to time

    async def watch_apps(self) -> None:
        loop = asyncio.get_running_loop()
        next_memory = loop.time()
        while True:
            await asyncio.sleep(min(MEMORY_SECONDS, max(0.2, self.machine.sleep_after / 10)))
            memory_too = loop.time() >= next_memory
            next_memory = loop.time() + MEMORY_SECONDS if memory_too else next_memory
            for app in list(self.server.apps.values()):
                if memory_too:
                    app.check_memory()
                if app.may_sleep and app.serving:
                    if connections(app.serving.path):
                        app.traffic = loop.time()
                    elif loop.time() - app.traffic > self.machine.sleep_after:
                        self.machine.background(asyncio.create_task(app.sleep()))


def end_strays(machine: Machine) -> None:
    """Nothing is held, so keeper and supervisor died together: end the dynos that they left behind."""
    mark = f"{machine.dynos}/".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"/bwrap") and any(word.startswith(mark) for word in words):
                found.append(int(entry.name))
    signal_all(found, signal.SIGKILL)
    for directory in machine.dynos.iterdir():
        sweep(directory.name)
        machine.discard(directory)


def lengthen_queues() -> None:
    """A burst of requests must fit into the router socket's queue, which is 10 datagrams on many machines."""
    path = Path("/proc/sys/net/unix/max_dgram_qlen")
    try:
        if int(path.read_text()) < 512:
            path.write_text("512")
    except (OSError, ValueError):
        return


def main(arguments: list[str]) -> NoReturn:
    given = dict(zip(arguments[::2], arguments[1::2], strict=True))
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    store = Store()
    store.inherit(socket.socket(fileno=int(given["--store"])))

    async def run() -> None:
        await Supervisor(Home.at(Path(given["--home"])), store).run()

    asyncio.run(run())
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
