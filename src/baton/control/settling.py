"""An operation whose owner died is finished when what it was to bring is served, and undone otherwise."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from baton.base.paths import Home
from baton.control import ledger, trees
from baton.control.models import Build, Operation, Release
from baton.control.operations import Kind
from baton.control.states import Settlement, Status, settlement

log = logging.getLogger(__name__)
REASON = "Baton was restarted before this was finished; nothing that is served was changed. Do it again."


def settle(operation: Operation, home: Home, status: Mapping[str, Any]) -> Settlement:
    """`status` is what the supervisor says is served."""
    if operation.kind == Kind.BUILD:
        verdict = _settle_build(operation, home)
    else:
        verdict = _settle_change(operation, home, status)
    log.info("%s %s of %s: %s", operation.kind, operation.pk, operation.app.name, verdict)
    return verdict


def served_release(status: Mapping[str, Any], key: str) -> str | None:
    """The id of the release that the supervisor serves for an app."""
    app = status.get("apps", {}).get(key) or {}
    return app.get("release_id") or None


def _settle_change(operation: Operation, home: Home, status: Mapping[str, Any]) -> Settlement:
    release = operation.release
    served = release is not None and served_release(status, operation.app.key) == str(release.id)
    verdict = settlement(operation.state, served)
    if verdict is Settlement.FINISH:
        ledger.finish_release(operation, home)
    else:
        ledger.fail(operation, REASON)
    return verdict


def _settle_build(operation: Operation, home: Home) -> Settlement:
    build = operation.build
    release = _release_of(build)
    verdict = settlement(operation.state, release is not None)
    if verdict is Settlement.FINISH and release is not None:
        ledger.finish_build(operation, release)
    else:
        ledger.fail(operation, REASON)
    if build is not None:
        discard(build, home)
    return verdict


def _release_of(build: Build | None) -> Release | None:
    if build is None or build.slug is None:
        return None
    return build.slug.releases.filter(app=build.app, status=Status.SUCCEEDED).order_by("-version").first()


def discard(build: Build, home: Home) -> None:
    """What a build leaves on disk besides its slug; and the slug's directory when it was not completed."""
    trees.remove(home.builds / str(build.id))
    if build.slug is None:
        trees.remove(home.slugs / str(build.id))
