"""What the supervisor should run, according to the records; and having it do so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from baton.control import configuration, formations, frontdoor, ledger, machine
from baton.control.models import App, Release
from baton.control.specs import spec_of
from baton.run.specs import AppSpec


def spec_now(app: App) -> AppSpec | None:
    """None for an app without a release."""
    release = ledger.current_release(app)
    return spec_of_release(app, release) if release else None


def spec_of_release(app: App, release: Release) -> AppSpec:
    config = configuration.of_release(machine.home(), release)
    return spec_of(app, release, config, formations.of_slug(app, release.slug), frontdoor.hosts_of(app))


def reapply(app: App) -> None:
    """Has the supervisor run what the records say; changes nothing where it does already. Raises RunError."""
    spec = spec_now(app)
    if spec is not None and app.destroyed_at is None:
        machine.supervisor().deploy(spec, f"{spec.release_id}-again")


def agrees(app: App, status: Mapping[str, Any]) -> bool:
    """Whether what the supervisor says of an app is what the records say; quantities are not compared."""
    release = ledger.current_release(app)
    served = status.get("apps", {}).get(app.key)
    if release is None or served is None:
        return False
    return bool(served["release_id"] == str(release.id)) and (served["page"] == "h80") == app.maintenance
