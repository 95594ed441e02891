"""The machines: what each state allows, and the laws after every step of random histories."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from baton.control.errors import IllegalTransition
from baton.control.states import (
    CLOSED,
    Event,
    Outcome,
    Settlement,
    State,
    Status,
    operation_after,
    settlement,
    status_after,
)

WAYS = [
    (State.RECORDED, [Event.START_BUILD, Event.HAVE_SLUG, Event.SERVE], State.FINISHED),
    (State.RECORDED, [Event.START_PHASE, Event.HAND_OVER, Event.SERVE], State.FINISHED),
    (State.RECORDED, [Event.HAND_OVER, Event.SERVE], State.FINISHED),
    (State.RECORDED, [Event.START_BUILD, Event.FAIL], State.UNDONE),
    (State.RECORDED, [Event.START_BUILD, Event.HAVE_SLUG, Event.FAIL], State.UNDONE),
    (State.RECORDED, [Event.START_PHASE, Event.FAIL], State.UNDONE),
    (State.RECORDED, [Event.START_PHASE, Event.HAND_OVER, Event.FAIL], State.UNDONE),
]


@pytest.mark.parametrize(("start", "events", "end"), WAYS)
def test_an_operation_goes_its_way_event_by_event(start: State, events: list[Event], end: State) -> None:
    state = start
    for event in events:
        state = operation_after(state, event)
    assert state is end


@pytest.mark.parametrize("state", sorted(CLOSED))
@pytest.mark.parametrize("event", list(Event))
def test_a_closed_operation_allows_nothing_more(state: State, event: Event) -> None:
    with pytest.raises(IllegalTransition, match="it is closed"):
        operation_after(state, event)


@pytest.mark.parametrize("state", [state for state in State if state is not State.HANDING_OVER])
def test_nothing_but_a_hand_over_or_a_made_release_leads_to_being_served(state: State) -> None:
    if state is State.RELEASING:
        assert operation_after(state, Event.SERVE) is State.FINISHED
        return
    with pytest.raises(IllegalTransition):
        operation_after(state, Event.SERVE)


@pytest.mark.parametrize("end", [Status.SUCCEEDED, Status.FAILED, Status.EXPIRED])
@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_build_or_release_that_has_ended_never_changes(end: Status, outcome: Outcome) -> None:
    with pytest.raises(IllegalTransition):
        status_after(end, outcome)


@pytest.mark.parametrize(
    ("state", "served", "verdict"),
    [
        (State.RECORDED, False, Settlement.UNDO),
        (State.BUILDING, False, Settlement.UNDO),
        (State.BUILDING, True, Settlement.UNDO),
        (State.PHASE, False, Settlement.UNDO),
        (State.PHASE, True, Settlement.UNDO),
        (State.HANDING_OVER, False, Settlement.UNDO),
        (State.HANDING_OVER, True, Settlement.FINISH),
        (State.RELEASING, False, Settlement.UNDO),
        (State.RELEASING, True, Settlement.FINISH),
    ],
)
def test_what_a_dead_owner_left_is_finished_only_when_it_is_served(
    state: State, served: bool, verdict: Settlement
) -> None:
    assert settlement(state, served) is verdict


@dataclass
class Release:
    config: dict[str, str]
    slug: int
    status: Status = Status.PENDING


@dataclass
class Operation:
    release: int | None
    state: State = State.RECORDED


@dataclass
class Records:
    """What is durable in control's database."""

    releases: list[Release] = field(default_factory=list)
    current: int = 0
    config: dict[str, str] = field(default_factory=dict)
    quantity: int = 1
    operation: Operation | None = None


@dataclass
class Supervisor:
    """What is served: changed by a hand-over alone, and outliving control."""

    release: int = 0
    quantity: int = 1


class History(RuleBasedStateMachine):
    """Pushes, config changes, scaling, failures and kills at any moment."""

    @initialize()
    def begin(self) -> None:
        self.records = Records(releases=[Release({}, 0, Status.SUCCEEDED)])
        self.supervisor = Supervisor()
        self.alive = True
        self.last_good = 0

    def busy(self) -> bool:
        return self.records.operation is not None

    @precondition(lambda self: self.alive and not self.busy())
    @rule(change=st.sampled_from(["push", "config"]), value=st.integers(0, 9))
    def order(self, change: str, value: int) -> None:
        now = self.records.releases[self.records.current]
        config = {**self.records.config, "A": str(value)} if change == "config" else dict(self.records.config)
        self.records.releases.append(Release(config, value if change == "push" else now.slug))
        self.records.operation = Operation(len(self.records.releases) - 1)

    @precondition(lambda self: self.alive and self.state() is State.RECORDED)
    @rule(event=st.sampled_from([Event.START_PHASE, Event.HAND_OVER]))
    def set_out(self, event: Event) -> None:
        self.move(event)

    @precondition(lambda self: self.alive and self.state() is State.PHASE)
    @rule()
    def pass_phase(self) -> None:
        self.move(Event.HAND_OVER)

    @precondition(lambda self: self.alive and self.state() is State.HANDING_OVER)
    @rule()
    def flip(self) -> None:
        """The supervisor's one step; control may die before it writes that down."""
        self.supervisor.release = self.operation().release or 0

    @precondition(lambda self: self.alive and self.served_now())
    @rule()
    def write_down(self) -> None:
        self.finish()

    @precondition(lambda self: self.alive and self.busy() and not self.served_now())
    @rule()
    def fail(self) -> None:
        self.undo()

    @precondition(lambda self: self.alive and not self.busy())
    @rule(quantity=st.integers(0, 4), crash=st.booleans())
    def scale(self, quantity: int, crash: bool) -> None:
        self.supervisor.quantity = quantity
        if crash:
            self.alive = False
        else:
            self.records.quantity = quantity

    @precondition(lambda self: self.alive)
    @rule()
    def kill(self) -> None:
        self.alive = False

    @precondition(lambda self: not self.alive)
    @rule()
    def recover(self) -> None:
        operation = self.records.operation
        if operation is not None:
            verdict = settlement(operation.state, self.supervisor.release == operation.release)
            self.finish() if verdict is Settlement.FINISH else self.undo()
        self.supervisor = Supervisor(self.records.current, self.records.quantity)
        self.alive = True

    def operation(self) -> Operation:
        assert self.records.operation is not None
        return self.records.operation

    def state(self) -> State | None:
        return self.records.operation.state if self.records.operation else None

    def served_now(self) -> bool:
        return self.state() is State.HANDING_OVER and self.supervisor.release == self.operation().release

    def move(self, event: Event) -> None:
        self.operation().state = operation_after(self.operation().state, event)

    def finish(self) -> None:
        release = self.operation().release or 0
        self.move(Event.SERVE)
        self.end(release, Outcome.SUCCEED)
        self.records.current = self.last_good = release
        self.records.config = self.records.releases[release].config

    def undo(self) -> None:
        self.move(Event.FAIL)
        self.end(self.operation().release or 0, Outcome.FAIL)

    def end(self, release: int, outcome: Outcome) -> None:
        record = self.records.releases[release]
        record.status = status_after(record.status, outcome)
        self.records.operation = None

    @invariant()
    def nothing_that_failed_is_served(self) -> None:
        assert self.records.releases[self.supervisor.release].status is not Status.FAILED

    @invariant()
    def what_is_served_is_current_or_is_being_handed_over(self) -> None:
        being = self.operation().release if self.state() is State.HANDING_OVER else None
        assert self.supervisor.release in (self.records.current, being)

    @invariant()
    def config_vars_are_those_of_the_current_release(self) -> None:
        assert self.records.config == self.records.releases[self.records.current].config

    @invariant()
    def only_an_open_operation_has_a_pending_release(self) -> None:
        pending = [n for n, release in enumerate(self.records.releases) if release.status is Status.PENDING]
        assert pending == ([self.operation().release] if self.busy() else [])

    @invariant()
    def an_idle_control_and_its_supervisor_agree(self) -> None:
        if self.alive and not self.busy():
            assert (self.supervisor.release, self.supervisor.quantity) == (
                self.records.current,
                self.records.quantity,
            )


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=200, stateful_step_count=30, deadline=None, database=None)
