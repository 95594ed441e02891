"""What an answer with an error says.

    OAuthError          the authorization and token endpoints' errors, by RFC 6749's codes
    RequestRefused      an authorization request that must not be redirected: unknown client or address
    ResourceError       a resource's error: 401, 403, 404, 405 or 422

Each has a ``code`` (the body's ``error``), a ``description`` and an HTTP ``status``.
"""

from __future__ import annotations

from django.http import JsonResponse


class SandboxError(Exception):
    def __init__(self, code: str, description: str, status: int = 400) -> None:
        self.code, self.description, self.status = code, description, status
        super().__init__(f"{code}: {description}")

    def response(self) -> JsonResponse:
        response = JsonResponse(
            {"error": self.code, "error_description": self.description}, status=self.status
        )
        if self.status == 401:
            scheme = "Basic" if self.code == "invalid_client" else "Bearer"
            response["WWW-Authenticate"] = f'{scheme} realm="sandbox", error="{self.code}"'
        return response


class OAuthError(SandboxError):
    pass


class RequestRefused(SandboxError):
    pass


class ResourceError(SandboxError):
    pass
