"""The records of what is being done to an app.

Opened before it acts, moved on before each step, closed at its end.
"""

from __future__ import annotations

from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from baton.control.models import App, Build, Operation, User
from baton.control.processes import Owner
from baton.control.states import Event, State, operation_after

Kind = Operation.Kind


class Busy(Exception):
    """Something else is being done to the app; `operation` tells what, who and since when."""

    def __init__(self, operation: Operation) -> None:
        super().__init__(describe(operation))
        self.operation = operation


def open_operations(app: App | None = None) -> QuerySet[Operation]:
    found = Operation.objects.filter(ended_at__isnull=True).select_related("app", "user", "build", "release")
    return found.filter(app=app) if app else found


def begin(app: App, kind: Kind, user: User | None, build: Build | None = None) -> Operation:
    """A new open operation that this process owns. Raises Busy."""
    me = Owner.me()
    try:
        with transaction.atomic():
            return Operation.objects.create(
                app=app,
                kind=kind,
                user=user,
                build=build,
                state=State.RECORDED,
                owner_pid=me.pid,
                owner_started=me.started,
            )
    except IntegrityError:
        lane = Q(kind=Kind.BUILD) if kind == Kind.BUILD else ~Q(kind=Kind.BUILD)
        standing = open_operations(app).filter(lane).first()
        if standing is None:  # it ended between the two statements
            return begin(app, kind, user, build)
        raise Busy(standing) from None


def move(operation: Operation, event: Event, error: str = "") -> None:
    """Writes the next state down. Raises IllegalTransition."""
    operation.state = operation_after(operation.state, event)
    operation.error = error
    if operation.state in (State.FINISHED, State.UNDONE):
        operation.ended_at = timezone.now()
    operation.save(update_fields=["state", "error", "ended_at", "release", "build", "updated_at"])


def close(operation: Operation) -> None:
    """Ends an operation that is one single step, such as a restart."""
    if operation.ended_at is None:
        operation.state = State.FINISHED
        operation.ended_at = timezone.now()
        operation.save(update_fields=["state", "ended_at", "updated_at"])


def claim(operation: Operation) -> bool:
    """Makes a dead owner's operation this process's; False when somebody else was first."""
    me = Owner.me()
    former = {"owner_pid": operation.owner_pid, "owner_started": operation.owner_started}
    standing = Operation.objects.filter(pk=operation.pk, ended_at=None, **former)
    if not standing.update(owner_pid=me.pid, owner_started=me.started):
        return False
    operation.owner_pid, operation.owner_started = me.pid, me.started
    return True


def disown(operation: Operation) -> None:
    """Leaves it to whoever comes next to settle, when this process can't find out how it ended."""
    Operation.objects.filter(pk=operation.pk).update(owner_pid=0, owner_started="")


def is_owned(operation: Operation) -> bool:
    return Owner(operation.owner_pid, operation.owner_started).alive


def age(operation: Operation) -> timedelta:
    return timezone.now() - operation.created_at


def describe(operation: Operation) -> str:
    """Such as `a build by ann@example.com, running for 12 s`."""
    who = operation.user.email if operation.user else "Baton"
    return f"a {operation.kind} by {who}, running for {int(age(operation).total_seconds())} s"
