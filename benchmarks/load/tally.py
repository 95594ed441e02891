"""Counting: what became of the requests of one phase. Pure."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

SHOWN_FAILURES = 20


@dataclass
class Tally:
    """The requests that were due during one phase. Latencies in seconds, from when a request was due."""

    phase: str
    sent: int = 0
    lost: int = 0
    wrong: int = 0
    retried: int = 0
    mixed: int = 0
    sessions: int = 0
    messages: int = 0
    late: float = 0.0
    latencies: list[float] = field(default_factory=list)
    slow_latencies: list[float] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def fail(self, how: str, reason: str, detail: str) -> None:
        """Count one request (or session) as `lost` or `wrong`."""
        if how == "lost":
            self.lost += 1
        else:
            self.wrong += 1
        self.reasons[f"{how}: {reason}"] += 1
        if len(self.failures) < SHOWN_FAILURES:
            self.failures.append(f"{how}: {reason} ({detail})")

    @property
    def failed(self) -> int:
        return self.lost + self.wrong

    def percentile(self, share: float) -> float:
        return percentile(self.latencies, share)

    def to_json(self) -> str:
        return json.dumps(vars(self))

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Tally:
        return cls(**{**fields, "reasons": Counter(fields["reasons"])})


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` (0 to 1) of all values do not exceed; 0 when there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def total(tallies: Sequence[Tally], phase: str = "total") -> Tally:
    """All phases together."""
    whole = Tally(phase)
    for each in tallies:
        for name in ("sent", "lost", "wrong", "retried", "mixed", "sessions", "messages"):
            setattr(whole, name, getattr(whole, name) + getattr(each, name))
        whole.late = max(whole.late, each.late)
        whole.latencies += each.latencies
        whole.slow_latencies += each.slow_latencies
        whole.reasons += each.reasons
        whole.failures += each.failures
    return whole
