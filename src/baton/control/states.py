"""The machines that builds, releases and operations go through: names, one transition function, no effects.

An operation's states, with the event that leads on:

    recorded ─ START_BUILD ─> building ─ HAVE_SLUG ─> releasing ─ SERVE ─> finished
        ├───── START_PHASE ─> release-phase ─┐
        └───── HAND_OVER ────────────────────┴─ HAND_OVER ─> handing-over ─ SERVE ─> finished
    any open state ─ FAIL ─> undone
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from baton.control.errors import IllegalTransition


class State(StrEnum):
    """Where an operation is. It is written down before the step that it names begins."""

    RECORDED = "recorded"
    BUILDING = "building"
    RELEASING = "releasing"
    PHASE = "release-phase"
    HANDING_OVER = "handing-over"
    FINISHED = "finished"
    UNDONE = "undone"


class Event(StrEnum):
    START_BUILD = "start-build"
    HAVE_SLUG = "have-slug"
    START_PHASE = "start-phase"
    HAND_OVER = "hand-over"
    SERVE = "serve"
    FAIL = "fail"


class Status(StrEnum):
    """Of a build or a release, in Heroku's words."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"


class Outcome(StrEnum):
    SUCCEED = "succeed"
    FAIL = "fail"
    EXPIRE = "expire"


class Settlement(StrEnum):
    """What is to be done about an operation whose owner died."""

    FINISH = "finish"
    UNDO = "undo"


CLOSED = frozenset({State.FINISHED, State.UNDONE})

OPERATION: dict[tuple[State, Event], State] = {
    (State.RECORDED, Event.START_BUILD): State.BUILDING,
    (State.BUILDING, Event.HAVE_SLUG): State.RELEASING,
    (State.RELEASING, Event.SERVE): State.FINISHED,
    (State.RECORDED, Event.START_PHASE): State.PHASE,
    (State.RECORDED, Event.HAND_OVER): State.HANDING_OVER,
    (State.PHASE, Event.HAND_OVER): State.HANDING_OVER,
    (State.HANDING_OVER, Event.SERVE): State.FINISHED,
    **{(state, Event.FAIL): State.UNDONE for state in State if state not in CLOSED},
}

OUTCOME: dict[tuple[Status, Outcome], Status] = {
    (Status.PENDING, Outcome.SUCCEED): Status.SUCCEEDED,
    (Status.PENDING, Outcome.FAIL): Status.FAILED,
    (Status.PENDING, Outcome.EXPIRE): Status.EXPIRED,
}

S = TypeVar("S", bound=StrEnum)
E = TypeVar("E", bound=StrEnum)


def operation_after(state: str, event: Event) -> State:
    """Raises IllegalTransition."""
    return _after(OPERATION, State(state), event)


def status_after(status: str, outcome: Outcome) -> Status:
    """Of a build or a release. Raises IllegalTransition: neither ever leaves its end."""
    return _after(OUTCOME, Status(status), outcome)


def settlement(state: str, served: bool) -> Settlement:
    """`served`: the supervisor says that it serves the very release that the operation was to bring.

    Before the hand-over was ordered nothing can be served by it, so whatever is there is a leftover to undo.
    """
    finished = State(state) in (State.HANDING_OVER, State.RELEASING) and served
    return Settlement.FINISH if finished else Settlement.UNDO


def _after(table: dict[tuple[S, E], S], state: S, event: E) -> S:
    try:
        return table[state, event]
    except KeyError:
        allowed = ", ".join(str(known) for at, known in table if at == state) or "nothing: it is closed"
        raise IllegalTransition(f"{state} does not allow {event}; it allows {allowed}.") from None
