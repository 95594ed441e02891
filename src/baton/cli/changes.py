"""Releases as they come about: the newest one, and waiting until it is served or has failed."""

from __future__ import annotations

import time

from baton.cli import streams
from baton.cli.api import Record
from baton.cli.errors import BadAnswer, Refused
from baton.cli.session import Session

LONGEST_RELEASE = 3900.0  # seconds; a release phase may take an hour


def newest(session: Session, count: int) -> list[Record]:
    """Releases, newest first."""
    return session.api.every(session.at("releases"), f"version ..; order=desc,max={count}", whole=False)[
        :count
    ]


def newest_version(session: Session) -> str:
    found = newest(session, 1)
    return f"v{found[0]['version']}" if found else ""


def settle(session: Session, release: Record) -> Record:
    """Shows a pending release's own output and waits for its end. Raises Refused when it failed."""
    if release["status"] == "pending":
        if release.get("output_stream_url"):
            session.out.note("Running release command...")
            for line in streams.output_lines(session.api, release["output_stream_url"]):
                session.out.program_note(line)
        release = _ended(session, release)
    if release["status"] in ("failed", "expired"):
        raise Refused(
            f"Release v{release['version']} {release['status']}; what was served before still is.",
            f"Read why with baton releases:output v{release['version']} --app {session.app}",
        )
    return release


def settle_newest(session: Session) -> None:
    for release in newest(session, 1):
        settle(session, release)


def _ended(session: Session, release: Record) -> Record:
    deadline = time.monotonic() + LONGEST_RELEASE
    while time.monotonic() < deadline:
        found: Record = session.api.get(session.at("releases", release["version"]))
        if found["status"] != "pending":
            return found
        time.sleep(0.5)
    raise BadAnswer(
        f"Release v{release['version']} is still pending after {LONGEST_RELEASE / 3600:.1f} hours."
    )
