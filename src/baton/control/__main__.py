"""`python -m baton.control prepare [--email E]` and `python -m baton.control serve --fd N`.

`baton up` calls both.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
from dataclasses import asdict

from baton.base.errors import BatonError
from baton.base.paths import Home

GRACE_SECONDS = 10


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m baton.control", description="Baton's control process.")
    commands = parser.add_subparsers(dest="command", required=True)
    preparing = commands.add_parser("prepare", help="migrate the database, make the first user; prints JSON")
    preparing.add_argument("--email")
    serving = commands.add_parser("serve", help="answer the API and git on an inherited listening socket")
    serving.add_argument("--fd", type=int, default=3)
    chosen = parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "baton.control.settings")
    try:
        return prepare(chosen.email) if chosen.command == "prepare" else serve(chosen.fd)
    except BatonError as error:
        print(error, file=sys.stderr)
        return 1


def prepare(email: str | None) -> int:
    import django

    django.setup(set_prefix=False)
    from baton.control.bootstrap import prepare as prepare_home

    print(json.dumps(asdict(prepare_home(Home.find(), email))))
    return 0


def serve(fd: int) -> int:
    """One process. uvicorn ends gracefully at SIGTERM, and at the latest when its grace is over."""
    import uvicorn

    listening = socket.socket(fileno=fd)
    config = uvicorn.Config(
        "baton.control.asgi:application",
        lifespan="on",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=65,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    server.run(sockets=[listening])
    return 0 if server.started else 3


if __name__ == "__main__":
    sys.exit(main())
