"""The drawing's geometry."""

from __future__ import annotations

from loci import karyogram
from loci.api import Accession

FOUR = Accession("NC_000004.11", "4", 191154276)
LONGEST = Accession("NC_000001.10", "1", 249250621)
RING = Accession("NC_012920.1", "MT", 16569)


def test_heights_are_to_scale_and_the_smallest_stays_visible() -> None:
    longest, four, ring = karyogram.draw([LONGEST, FOUR, RING], FOUR.id)
    assert longest.height == karyogram.TALLEST
    assert abs(four.height / longest.height - FOUR.length / LONGEST.length) < 0.001
    assert ring.height == karyogram.SHORTEST and len(ring.arms) == 1
    assert [item.is_current for item in (longest, four, ring)] == [False, True, False]


def test_arms_meet_at_the_waist_and_stay_inside() -> None:
    for drawn in karyogram.illustration():
        short, long = drawn.arms
        assert short.y == 0 and short.height > 0 and long.height > 0
        assert abs(long.y - short.height - karyogram.WAIST) < 0.02
        assert abs(long.y + long.height - drawn.height) < 0.02


def test_nothing_is_drawn_of_nothing() -> None:
    assert karyogram.draw([]) == []


def test_facts_rank_by_length() -> None:
    facts = karyogram.facts(FOUR, [RING, FOUR, LONGEST])
    assert (facts.rank, facts.count) == (2, 3)
    assert round(facts.percent_of_all) == 43
