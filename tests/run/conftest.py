from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.run.stage import Stage, stage


@pytest.fixture(scope="module")
def shared() -> Iterator[Stage]:
    """One supervisor for the tests of a module that do it no harm."""
    with stage(BATON_DRAIN="10") as made:
        yield made


@pytest.fixture
def own() -> Iterator[Stage]:
    """A supervisor to be killed."""
    with stage(BATON_DRAIN="10") as made:
        yield made
