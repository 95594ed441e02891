"""A client of a whole Baton, which holds each answer against the schema."""

from __future__ import annotations

from typing import Any

import httpx

from tests.control.api.contract import check
from tests.machine import Machine


class Client:
    """Requests to one machine with its first user's token."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        headers = {"Authorization": f"Bearer {machine.token}"}
        url = machine.settings.control_url
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False)

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        answer = self.http.request(method, path, json=body, headers=headers)
        check(method, path, answer.status_code, answer.content)
        return answer

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """For what has to succeed: the answer's body."""
        answer = self(method, path, body, **headers)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def text(self, url: str) -> str:
        """What a secret URL streams, without a token."""
        answer = httpx.get(url, timeout=60, trust_env=False)
        assert answer.status_code == 200, answer.text
        return answer.text
