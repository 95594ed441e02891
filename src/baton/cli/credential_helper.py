"""What git asks `baton git:credentials`: a server's user and password, as gitcredentials(7) has it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

from baton.cli import credentials, servers
from baton.cli.errors import CliError

LONGEST_REQUEST = 64 * 1024


def main(operation: str) -> int:
    """`get` prints what is known of the server on stdin; Baton keeps and forgets nothing at git's wish."""
    if operation != "get":
        return 0
    try:
        found = answer(sys.stdin.read(LONGEST_REQUEST), os.environ)
    except CliError as error:
        sys.stderr.write(f"baton: {error}\n")
        return int(error.exit_code)
    sys.stdout.write(found)
    return 0


def answer(request: str, environ: Mapping[str, str]) -> str:
    """Nothing for a server that we have no token for: git asks somebody else then. Raises CliError."""
    server = asked_server(parse_request(request))
    if server is None:
        return ""
    token = credentials.token_for(server, environ, credentials.load(credentials.location(environ)))
    return f"username=baton\npassword={token}\n" if token else ""


def parse_request(text: str) -> Mapping[str, str]:
    return {key: value for line in text.splitlines() for key, sign, value in [line.partition("=")] if sign}


def asked_server(asked: Mapping[str, str]) -> str | None:
    return servers.of_url(f"{asked.get('protocol', '')}://{asked.get('host', '')}")
