"""Bytes to and from the API: one pool of connections, always verified, every answer bounded and parsed."""

from __future__ import annotations

import ipaddress
import json
import re
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth

from .errors import ApiTimeout, ApiUnreachable, ApiUnreadable, refusal

MAX_ANSWER_BYTES = 8 * 1024 * 1024
MAX_ANSWER_SECONDS = 60.0
_SAFE_CODE = re.compile(r"[a-z][a-z_]{0,39}\Z")


def is_safe_base_url(url: str) -> bool:
    """Whether tokens may be sent there: https, or a loopback address on this very machine."""
    parts = urlsplit(url)
    if not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class _Bearer(AuthBase):
    """Sends a token, or nothing. Given with every request, so that no ``.netrc`` entry is sent instead."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class Transport:
    """JSON over HTTP to one API. Safe to share between threads."""

    def __init__(self, base_url: str, timeout: tuple[float, float], ca_file: str = "") -> None:
        """``timeout``: seconds to connect, and between two bytes. ``ca_file``: authorities in PEM form."""
        self.base_url = base_url.rstrip("/")
        self.host = urlsplit(base_url).netloc
        self._timeout = timeout
        self._session = requests.Session()
        # Nothing that one person's answer sets may travel with another person's request.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        # Given with every request: variables of the environment outrank a session's own setting.
        self._verify = ca_file or True
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=32))

    def url(self, path: str) -> str:
        return self.base_url + path

    def get(self, path: str, token: str | None = None, params: Mapping[str, str] | None = None) -> Any:
        """The document at ``path``. Asked once more when the connection itself failed."""
        try:
            return self._send("GET", path, auth=_Bearer(token), params=params)
        except ApiTimeout:
            raise
        except ApiUnreachable:
            return self._send("GET", path, auth=_Bearer(token), params=params)

    def post_form(self, path: str, form: str, client: tuple[str, str]) -> Any:
        """The answer to a form, the client's id and secret sent as HTTP Basic. Never repeated."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._send("POST", path, auth=HTTPBasicAuth(*client), data=form, headers=headers)

    def _send(self, method: str, path: str, headers: Mapping[str, str] | None = None, **options: Any) -> Any:
        try:
            with self._session.request(
                method,
                self.url(path),
                headers={"Accept": "application/json", **(headers or {})},
                timeout=self._timeout,
                verify=self._verify,
                allow_redirects=False,
                stream=True,
                **options,
            ) as answer:
                return _document(path, answer, _body(path, answer))
        except requests.Timeout as error:
            raise ApiTimeout(self.host) from error
        except requests.RequestException as error:
            raise ApiUnreachable(self.host, _reason(error)) from error


def _body(path: str, answer: requests.Response) -> bytes:
    body, deadline = bytearray(), time.monotonic() + MAX_ANSWER_SECONDS
    for chunk in answer.iter_content(64 * 1024):
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise ApiUnreadable(path, f"at most {MAX_ANSWER_BYTES} bytes", "more")
        if time.monotonic() > deadline:
            raise requests.Timeout
    return bytes(body)


def _document(path: str, answer: requests.Response, body: bytes) -> Any:
    if not answer.ok or answer.is_redirect:
        raise refusal(path, answer.status_code, _error_code(body), _retry_after(answer))
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        kind = answer.headers.get("Content-Type", "").split(";")[0] or "no content type"
        raise ApiUnreadable(path, "JSON", f"{len(body)} bytes of {kind[:60]}") from error


def _error_code(body: bytes) -> str:
    try:
        code = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return code if isinstance(code, str) and _SAFE_CODE.match(code) else ""


def _retry_after(answer: requests.Response) -> int | None:
    value = answer.headers.get("Retry-After", "")
    return min(int(value), 24 * 3600) if value.isascii() and value.isdigit() and len(value) < 10 else None


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate is not trusted"
    return "the connection failed"
