"""The pure machines: a dyno's state, a generation's way through a hand-over, where the front door leads.

Nothing here touches a process, a socket or a clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class DynoState(StrEnum):
    """Heroku's names."""

    STARTING = "starting"
    UP = "up"
    IDLE = "idle"
    CRASHED = "crashed"
    DOWN = "down"


class DynoEvent(StrEnum):
    STARTED = "started"
    ANSWERED = "answered"
    EXITED = "exited"
    SLEPT = "slept"
    STOPPED = "stopped"


class HandoverState(StrEnum):
    """BOOTING: not seen by anybody. SERVING: the front door leads here. DRAINING: finishes what it has."""

    BOOTING = "booting"
    READY = "ready"
    SERVING = "serving"
    DRAINING = "draining"
    DISCARDED = "discarded"
    CLOSED = "closed"


class HandoverEvent(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    FLIPPED = "flipped"
    REPLACED = "replaced"
    EMPTIED = "emptied"


class NotPossible(Exception):
    """An event that a state does not know: a defect of the caller."""


_DYNO = {
    (DynoState.DOWN, DynoEvent.STARTED): DynoState.STARTING,
    (DynoState.CRASHED, DynoEvent.STARTED): DynoState.STARTING,
    (DynoState.IDLE, DynoEvent.STARTED): DynoState.STARTING,
    (DynoState.STARTING, DynoEvent.ANSWERED): DynoState.UP,
    (DynoState.STARTING, DynoEvent.EXITED): DynoState.CRASHED,
    (DynoState.UP, DynoEvent.EXITED): DynoState.CRASHED,
    (DynoState.UP, DynoEvent.SLEPT): DynoState.IDLE,
    **{(state, DynoEvent.STOPPED): DynoState.DOWN for state in DynoState},
}
_HANDOVER = {
    (HandoverState.BOOTING, HandoverEvent.PASSED): HandoverState.READY,
    (HandoverState.BOOTING, HandoverEvent.FAILED): HandoverState.DISCARDED,
    (HandoverState.READY, HandoverEvent.FAILED): HandoverState.DISCARDED,
    (HandoverState.READY, HandoverEvent.FLIPPED): HandoverState.SERVING,
    (HandoverState.SERVING, HandoverEvent.REPLACED): HandoverState.DRAINING,
    (HandoverState.DRAINING, HandoverEvent.EMPTIED): HandoverState.CLOSED,
    (HandoverState.DISCARDED, HandoverEvent.EMPTIED): HandoverState.CLOSED,
}


def dyno_after(state: DynoState, event: DynoEvent) -> DynoState:
    """The next state. Raises NotPossible."""
    try:
        return _DYNO[state, event]
    except KeyError:
        raise NotPossible(f"a dyno that is {state} can't be {event}") from None


def handover_after(state: HandoverState, event: HandoverEvent) -> HandoverState:
    """The next state. Raises NotPossible."""
    try:
        return _HANDOVER[state, event]
    except KeyError:
        raise NotPossible(f"a generation that is {state} can't be {event}") from None


@dataclass(frozen=True)
class WebDyno:
    """What the front door's direction depends on: a web dyno's state and its failures in a row."""

    state: DynoState
    failures: int = 0

    @property
    def hopeful(self) -> bool:
        """It serves, or will in a moment: connections may wait for it."""
        if self.state in (DynoState.UP, DynoState.IDLE):
            return True
        return self.failures <= 1 and self.state in (DynoState.STARTING, DynoState.CRASHED)


def page(*, blank: bool, maintenance: bool, web: Sequence[WebDyno]) -> str | None:
    """The H-code of the page that answers for the app; None when its serving generation does."""
    if maintenance:
        return "h80"
    if blank:
        return "h81"
    if all(dyno.state is DynoState.DOWN for dyno in web):
        return "h14"
    return None if any(dyno.hopeful for dyno in web) else "h10"


LONGEST_PAUSE = 600.0


def pause_before_restart(failures: int) -> float:
    """Seconds to wait before the start that follows `failures` failures in a row: at once, then 1, 2, 4 ...
    600.
    """
    return 0.0 if failures <= 1 else min(LONGEST_PAUSE, 2.0 ** (failures - 2))
