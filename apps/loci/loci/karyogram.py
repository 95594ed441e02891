"""Chromosomes drawn to scale: the numbers behind the drawing, and a few facts in words.

Lengths come from the API. Where a chromosome narrows comes from the band map of GRCh37, rounded to
100,000 bases; it serves the drawing only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .api import Accession

TALLEST = 148.0  # height of the longest chromosome, in units of the drawing
SHORTEST = 7.0  # the mitochondrial sequence would otherwise be a hundredth of a unit
WIDTH = 16.0
WAIST = 2.0  # the gap between the two arms

# chromosome: (length in bases, centromere in bases)
GRCH37: dict[str, tuple[int, int]] = {
    "1": (249250621, 125_000_000),
    "2": (243199373, 93_300_000),
    "3": (198022430, 91_000_000),
    "4": (191154276, 50_400_000),
    "5": (180915260, 48_400_000),
    "6": (171115067, 61_000_000),
    "7": (159138663, 59_900_000),
    "8": (146364022, 45_600_000),
    "9": (141213431, 49_000_000),
    "10": (135534747, 40_200_000),
    "11": (135006516, 53_700_000),
    "12": (133851895, 35_800_000),
    "13": (115169878, 17_900_000),
    "14": (107349540, 17_600_000),
    "15": (102531392, 19_000_000),
    "16": (90354753, 36_600_000),
    "17": (81195210, 24_000_000),
    "18": (78077248, 17_200_000),
    "19": (59128983, 26_500_000),
    "20": (63025520, 27_500_000),
    "21": (48129895, 13_200_000),
    "22": (51304566, 14_700_000),
    "X": (155270560, 60_600_000),
    "Y": (59373566, 12_500_000),
}


@dataclass(frozen=True)
class Arm:
    y: float
    height: float
    radius: float


@dataclass(frozen=True)
class Drawn:
    """A chromosome as the template draws it: arms from top to bottom within ``height`` units."""

    accession: Accession
    height: float
    arms: tuple[Arm, ...]
    is_current: bool
    share: float  # of the longest, in percent

    @property
    def width(self) -> float:
        return WIDTH


@dataclass(frozen=True)
class Facts:
    rank: int
    count: int
    percent_of_all: float
    million_bases: float


def draw(accessions: Iterable[Accession], current_id: str = "") -> list[Drawn]:
    """Every sequence to the scale of the longest one, in the order given."""
    every = list(accessions)
    longest = max((item.length for item in every), default=1)
    return [_draw(item, longest, item.id == current_id) for item in every]


def illustration() -> list[Drawn]:
    """The 24 nuclear chromosomes, for the page of whoever is not signed in."""
    return draw(Accession(id="", chromosome=name, length=length) for name, (length, _) in GRCH37.items())


def facts(shown: Accession, accessions: Iterable[Accession]) -> Facts:
    lengths = sorted((item.length for item in accessions), reverse=True)
    total = sum(lengths) or 1
    rank = 1 + sum(length > shown.length for length in lengths)
    return Facts(rank, len(lengths), 100 * shown.length / total, shown.length / 1e6)


def _draw(item: Accession, longest: int, is_current: bool) -> Drawn:
    height = max(SHORTEST, TALLEST * item.length / longest)
    arms = _arms(height, _waist_at(item, height))
    return Drawn(item, round(height, 2), arms, is_current, round(100 * item.length / longest, 2))


def _waist_at(item: Accession, height: float) -> float | None:
    length, centromere = GRCH37.get(item.chromosome, (0, 0))
    return height * centromere / length if length else None


def _arms(height: float, waist: float | None) -> tuple[Arm, ...]:
    if waist is None:
        return (_arm(0, height),)
    return _arm(0, waist - WAIST / 2), _arm(waist + WAIST / 2, height)


def _arm(top: float, bottom: float) -> Arm:
    height = bottom - top
    return Arm(round(top, 2), round(height, 2), round(min(WIDTH / 2, height / 2), 2))
