"""Log sessions: a secret URL from which lines are read, by `baton.control.api.streams`."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from baton.control.api import find, links, serialize
from baton.control.api.frame import Answer, Call
from baton.control.models import LogSession

_DYNO = ("dyno", "dyno_name", "type")
USUAL_LINES = 100
MOST_LINES = 1500  # as many as are kept: https://devcenter.heroku.com/articles/limits


def create(call: Call, app: str) -> Answer:
    """`dyno` is a name or a process type; `dyno_name` and `type` are the same in newer clients."""
    found = find.app(call.user, app)
    fields = call.body
    lines = fields.whole("lines", 0, 10**9)
    dyno = next((text for name in _DYNO if (text := fields.text(name, limit=50))), "")
    _forget()
    session = LogSession.objects.create(
        app=found,
        lines=USUAL_LINES if lines is None else min(lines, MOST_LINES),
        tail=fields.flag("tail") or False,
        dyno=dyno,
        source=fields.text("source", limit=50) or "",
    )
    return Answer(serialize.log_session(session, call.link("logs", session.pk)), 201)


def _forget() -> None:
    LogSession.objects.filter(
        created_at__lt=timezone.now() - timedelta(seconds=links.SESSION_SECONDS)
    ).delete()
