"""What can go wrong between Loci and the API.

    ApiError
    ├── ApiUnreachable          no answer: refused, name not found, certificate not trusted
    │   └── ApiTimeout          no answer in time
    ├── ApiUnreadable           an answer that is not what the API promises (HTML, half a document, too large)
    └── ApiRefusal              an answer with an error status
        ├── BadRequest          400
        │   └── InvalidGrant    400 from the token endpoint: the code or refresh token is spent
        ├── Unauthenticated     401  the access token is missing, expired or revoked
        ├── PermissionDenied    403  the scope was not granted, or the profile is someone else's
        ├── NotFound            404
        ├── Unprocessable       422
        ├── TooManyRequests     429  ``retry_after`` seconds
        └── ServerFailure       500 and above

No message holds a token, a parameter or any part of an answer's data, so each may be logged.
"""

from __future__ import annotations


class ApiError(Exception):
    """Anything the API did not do as asked. ``id`` is stable and fit for a log or a support request."""

    id = "api"


class ApiUnreachable(ApiError):
    id = "api-unreachable"

    def __init__(self, host: str, reason: str) -> None:
        super().__init__(f"{host} could not be reached ({reason}).")


class ApiTimeout(ApiUnreachable):
    id = "api-timeout"

    def __init__(self, host: str) -> None:
        super().__init__(host, "no answer in time")


class ApiUnreadable(ApiError):
    id = "api-unreadable"

    def __init__(self, path: str, expected: str, found: str) -> None:
        super().__init__(f"{path} should have answered with {expected}, but answered with {found}.")


class ApiRefusal(ApiError):
    id = "api-refusal"

    def __init__(self, path: str, status: int, code: str = "", retry_after: int | None = None) -> None:
        self.status, self.code, self.retry_after = status, code, retry_after
        super().__init__(f"{path} answered {status}{f' ({code})' if code else ''}.")


class BadRequest(ApiRefusal):
    id = "api-bad-request"


class InvalidGrant(BadRequest):
    id = "api-invalid-grant"


class Unauthenticated(ApiRefusal):
    id = "api-unauthenticated"


class PermissionDenied(ApiRefusal):
    id = "api-permission-denied"


class NotFound(ApiRefusal):
    id = "api-not-found"


class Unprocessable(ApiRefusal):
    id = "api-unprocessable"


class TooManyRequests(ApiRefusal):
    id = "api-too-many-requests"


class ServerFailure(ApiRefusal):
    id = "api-server-failure"


_BY_STATUS: dict[int, type[ApiRefusal]] = {
    400: BadRequest,
    401: Unauthenticated,
    403: PermissionDenied,
    404: NotFound,
    422: Unprocessable,
    429: TooManyRequests,
}


def refusal(path: str, status: int, code: str = "", retry_after: int | None = None) -> ApiRefusal:
    """The error that belongs to an HTTP status of 300 or above."""
    kind = _BY_STATUS.get(status, ServerFailure if status >= 500 else ApiRefusal)
    if kind is BadRequest and code == "invalid_grant":
        kind = InvalidGrant
    return kind(path, status, code, retry_after)
