from __future__ import annotations

from pathlib import Path

import pytest

from baton.build import engines
from baton.build.engines import Node
from baton.build.errors import PackageJsonError

BUNDLED = Node("24.19.0", Path("/wheel"))
DISTRIBUTION = Node("20.20.2", None)


@pytest.mark.parametrize(
    ("range_", "chosen"),
    [
        ("", BUNDLED),
        ("*", BUNDLED),
        (">=20", BUNDLED),
        (">= 20", BUNDLED),
        ("24.x", BUNDLED),
        ("^24.1.0", BUNDLED),
        ("20.x", DISTRIBUTION),
        ("20", DISTRIBUTION),
        ("^20.1.0 ", DISTRIBUTION),
        ("v20.20.2", DISTRIBUTION),
        ("18 || 20", None),
        (">=18 <23", None),
        ("22.x", None),
    ],
)
def test_the_range_decides(range_: str, chosen: Node | None) -> None:
    assert engines.choose(engines.spec(range_), BUNDLED, DISTRIBUTION) == chosen


@pytest.mark.parametrize(
    ("range_", "asked"),
    [
        ("22.x", ["22.*"]),
        (">=18 <23", ["22.*", "20.*", "18.*"]),
        ("~20.11.0", ["20.11.*"]),
        ("20.11.1", ["20.11.1"]),
        ("18 || 22", ["22.*", "18.*"]),
    ],
)
def test_the_package_index_is_asked_for_what_the_range_admits(range_: str, asked: list[str]) -> None:
    spec = engines.spec(range_)
    assert spec is not None
    assert [item.partition("==")[2] for item in engines.requirements(spec)] == asked


def test_nonsense_is_refused() -> None:
    with pytest.raises(PackageJsonError, match="nonsense"):
        engines.spec("nonsense")
