"""What control refuses, and why.

ControlError (baton.control)
├── Refused           an order that can't be carried out; has Heroku's error id and an HTTP status
│   ├── NotFound      404 not_found
│   ├── Invalid       422 invalid_params
│   └── Conflict      409 conflict: the app is busy, or the name is taken
├── Cancelled         the one who asked went away, or cancelled the build
├── ReleaseFailed     the release phase or the hand-over failed; what was served before is still served
└── IllegalTransition a record was asked to do a step that its state does not allow (a defect of Baton)
"""

from __future__ import annotations

from baton.base.errors import BatonError


class ControlError(BatonError):
    code = "baton.control"


class Refused(ControlError):
    """`code` is the id that Heroku's clients test, `status` the HTTP status they expect with it."""

    code = "bad_request"
    status = 400

    def __init__(
        self, message: str, hint: str = "", *, code: str | None = None, status: int | None = None
    ) -> None:
        super().__init__(message, hint)
        self.code = code or type(self).code
        self.status = status or type(self).status


class NotFound(Refused):
    code = "not_found"
    status = 404


class Invalid(Refused):
    code = "invalid_params"
    status = 422


class Conflict(Refused):
    code = "conflict"
    status = 409


class Cancelled(ControlError):
    code = "baton.control.cancelled"


class ReleaseFailed(ControlError):
    code = "baton.control.release"


class IllegalTransition(ControlError):
    code = "baton.control.transition"
