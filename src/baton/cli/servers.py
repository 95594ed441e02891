"""Addresses of Baton servers: one spelling for each, and which of them a command speaks to."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from baton.cli.errors import UsageError

DEFAULT_SERVER = "http://127.0.0.1:5100"
_USUAL_PORTS = {"http": 80, "https": 443}


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine: localhost, *.localhost (RFC 6761), 127.0.0.0/8, ::1."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def normalise(address: str) -> str:
    """`scheme://host[:port]` of an address as people type it. Raises UsageError.

    Without a scheme this machine is spoken to by http and every other one by https. Plain http to another
    machine is refused: it would carry the token in clear.
    """
    given = address.strip()
    scheme, host, port = _parts(given if "://" in given else f"//{given}", address)
    scheme = scheme or ("http" if is_loopback(host) else "https")
    if scheme == "http" and not is_loopback(host):
        raise UsageError(
            f"{address} would carry your token over the network unencrypted.",
            f"Use https://{host}, or a tunnel: ssh -L 5100:127.0.0.1:5100 {host}",
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port in (None, _USUAL_PORTS[scheme]) else f"{scheme}://{shown}:{port}"


def of_url(url: str) -> str | None:
    """The server that a git remote's URL belongs to, or None when it can't be one."""
    if not url.startswith(("http://", "https://")):
        return None
    try:
        parts = urlsplit(url)
        return normalise(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}")
    except (UsageError, ValueError):
        return None


def explicit(option: str | None, environ: Mapping[str, str]) -> str | None:
    """The server that --host or BATON_HOST names."""
    named = option or environ.get("BATON_HOST")
    return normalise(named) if named else None


def _parts(text: str, address: str) -> tuple[str, str, int | None]:
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    plain = not (parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"))
    if not host or not plain or parts.scheme not in ("", "http", "https") or any(c.isspace() for c in host):
        raise UsageError(
            f"{address!r} is not a server's address.",
            f"Expected something like {DEFAULT_SERVER} or baton.example.org.",
        )
    return parts.scheme, host, port
