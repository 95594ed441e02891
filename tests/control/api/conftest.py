"""A home of its own for each test, an account with a token, a caller that checks answers by the schema."""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient
from django.test.client import FakePayload
from pytest_django.fixtures import Settings as DjangoSettings

from baton.base.paths import Home
from baton.base.secrets import digest
from baton.base.settings import Settings
from baton.control.api import auth, frame, limits
from baton.control.models import App, Release, Slug, Token, User
from tests.control.api.contract import check
from tests.control.api.live import Client
from tests.machine import Machine, machine

__all__ = ["machine"]  # a whole Baton, for what a client in the same process can't see
PASSWORD = "correct horse battery staple"


@dataclass
class Caller:
    """Django's client with a token; every answer is held against Heroku's schema."""

    user: User
    token: str
    headers: dict[str, str] = field(default_factory=dict)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        sent = {"Authorization": f"Bearer {self.token}", **self.headers}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        response = async_to_sync(AsyncClient().request)(**_scope(method, path, data, sent))
        check(method, path, response.status_code, response.content)
        return response

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("PATCH", path, body, **headers)

    def put(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("PUT", path, body, **headers)

    def delete(self, path: str, **headers: str) -> Any:
        return self.call("DELETE", path, **headers)


def _scope(method: str, path: str, body: bytes, headers: dict[str, str]) -> dict[str, Any]:
    """What uvicorn gives to Django: the path as it was sent and decoded, the query, the headers."""
    raw, _, query = path.partition("?")
    sent = {
        "host": "testserver",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **headers,
    }
    return {
        "method": method,
        "path": unquote(raw),
        "raw_path": raw.encode(),
        "query_string": query,
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in sent.items()],
        "_body_file": FakePayload(body),
    }


@pytest.fixture
def home(settings: DjangoSettings) -> Iterator[Home]:
    """An empty home on a short path: Unix sockets lie below it."""
    root = Path(tempfile.mkdtemp(prefix="baton-", dir="/tmp"))
    settings.HOME = Home.at(root)
    settings.BATON = Settings(disk_reserve_mb=1)
    yield settings.HOME
    shutil.rmtree(root)


@pytest.fixture(autouse=True)
def fresh_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters live as long as the process; here, as long as a test."""
    monkeypatch.setattr(frame, "bucket", limits.Bucket())
    monkeypatch.setattr(auth, "throttle", limits.Throttle())


def make_caller(email: str, **fields: Any) -> Caller:
    user = User.objects.create_user(email, PASSWORD, **fields)
    token = f"HRKU-{secrets.token_urlsafe(32)}"
    Token.objects.create(user=user, digest=digest(token), description="tests", scope=["global"])
    return Caller(user, token)


@pytest.fixture
def api(db: None, home: Home) -> Caller:
    return make_caller("ada@example.com")


@pytest.fixture
def stranger(db: None, home: Home) -> Caller:
    return make_caller("eve@example.com")


def make_app(owner: User, name: str = "tidy-harbor", **fields: Any) -> App:
    return App.objects.create(owner=owner, name=name, number=App.objects.count() + 1, **fields)


def make_release(app: App, version: int, **fields: Any) -> Release:
    return Release.objects.create(
        app=app,
        version=version,
        user=app.owner,
        description=f"Deploy {version}",
        sealed_config="",
        **{"status": "succeeded", **fields},
    )


@pytest.fixture
def app(api: Caller) -> App:
    """An app with three releases; the last one is served."""
    app = make_app(api.user)
    slug = Slug.objects.create(
        app=app,
        path="/nonexistent",
        process_types={"web": "gunicorn site.wsgi", "release": "python manage.py migrate"},
        buildpack_provided_description="Python",
    )
    for version in (1, 2, 3):
        make_release(app, version, slug=slug if version > 1 else None, current=version == 3)
    return app


@pytest.fixture(scope="session")
def live(machine: Machine) -> Iterator[Client]:
    client = Client(machine)
    yield client
    client.http.close()
