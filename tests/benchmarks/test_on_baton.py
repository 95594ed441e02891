"""The benchmarks' own way through a whole machine, and through a deploy by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import ten_pushes
from benchmarks.hand import ByHand
from benchmarks.stage import stage

pytestmark = pytest.mark.slow
SOME = tuple(
    push for push in ten_pushes.PUSHES if push.name in ("a good one", "ImportError in settings", "rollback")
)


def test_pushes_of_a_program_that_knows_only_its_port_end_as_designed_under_load() -> None:
    with stage() as baton:
        rows = ten_pushes.Course(baton.app(), "port", SOME).run(rate=50)
    assert [(row.push.name, row.complaints, row.tally.failures) for row in rows] == [
        (push.name, [], []) for push in SOME
    ]
    assert [row.served for row in rows] == ["v2/one", "v2/one", "v2/one"]
    assert all(row.tally.sent > 0 for row in rows)


def test_a_deploy_by_hand_serves_the_new_version_and_loses_requests(tmp_path: Path) -> None:
    site = ByHand(tmp_path / "site")
    try:
        (row,) = ten_pushes.Course(site, "port", SOME[:1]).run(rate=50)
    finally:
        site.close()
    assert row.complaints == []
    assert row.tally.lost > 0
