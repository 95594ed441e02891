"""What the API answers instead of a resource. Ids and statuses are Heroku's.

Refused (baton.control.errors)          any id and status that an order was refused with
└── ApiError                            may carry further members of the answer, and headers
    ├── BadRequest          400 bad_request          the body is not a JSON object, or too deep
    ├── Unauthorized        401 unauthorized         no token, or one that is not valid (any more)
    ├── Forbidden           403 forbidden
    ├── Missing             404 not_found            no such resource, or not yours
    ├── MethodNotAllowed    405 method_not_allowed
    ├── NotAcceptable       406 not_acceptable       another version than 3, or another type than JSON
    ├── TooLarge            413 payload_too_large
    ├── BadRange            416 requested_range_not_satisfiable
    ├── InvalidParams       422 invalid_params       a member is missing, of another type or out of bounds
    ├── TooMany             429 rate_limit
    └── NotServed           501 not_implemented      Heroku has it, Baton has not
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import JsonResponse

from baton.base.errors import BatonError
from baton.control.errors import Refused


class ApiError(Refused):
    def __init__(
        self,
        message: str,
        hint: str = "",
        *,
        members: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.members = dict(members or {})
        self.headers = dict(headers or {})


class BadRequest(ApiError):
    code = "bad_request"
    status = 400


class Unauthorized(ApiError):
    code = "unauthorized"
    status = 401

    def __init__(self, message: str = "Invalid credentials provided.") -> None:
        super().__init__(message, headers={"WWW-Authenticate": 'Basic realm="Baton", charset="UTF-8"'})


class Forbidden(ApiError):
    code = "forbidden"
    status = 403


class Missing(ApiError):
    """`resource` is Heroku's word for what is not there; clients test it."""

    code = "not_found"
    status = 404

    def __init__(self, resource: str, message: str = "") -> None:
        super().__init__(message or f"Couldn't find that {resource}.", members={"resource": resource})


class MethodNotAllowed(ApiError):
    code = "method_not_allowed"
    status = 405

    def __init__(self, method: str, allowed: list[str]) -> None:
        names = ", ".join(allowed)
        super().__init__(f"This path answers {names}, not {method}.", headers={"Allow": names})


class NotAcceptable(ApiError):
    code = "not_acceptable"
    status = 406


class TooLarge(ApiError):
    code = "payload_too_large"
    status = 413


class BadRange(ApiError):
    code = "requested_range_not_satisfiable"
    status = 416


class InvalidParams(ApiError):
    code = "invalid_params"
    status = 422


class TooMany(ApiError):
    code = "rate_limit"
    status = 429

    def __init__(self, message: str, seconds: int) -> None:
        super().__init__(message, headers={"Retry-After": str(max(1, seconds))})


class NotServed(ApiError):
    code = "not_implemented"
    status = 501


def body(error: BatonError) -> dict[str, Any]:
    """`{"id", "message"}` as Heroku's clients read it; they show the message only, so the hint is in it."""
    members = error.members if isinstance(error, ApiError) else {}
    return {"id": error.code, "message": f"{error.message} {error.hint}".strip(), **members}


def response(error: BatonError) -> JsonResponse:
    status = error.status if isinstance(error, Refused) else 500
    headers = error.headers if isinstance(error, ApiError) else {}
    return JsonResponse(body(error), status=status, headers=headers)
