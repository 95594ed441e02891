"""The pure machines: every transition by table, and a model that is driven at random."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from baton.run.states import (
    LONGEST_PAUSE,
    DynoEvent,
    DynoState,
    HandoverEvent,
    HandoverState,
    NotPossible,
    WebDyno,
    dyno_after,
    handover_after,
    page,
    pause_before_restart,
)

DYNO = {
    ("down", "started"): "starting",
    ("crashed", "started"): "starting",
    ("idle", "started"): "starting",
    ("starting", "answered"): "up",
    ("starting", "exited"): "crashed",
    ("up", "exited"): "crashed",
    ("up", "slept"): "idle",
    **{(state, "stopped"): "down" for state in ("starting", "up", "idle", "crashed", "down")},
}
HANDOVER = {
    ("booting", "passed"): "ready",
    ("booting", "failed"): "discarded",
    ("ready", "failed"): "discarded",
    ("ready", "flipped"): "serving",
    ("serving", "replaced"): "draining",
    ("draining", "emptied"): "closed",
    ("discarded", "emptied"): "closed",
}


@pytest.mark.parametrize("state", DynoState)
@pytest.mark.parametrize("event", DynoEvent)
def test_each_event_of_a_dyno_is_possible_only_where_the_table_says(
    state: DynoState, event: DynoEvent
) -> None:
    wanted = DYNO.get((str(state), str(event)))
    if wanted is None:
        with pytest.raises(NotPossible, match=str(state)):
            dyno_after(state, event)
    else:
        assert dyno_after(state, event) == wanted


@pytest.mark.parametrize("state", HandoverState)
@pytest.mark.parametrize("event", HandoverEvent)
def test_each_step_of_a_hand_over_is_possible_only_where_the_table_says(
    state: HandoverState, event: HandoverEvent
) -> None:
    wanted = HANDOVER.get((str(state), str(event)))
    if wanted is None:
        with pytest.raises(NotPossible, match=str(state)):
            handover_after(state, event)
    else:
        assert handover_after(state, event) == wanted


def web(*dynos: tuple[str, int]) -> list[WebDyno]:
    return [WebDyno(DynoState(state), failures) for state, failures in dynos]


@pytest.mark.parametrize(
    ("dynos", "code"),
    [
        ((), "h14"),
        ((("down", 0),), "h14"),
        ((("up", 0),), None),
        ((("idle", 0),), None),
        ((("starting", 0),), None),
        ((("crashed", 1),), None),
        ((("starting", 1),), None),
        ((("crashed", 2),), "h10"),
        ((("starting", 2),), "h10"),
        ((("crashed", 5), ("up", 0)), None),
        ((("crashed", 5), ("down", 0)), "h10"),
    ],
)
def test_the_page_that_is_shown_follows_from_the_web_dynos(
    dynos: tuple[tuple[str, int], ...], code: str | None
) -> None:
    assert page(blank=False, maintenance=False, web=web(*dynos)) == code
    assert page(blank=True, maintenance=False, web=web(*dynos)) == "h81"
    assert page(blank=True, maintenance=True, web=web(*dynos)) == "h80"


def test_the_first_restart_is_at_once_and_later_ones_wait_longer_and_longer() -> None:
    pauses = [pause_before_restart(failures) for failures in range(14)]
    assert pauses[:6] == [0, 0, 1, 2, 4, 8]
    assert pauses[-1] == LONGEST_PAUSE
    assert pauses == sorted(pauses)


class HandOver(RuleBasedStateMachine):
    """Generations of an app through deploys that succeed and fail, with crashes in between.

    The front leads to what the machines say, and never to a generation that is not serving.
    """

    @initialize()
    def first(self) -> None:
        self.generations: dict[int, HandoverState] = {}
        self.dynos: dict[int, tuple[DynoState, int]] = {}
        self.serving: int | None = None
        self.candidate: int | None = None

    def step(self, number: int, event: HandoverEvent) -> None:
        self.generations[number] = handover_after(self.generations[number], event)

    def happens(self, number: int, event: DynoEvent) -> None:
        state, failures = self.dynos[number]
        self.dynos[number] = dyno_after(state, event), failures + (event is DynoEvent.EXITED)

    @precondition(lambda self: self.candidate is None)
    @rule()
    def deploy(self) -> None:
        self.candidate = len(self.generations) + 1
        self.generations[self.candidate] = HandoverState.BOOTING
        self.dynos[self.candidate] = (DynoState.DOWN, 0)
        self.happens(self.candidate, DynoEvent.STARTED)

    @precondition(lambda self: self.candidate is not None)
    @rule(serves=st.booleans())
    def finish(self, serves: bool) -> None:
        number, self.candidate = self.candidate, None
        assert number is not None
        if not serves:
            self.happens(number, DynoEvent.EXITED)
            self.step(number, HandoverEvent.FAILED)
            return
        self.happens(number, DynoEvent.ANSWERED)
        self.step(number, HandoverEvent.PASSED)
        old, self.serving = self.serving, number
        self.step(number, HandoverEvent.FLIPPED)
        if old is not None:
            self.step(old, HandoverEvent.REPLACED)

    @precondition(lambda self: self.serving is not None)
    @rule(event=st.sampled_from(DynoEvent))
    def something_happens(self, event: DynoEvent) -> None:
        assert self.serving is not None
        try:
            self.happens(self.serving, event)
        except NotPossible:
            return

    @rule()
    def drains(self) -> None:
        for number, state in self.generations.items():
            if state in (HandoverState.DRAINING, HandoverState.DISCARDED):
                self.step(number, HandoverEvent.EMPTIED)

    @invariant()
    def one_serves_at_most(self) -> None:
        serving = [number for number, state in self.generations.items() if state is HandoverState.SERVING]
        assert serving == ([] if self.serving is None else [self.serving])

    @invariant()
    def a_candidate_is_never_shown(self) -> None:
        if self.candidate is not None:
            assert self.candidate != self.serving
            assert self.generations[self.candidate] is HandoverState.BOOTING

    @invariant()
    def a_page_is_shown_exactly_when_no_dyno_serves_or_soon_will(self) -> None:
        if self.serving is None:
            return
        state, failures = self.dynos[self.serving]
        code = page(blank=False, maintenance=False, web=[WebDyno(state, failures)])
        assert (code == "h14") == (state is DynoState.DOWN)
        if state in (DynoState.UP, DynoState.IDLE):
            assert code is None
        if state is DynoState.CRASHED:
            assert (code == "h10") == (pause_before_restart(failures) > 0)


HandOver.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestHandOver = HandOver.TestCase
