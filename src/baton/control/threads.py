"""Django's records from threads and from asyncio: each piece of work closes the connection that it opened."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import ParamSpec, TypeVar

from django.db import connections

P = ParamSpec("P")
T = TypeVar("T")

_pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="records")


def closing(work: Callable[P, T]) -> Callable[P, T]:
    @wraps(work)
    def inner(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        finally:
            connections.close_all()

    return inner


def start(work: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> threading.Thread:
    """A thread of its own for work that takes long.

    It does not keep the process alive: what it leaves open is recovered.
    """
    thread = threading.Thread(target=closing(work), args=args, kwargs=kwargs, daemon=True, name=work.__name__)
    thread.start()
    return thread


async def call(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Short work on the records, from asyncio."""
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_pool, lambda: context.run(closing(work), *args, **kwargs))
