"""Config vars of an app, now and as a release had them."""

from __future__ import annotations

from baton.control import deploys
from baton.control.api import find
from baton.control.api.errors import InvalidParams
from baton.control.api.frame import Answer, Call

MOST = 500  # names in one change


def show(call: Call, app: str) -> Answer:
    return Answer(deploys.config(find.app(call.user, app)))


def update(call: Call, app: str) -> Answer:
    """A text sets, null unsets. Answers all of them, once the release that has them is served."""
    found = find.app(call.user, app)
    changes = call.body.found
    if len(changes) > MOST:
        raise InvalidParams(f"At most {MOST} config vars are changed at once; found {len(changes)}.")
    for name, value in changes.items():
        if value is not None and not isinstance(value, str):
            raise InvalidParams(f"The value of {name[:140]} should be a text, or null to unset it.")
    deploys.set_config(found, changes, call.user)
    return Answer(deploys.config(found))


def of_release(call: Call, app: str, release: str) -> Answer:
    found = find.release(find.app(call.user, app), release)
    return Answer(deploys.release_config(found))
