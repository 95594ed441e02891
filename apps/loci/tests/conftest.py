"""Loci in this process, talking to the real sandbox; for what would be slow to provoke through a browser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from django.core.cache import cache
from django.test import Client
from support import grant


@pytest.fixture(autouse=True)
def _fresh_reference_data() -> None:
    cache.clear()


@pytest.fixture
def with_sandbox(settings: Any, sandbox: Any) -> Any:
    """Points Loci's settings at the sandbox."""
    settings.API_URL, settings.API_CA_FILE = sandbox.url, sandbox.authority
    return sandbox


@dataclass
class Person:
    """Somebody with a browser: ``client`` is its side towards Loci, ``site`` its side towards the API."""

    client: Client
    site: requests.Session

    def begin(self, next_url: str = "/") -> str:
        return self.client.get("/login/", {"next": next_url}, secure=True).headers["Location"]

    def answer_for(self, persona: str = "ada", answer: str = "yes", next_url: str = "/") -> dict[str, str]:
        """The parameters that the API sends back."""
        location = grant(self.site, self.begin(next_url), persona, answer)
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}

    def receive(self, parameters: dict[str, str]) -> Any:
        return self.client.get("/receive_code/", parameters, secure=True)

    def sign_in(self, persona: str = "ada", next_url: str = "/") -> Any:
        return self.receive(self.answer_for(persona, next_url=next_url))

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, secure=True, headers=headers or None)


@pytest.fixture
def person(db: None, with_sandbox: Any) -> Person:
    return Person(Client(), with_sandbox.session())


@pytest.fixture
def other_person(db: None, with_sandbox: Any) -> Person:
    return Person(Client(), with_sandbox.session())
