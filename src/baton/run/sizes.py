"""Dyno sizes: Heroku's names and quotas (https://devcenter.heroku.com/articles/dyno-types)."""

from __future__ import annotations

from dataclasses import dataclass

from baton.run.errors import SpecError

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Size:
    """`memory` is the quota in bytes: over it is R14. `limit`, twice that, is where the kernel kills: R15."""

    name: str
    memory: int
    cpu_weight: int  # relative, 100 is a Standard-1X
    processes: int
    sleeps: bool = False

    @property
    def limit(self) -> int:
        return 2 * self.memory


SIZES = (
    Size("Eco", 512 * MEGABYTE, 50, 256, sleeps=True),
    Size("Basic", 512 * MEGABYTE, 50, 256),
    Size("Standard-1X", 512 * MEGABYTE, 100, 256),
    Size("Standard-2X", 1024 * MEGABYTE, 200, 512),
    Size("Performance-M", 2560 * MEGABYTE, 400, 16384),
    Size("Performance-L", 14336 * MEGABYTE, 800, 32768),
)
_BY_NAME = {size.name.lower(): size for size in SIZES}


def size(name: str) -> Size:
    """The size of that name in any case. Raises SpecError."""
    found = _BY_NAME.get(name.lower())
    if found is None:
        names = ", ".join(known.name for known in SIZES)
        raise SpecError(f"A dyno size is one of {names}; found {name!r}.", "Choose one of these sizes.")
    return found
