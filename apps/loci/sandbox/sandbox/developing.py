"""What a developer's sandbox assumes, so that one command starts it. They match Loci's local settings."""

from __future__ import annotations

from collections.abc import MutableMapping

DEFAULTS = {
    "DEBUG": "true",
    "DJANGO_SECRET_KEY": "a key for developing, which protects nothing",
    "SANDBOX_CLIENT_ID": "10c1" * 8,
    "SANDBOX_CLIENT_SECRET": "5ec2" * 8,
    "SANDBOX_REDIRECT_URIS": " ".join(
        f"http://{host}:{port}/receive_code/" for host in ("127.0.0.1", "localhost") for port in (5000, 8000)
    ),
}


def prepare(environ: MutableMapping[str, str]) -> None:
    """Set what is not set."""
    for name, value in DEFAULTS.items():
        environ.setdefault(name, value)
