import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

django = get_asgi_application()

from project.answers import VERSION  # noqa: E402


async def echo(receive: Any, send: Any) -> None:
    """Repeats each message, the version before it, until the client goes."""
    while True:
        event = await receive()
        if event["type"] == "websocket.connect":
            await send({"type": "websocket.accept"})
        elif event["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": f"{VERSION} {event['text']}"})
        else:
            return


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await echo(receive, send)
    else:
        await django(scope, receive, send)
