"""Control as one ASGI application: its start and end, git over HTTP, and Django for everything else."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "baton.control.settings")
django.setup(set_prefix=False)

from baton.base.errors import BatonError  # noqa: E402
from baton.base.paths import Home  # noqa: E402
from baton.control import builds, collecting, frontdoor, machine, recovery, threads  # noqa: E402 - Django has to be set up first
from baton.control.api.asgi import application as api  # noqa: E402
from baton.control.git import GitServer  # noqa: E402
from baton.control.oneoffs import tickets  # noqa: E402
from baton.control.pushes import HookServer, Pushes  # noqa: E402
from baton.control.rendezvous import Rendezvous  # noqa: E402

log = logging.getLogger(__name__)
UPKEEP_SECONDS = 6 * 3600
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

        self.upkeep = asyncio.create_task(upkeep(home))

    async def stop(self) -> None:
        self.upkeep.cancel()
        builds.cancel_all()
        await self.rendezvous.stop()
        self.hooks.stop()


async def upkeep(home: Home) -> None:
    """What has to be done however long nobody pushes."""
    while True:
        await asyncio.sleep(UPKEEP_SECONDS)
        try:
            await asyncio.to_thread(threads.closing(frontdoor.renew))
        except (BatonError, OSError):
            log.exception("renewing certificates")
        collecting.soon(home)


application = Control()
