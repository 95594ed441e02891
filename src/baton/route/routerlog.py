"""nginx's router datagrams, turned into Heroku's router lines. Pure, and light to import.

A datagram is `<priority>date tag: ` and one JSON object, whose fields are the keys of FIELDS; all values are
strings, times are nginx's seconds with three decimals, and what nginx does not know is "-" or "".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

TAG = "baton"
LARGEST_DATAGRAM = 65536

# Field of the datagram -> variable of nginx. The document's log_format is made of this table.
FIELDS: dict[str, str] = {
    "app": "$baton_app",
    "code": "$baton_code",
    "method": "$request_method",
    "path": "$request_uri",
    "host": "$host",
    "id": "$baton_request_id",
    "fwd": "$proxy_add_x_forwarded_for",
    "connect": "$upstream_connect_time",
    "service": "$upstream_response_time",
    "status": "$status",
    "bytes": "$body_bytes_sent",
    "protocol": "$scheme",
    "promised": "$upstream_http_content_length",
    "received": "$upstream_response_length",
}

# Heroku's words, https://devcenter.heroku.com/articles/error-codes: code -> (level, description).
CODES: dict[str, tuple[str, str]] = {
    "H10": ("error", "App crashed"),
    "H12": ("error", "Request timeout"),
    "H13": ("error", "Connection closed without response"),
    "H14": ("error", "No web processes running"),
    "H17": ("error", "Poorly formatted HTTP response"),
    "H18": ("error", "Server Request Interrupted"),
    "H19": ("error", "Backend connection timeout"),
    "H21": ("error", "Backend connection refused"),
    "H26": ("error", "Request Error"),
    "H27": ("warning", "Client Request Interrupted"),
    "H28": ("warning", "Client Connection Idle"),
    "H80": ("info", "Maintenance mode"),
    "H81": ("info", "Blank app"),
    "H99": ("error", "Platform error"),
}
# Answered without any dyno: Heroku leaves dyno=, connect= and service= empty.
WITHOUT_DYNO = frozenset({"H10", "H14", "H26", "H80", "H81", "H99"})

# nginx's word for an answer without a status line, which it passes on as it is.
_HTTP_09 = "009"
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_UNSAFE = re.compile(r'[\x00-\x20"\x7f]')


@dataclass(frozen=True)
class Entry:
    """One request, as the front door saw it. Times in milliseconds, None where there was no upstream."""

    key: str
    code: str
    method: str
    path: str
    host: str
    request_id: str
    fwd: str
    connect: int | None
    service: int | None
    status: int
    bytes: int
    protocol: str


def heroku_line(datagram: bytes, dyno_of: Callable[[str], str] | None = None) -> tuple[str, str] | None:
    """The app's key and the text after `heroku[router]: `; None when the datagram is no router record.

    `dyno_of(key)` names the dyno that serves an app (`web.1`); without it, or with several dynos, it is
    `web`.
    """
    entry = parse(datagram)
    if entry is None:
        return None
    return entry.key, line(entry, dyno_of(entry.key) if dyno_of else "web")


def parse(datagram: bytes) -> Entry | None:
    """The request that a datagram tells of, or None when it is none, or of no app."""
    start = datagram.find(b"{")
    if start < 0 or len(datagram) > LARGEST_DATAGRAM:
        return None
    try:
        found = json.loads(datagram[start:].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not found.get("app"):
        return None
    return _entry({name: str(found.get(name, "")) for name in FIELDS})


def line(entry: Entry, dyno: str = "web") -> str:
    """Heroku's words for a request, in Heroku's order."""
    served = entry.code not in WITHOUT_DYNO
    fields = [
        ("method", entry.method),
        ("path", f'"{_safe(entry.path)}"'),
        ("host", _safe(entry.host)),
        ("request_id", _safe(entry.request_id)),
        ("fwd", f'"{_safe(entry.fwd, space=True)}"'),
        ("dyno", dyno if served else ""),
        ("connect", _milliseconds(entry.connect) if served else ""),
        ("service", _milliseconds(entry.service) if served else ""),
        ("status", str(entry.status)),
        ("bytes", str(entry.bytes)),
        ("protocol", entry.protocol),
    ]
    return " ".join([_level(entry.code), *(f"{name}={value}" for name, value in fields)])


def _entry(found: dict[str, str]) -> Entry:
    return Entry(
        key=found["app"],
        code=_code(found),
        method=found["method"],
        path=found["path"],
        host=found["host"],
        request_id=found["id"],
        fwd=found["fwd"],
        connect=_last_ms(found["connect"]),
        service=_last_ms(found["service"]),
        status=_whole(found["status"]),
        bytes=_whole(found["bytes"]),
        protocol=found["protocol"],
    )


def _code(found: dict[str, str]) -> str:
    """The door's own code, else what the outcome alone tells."""
    status, upstream = _whole(found["status"]), bool(_NUMBER.search(found["service"]))
    if found["code"] in CODES:
        return found["code"]
    if found["status"] == _HTTP_09:
        return "H17"
    if status == 499:
        return "H27"
    if upstream:
        return "H18" if _cut_short(found) else ""
    return {408: "H28", 400: "H26", 413: "H26", 414: "H26", 494: "H26"}.get(status, "")


def _cut_short(found: dict[str, str]) -> bool:
    """A response of known length that ended early: the dyno or the client broke off.

    Without a length (event streams, WebSockets) leaving is how a client ends one, and no error.
    """
    has_body = found["method"] != "HEAD" and found["status"] not in ("204", "304")
    return has_body and _whole(found["promised"]) > _whole(found["received"])


def _level(code: str) -> str:
    if not code:
        return "at=info"
    level, description = CODES[code]
    return f'at={level} code={code} desc="{description}"'


def _milliseconds(value: int | None) -> str:
    return "" if value is None else f"{value}ms"


def _last_ms(text: str) -> int | None:
    """nginx lists one time per upstream it asked; the last one is the answer's."""
    found = _NUMBER.findall(text)
    return round(float(found[-1]) * 1000) if found else None


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def _safe(text: str, *, space: bool = False) -> str:
    """Text that can't break out of its field: what the client wrote is percent-encoded where it could."""
    return _UNSAFE.sub(lambda m: " " if space and m[0] == " " else f"%{ord(m[0]):02X}", text)
