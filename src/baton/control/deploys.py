"""Every order that the API and git give, in one place. Each is synchronous and raises `Refused` with the reason.

The functions write down what they are about to do, do it through the rooms below, and return the changed record.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from baton.control.errors import Refused
from baton.control.models import App, Build, Dyno, Formation, Release, Slug, User

__all__ = ["Refused"]


def create_app(user: User, name: str | None, *, stack: str | None = None, region: str | None = None) -> App:
    raise NotImplementedError


def destroy_app(app: App, user: User) -> None:
    raise NotImplementedError


def rename_app(app: App, name: str, user: User) -> None:
    raise NotImplementedError


def set_config(app: App, changes: Mapping[str, str | None], user: User) -> Release | None:
    """None when nothing changes."""
    raise NotImplementedError


def config(app: App) -> dict[str, str]:
    raise NotImplementedError


def build_from_source(
    app: App, source_url: str, version: str, user: User, buildpacks: Sequence[str] | None = None
) -> Build:
    """Starts a build of the tar.gz at `source_url` in a thread; its record is pending when this returns."""
    raise NotImplementedError


def cancel_build(build: Build, user: User) -> None:
    raise NotImplementedError


def release_slug(app: App, slug: Slug, user: User, description: str | None = None) -> Release:
    raise NotImplementedError


def rollback(app: App, release: Release, user: User) -> Release:
    raise NotImplementedError


def scale(app: App, updates: Iterable[Mapping[str, Any]], user: User) -> list[Formation]:
    """`updates` as Heroku's: type, quantity (2, "2", "+1", "-1"; optional), size (optional)."""
    raise NotImplementedError


def formation(app: App) -> list[Formation]:
    """The process types of the current slug, `web` first. Types that a later slug dropped keep their rows, unseen."""
    raise NotImplementedError


def restart(app: App, target: str | None, user: User) -> None:
    """`target`: None for all, "web", "web.1"."""
    raise NotImplementedError


def stop(app: App, target: str, user: User) -> None:
    raise NotImplementedError


def set_maintenance(app: App, on: bool, user: User) -> None:
    raise NotImplementedError


def set_domains(app: App, add: Sequence[str], remove: Sequence[str], user: User) -> None:
    raise NotImplementedError


def run_dyno(
    app: App,
    command: str,
    *,
    attach: bool,
    env: Mapping[str, str],
    size: str | None,
    type: str | None,  # noqa: A002 - Heroku's word
    force_no_tty: bool,
    user: User,
) -> Dyno:
    """The record of a one-off dyno; its attribute `attach_url` is None when it is not attached."""
    raise NotImplementedError


def formation_dynos(app: App) -> list[dict[str, Any]]:
    """What `baton.run.client.Supervisor.dynos` tells: name, type, state, since, command, size, release, id."""
    raise NotImplementedError


def logs(
    app: App,
    *,
    lines: int = 100,
    dyno: str | None = None,
    source: str | None = None,
    tail: bool = False,
    after: int | None = None,
) -> Iterator[tuple[int, str]]:
    """(sequence, line) pairs; blocks for more when `tail`."""
    raise NotImplementedError


def output(record: Build | Release, *, follow: bool = True) -> Iterator[bytes]:
    """What a build or a release phase printed so far; with `follow`, until the record is no longer pending."""
    raise NotImplementedError
