"""Which tests `bin/test --fast` leaves out: those that start supervisors or whole machines, but for a few."""

from __future__ import annotations

import pytest

from baton.route.errors import NginxMissing
from baton.route.front import find_nginx

STARTED = {"machine", "fresh_machine", "shared", "own"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        starts = STARTED & set(getattr(item, "fixturenames", ()))
        if (starts and not item.get_closest_marker("smoke")) or speaks_to_an_older_nginx(item):
            item.add_marker(pytest.mark.slow)


def speaks_to_an_older_nginx(item: pytest.Item) -> bool:
    """The same test runs on the nginx that Baton would take, in the fast run too."""
    callspec = getattr(item, "callspec", None)
    nginx = callspec.params.get("nginx") if callspec else None
    try:
        return nginx is not None and nginx.version != find_nginx().version
    except NginxMissing:
        return False
