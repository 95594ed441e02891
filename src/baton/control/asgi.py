"""Control as one ASGI application: its start and end, git over HTTP, and Django for everything else."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "baton.control.settings")
django.setup(set_prefix=False)

from baton.control import builds, machine, recovery, threads  # noqa: E402 - Django has to be set up first
from baton.control.api.asgi import application as api  # noqa: E402
from baton.control.git import GitServer  # noqa: E402
from baton.control.oneoffs import tickets  # noqa: E402
from baton.control.pushes import HookServer, Pushes  # noqa: E402
from baton.control.rendezvous import Rendezvous  # noqa: E402

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Control:
    """Recovers before it serves: until then connections wait in the backlog of the supervisor's socket."""

    def __init__(self) -> None:
        home, settings = machine.home(), machine.options()
        pushes = Pushes()
        self.git = GitServer(home, pushes)
        self.hooks = HookServer(home, pushes)
        self.rendezvous = Rendezvous(home, settings, tickets)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif self.git.matches(scope):
            await self.git(scope, receive, send)
        else:
            await api(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.start()
        except Exception as error:  # uvicorn prints it and exits with 3; the supervisor tries again
            await send({"type": "lifespan.startup.failed", "message": f"Control can't start: {error}"})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def start(self) -> None:
        home = machine.home()
        behind = await asyncio.to_thread(threads.closing(recovery.recover), home)
        self.hooks.start()
        await self.rendezvous.start()
        threads.start(recovery.bring_up, home, behind)

    async def stop(self) -> None:
        builds.cancel_all()
        await self.rendezvous.stop()
        self.hooks.stop()


application = Control()
