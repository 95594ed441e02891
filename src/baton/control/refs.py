"""What a push means: pure, from the lines that git gives to a pre-receive hook."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from baton.control.errors import Invalid

MOST_REFS = 2000
ZERO = re.compile(r"0+")
DEPLOYING = ("refs/heads/main", "refs/heads/master")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class Update:
    """One ref of a push; `new` is zeros when it is to be deleted."""

    old: str
    new: str
    ref: str

    @property
    def deletes(self) -> bool:
        return bool(ZERO.fullmatch(self.new))

    @property
    def short(self) -> str:
        return self.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")


@dataclass(frozen=True)
class PushPlan:
    """`deploy` is the one update whose commit goes live, if any; `notices` are told to the one who pushes."""

    deploy: Update | None
    notices: tuple[str, ...] = ()


def parse(text: str) -> list[Update]:
    """Raises Invalid for anything but lines of two object names and a ref."""
    updates = []
    for line in text.splitlines():
        old, _, rest = line.partition(" ")
        new, _, ref = rest.partition(" ")
        if not (_COMMIT.fullmatch(old) and _COMMIT.fullmatch(new) and ref.startswith("refs/")):
            raise Invalid("A push should name refs as git does; this one does not.")
        updates.append(Update(old, new, ref))
    if len(updates) > MOST_REFS:
        raise Invalid(
            f"A push may change {MOST_REFS} refs; this one changes {len(updates)}.", "Push fewer at a time."
        )
    return updates


def plan(updates: Sequence[Update]) -> PushPlan:
    """Which commit is deployed. Raises Invalid when the push can't be taken as it is."""
    deploying = [update for update in updates if update.ref in DEPLOYING]
    for update in deploying:
        if update.deletes:
            raise Invalid(
                f"{update.short} is what is deployed from and can't be deleted.",
                "To take the application away, destroy the app: baton apps:destroy",
            )
    if len({update.new for update in deploying}) > 1:
        raise Invalid(
            "main and master were pushed at once, at different commits.", "Push the one that is to go live."
        )
    notices = tuple(_notice(update) for update in updates if update.ref not in DEPLOYING)
    return PushPlan(deploying[0] if deploying else None, notices)


def _notice(update: Update) -> str:
    if update.deletes:
        return f"{update.short} is deleted here; what is deployed does not change."
    if update.ref.startswith("refs/heads/"):
        return (
            f"{update.short} is stored and not deployed: only main and master are. "
            f"To deploy it: git push <remote> {update.short}:main"
        )
    return f"{update.short} is stored and not deployed."
