"""A developer's machine: plain HTTP, SQLite, the sandbox as the API, and ``.env`` for what differs."""

import os
from pathlib import Path

import environ

environ.Env.read_env(Path(__file__).resolve().parents[2] / ".env")
for _name, _value in {
    "DEBUG": "true",
    "DJANGO_SECRET_KEY": "a key for developing, which protects nothing",
    "DATABASE_URL": f"sqlite:///{Path(__file__).resolve().parents[2] / 'db.sqlite3'}",
    "API_URL": "http://127.0.0.1:8023",
    "API_CLIENT_ID": "10c1" * 8,
    "API_CLIENT_SECRET": "5ec2" * 8,
}.items():
    os.environ.setdefault(_name, _value)

from .common import *  # noqa: E402, F403

ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]", ".localhost"]
