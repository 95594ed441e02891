"""Heroku's Platform API as a client sees it: requests, errors with exit codes, Range paging.

The token goes to the one server it was made for: redirects are not followed, and streams at other addresses
(logs, build output) are opened without it.
"""

from __future__ import annotations

import json
import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from baton import __version__
from baton.cli import servers
from baton.cli.errors import BadAnswer, CliError, NotFound, NotSignedIn, Refused, StreamLost, Unreachable

Record = dict[str, Any]

ACCEPT = "application/vnd.heroku+json; version=3"
LARGEST_ANSWER = 32 * 1024 * 1024
LONGEST_LIST = 100_000
# A change is answered when it is served, a release phase included; Heroku's limit for one is an hour.
_READ_SECONDS = {"GET": 60.0}
_CHANGE_SECONDS = 3900.0


def path(*parts: object) -> str:
    """`/apps/x/domains/y` with each part percent-encoded, slashes too."""
    return "/" + "/".join(quote(str(part), safe="~") for part in parts)


def failure(status: int, body: object, server: str, *, signed_in: bool = True) -> CliError:
    """The exception for an answer that is not 2xx. `body` is the decoded JSON, if it was any."""
    document = body if isinstance(body, dict) else {}
    message = str(document.get("message") or f"{server} answered {status}.")
    hint = str(document.get("hint") or "")
    if status == 401:
        what = (
            f"{server} does not take the token it was shown"
            if signed_in
            else f"You are not signed in to {server}"
        )
        return NotSignedIn(f"{what}.", "Type baton login, or set BATON_API_KEY.")
    if status == 404:
        return NotFound(message, hint)
    if 300 <= status < 400:
        return BadAnswer(
            f"{server} sends requests elsewhere ({status}).", "Give its final address with --host."
        )
    return Refused(message, hint, str(document.get("id") or ""))


def tls_context(environ: Mapping[str, str] = os.environ, extra: str | None = None) -> ssl.SSLContext:
    """The system's authorities, the one in BATON_CA_FILE, and `extra` (PEM text)."""
    context = ssl.create_default_context()
    named = environ.get("BATON_CA_FILE")
    try:
        if named:
            context.load_verify_locations(cafile=named)
        if extra:
            context.load_verify_locations(cadata=extra)
    except (OSError, ssl.SSLError) as error:
        raise CliError(
            f"{named or 'the authority of the server'} is not a PEM certificate that can be read ({error})."
        ) from error
    return context


class Api:
    """One server, and the token made for it."""

    def __init__(self, server: str, token: str | None) -> None:
        self.server = server
        self.token = token
        self.warnings: list[str] = []
        self._client = httpx.Client(
            base_url=server,
            verify=tls_context() if server.startswith("https:") else True,
            trust_env=not servers.is_loopback(
                urlsplit(server).hostname or ""
            ),  # no proxy stands before ourselves
            headers={"Accept": ACCEPT, "User-Agent": f"baton/{__version__}"},
        )

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def post(self, path: str, body: object = None, **options: Any) -> Any:
        return self.request("POST", path, body, **options)

    def patch(self, path: str, body: object) -> Any:
        return self.request("PATCH", path, body)

    def put(self, path: str, body: object) -> Any:
        return self.request("PUT", path, body)

    def delete(self, path: str) -> Any:
        return self.request("DELETE", path)

    def request(
        self, method: str, path: str, body: object = None, *, basic: tuple[str, str] | None = None
    ) -> Any:
        """The answer's JSON. Raises CliError by the tree of baton.cli.errors."""
        return self._send(method, path, body, basic=basic)[1]

    def every(self, path: str, span: str = "", *, whole: bool = True) -> list[Record]:
        """A list, page after page (206 with Next-Range) when `whole`. `span` is the Range header, if any."""
        found: list[Record] = []
        following: str | None = span
        while following is not None:
            answer, page = self._send("GET", path, None, headers={"Range": following} if following else {})
            if not isinstance(page, list):
                raise BadAnswer(f"Expected a list at {self.server}{path}, found {type(page).__name__}.")
            found += page
            more = whole and answer.status_code == 206 and page and len(found) < LONGEST_LIST
            following = answer.headers.get("Next-Range") if more else None
        return found

    @contextmanager
    def stream(
        self, url: str, accept: str, *, last_event: str = "", silence: float = _CHANGE_SECONDS
    ) -> Iterator[httpx.Response]:
        """An open answer at an absolute `url` that carries its own secret; the token stays at home.

        Raises StreamLost when it breaks off or nothing comes for `silence` seconds.
        """
        if not url.startswith(("http://", "https://")):
            raise BadAnswer(f"Expected an http address of a stream, found {url.partition('?')[0]!r}.")
        headers = {"Accept": accept} | ({"Last-Event-ID": last_event} if last_event else {})
        timeout = httpx.Timeout(10.0, read=silence)
        try:
            with self._client.stream("GET", url, headers=headers, timeout=timeout) as answer:
                yield answer
        except httpx.TransportError as error:
            raise StreamLost(
                f"The stream from {urlsplit(url).netloc} broke off ({_reason(error)})."
            ) from error

    def _send(
        self,
        method: str,
        path: str,
        body: object,
        *,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
    ) -> tuple[httpx.Response, Any]:
        sent = dict(headers or {})
        if not basic and self.token:
            sent["Authorization"] = f"Bearer {self.token}"
        timeout = httpx.Timeout(10.0, read=_READ_SECONDS.get(method, _CHANGE_SECONDS))
        auth = httpx.BasicAuth(*basic) if basic else None
        try:
            with self._client.stream(
                method, path, json=body, headers=sent, auth=auth, timeout=timeout
            ) as answer:
                content = _bounded(answer)
        except httpx.TransportError as error:
            raise Unreachable(self.server, _reason(error)) from error
        return answer, self._understood(answer, content, bool(basic or self.token))

    def _understood(self, answer: httpx.Response, content: bytes, signed_in: bool) -> Any:
        warning = answer.headers.get("X-Heroku-Warning") or answer.headers.get("Warning-Message")
        if warning and warning not in self.warnings:
            self.warnings.append(warning)
        try:
            document = json.loads(content) if content.strip() else {}
        except (ValueError, RecursionError):
            document = None
        if not answer.is_success:
            raise failure(answer.status_code, document, self.server, signed_in=signed_in)
        if document is None:
            raise BadAnswer(
                f"{self.server} answered something that is not JSON.",
                "Is that the address of a Baton server?",
            )
        return document


def _bounded(answer: httpx.Response) -> bytes:
    content = bytearray()
    for chunk in answer.iter_bytes():
        content += chunk
        if len(content) > LARGEST_ANSWER:
            raise BadAnswer(f"The answer is longer than {LARGEST_ANSWER // 1024 // 1024} MB.")
    return bytes(content)


def _reason(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__
