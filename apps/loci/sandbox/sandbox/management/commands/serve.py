"""Starts the sandbox on this machine: tables first, then gunicorn in this process's place."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Prepare the database and serve the sandbox."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=int(os.environ.get("PORT", "8023")))

    def handle(self, *args: Any, host: str, port: int, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        self.stdout.write(f"API_URL=http://{host}:{port}\nAPI_CLIENT_ID={settings.SANDBOX_CLIENT_ID}")
        self.stdout.flush()
        os.chdir(settings.BASE_DIR)
        os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *gunicorn_arguments(host, port)])  # noqa: S606


def gunicorn_arguments(host: str, port: int) -> list[str]:
    return ["sandbox.wsgi:application", "--config", "sandbox/gunicorn.py", "--bind", f"{host}:{port}"]
