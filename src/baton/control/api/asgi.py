"""The API as an ASGI application: uploads by themselves, all else through Django with its body bounded.

Django keeps a whole body before a view runs, on disk when it is long: a client could fill the disk that way.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from django.core.asgi import get_asgi_application

from baton.control.api import bodies, errors, uploads

Message = MutableMapping[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Any], Awaitable[None]]
BODY_SECONDS = 60
_django = get_asgi_application()


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one request. WebSockets are refused: the API has none."""
    if scope["type"] != "http":
        return await _refuse_socket(scope, receive, send)
    if uploads.is_upload(scope["method"], scope["path"]):
        return await reply(send, *await uploads.take(scope["path"], scope["headers"], receive))
    try:
        body = await whole_body(receive)
    except errors.ApiError as error:
        return await reply(send, error.status, errors.body(error))
    await _django(scope, _replay(body, receive), send)
    return None


async def whole_body(receive: Receive) -> bytes:
    """The request's body. Raises TooLarge, BadRequest when the client stops sending."""
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > bodies.MAX_BYTES:
                    raise errors.TooLarge(f"A request body holds at most {bodies.MAX_BYTES} bytes.")
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError as error:
        raise errors.BadRequest(f"The request body did not arrive within {BODY_SECONDS} seconds.") from error


def _replay(body: bytes, receive: Receive) -> Receive:
    """`receive` for Django: the body once, then whatever the connection says (that it is closed)."""
    pending = [body]

    async def again() -> Message:
        if pending:
            return {"type": "http.request", "body": pending.pop(), "more_body": False}
        return await receive()

    return again


async def reply(send: Send, status: int, body: dict[str, Any]) -> None:
    """A JSON answer without Django; the connection is closed, for its body may not have been read."""
    data = json.dumps(body).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(data)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


async def _refuse_socket(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1003})
