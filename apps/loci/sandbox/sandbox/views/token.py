"""The token endpoint."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from .. import clients, issuing
from ..errors import OAuthError, SandboxError
from ..parameters import single

_FIELDS = (
    "grant_type",
    "client_id",
    "client_secret",
    "code",
    "redirect_uri",
    "code_verifier",
    "refresh_token",
    "scope",
)


@csrf_exempt
def token(request: HttpRequest) -> JsonResponse:
    """Parameters count only in the form: those of the address are written to logs."""
    try:
        if request.method != "POST":
            raise OAuthError("invalid_request", "Tokens are asked for with POST.", 405)
        form = single(request.POST, *_FIELDS)
        client = clients.authenticate(
            request.headers.get("Authorization", ""), form["client_id"], form["client_secret"]
        )
        response = JsonResponse(_grant(client.id, form))
    except SandboxError as error:
        response = error.response()
    response["Cache-Control"] = "no-store"
    response["Pragma"] = "no-cache"
    return response


def _grant(client_id: str, form: dict[str, str]) -> dict[str, object]:
    match form["grant_type"]:
        case "authorization_code":
            _require(form, "code", "redirect_uri")
            # A scope sent along with a code changes nothing: the person has answered already.
            return issuing.spend_code(client_id, form["code"], form["redirect_uri"], form["code_verifier"])
        case "refresh_token":
            _require(form, "refresh_token")
            return issuing.spend_refresh_token(client_id, form["refresh_token"], form["scope"])
        case "":
            raise OAuthError("invalid_request", "grant_type is missing.")
    raise OAuthError("unsupported_grant_type", "grant_type is authorization_code or refresh_token.")


def _require(form: dict[str, str], *names: str) -> None:
    for name in names:
        if not form[name]:
            raise OAuthError("invalid_request", f"{name} is missing.")
