"""The authorization endpoint: the consent page, and the answer that goes back to the application."""

from __future__ import annotations

from urllib.parse import urlencode

from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from .. import clients, issuing, scopes
from ..authorization import AuthorizationRequest, RedirectedError, read
from ..errors import RequestRefused
from ..personas import Persona
from .site import signed_in

_SALT = "sandbox.authorize"


@csrf_exempt
@require_http_methods(["GET", "POST"])
def authorize(request: HttpRequest) -> HttpResponse:
    """A request by POST is only another spelling of it by GET: it decides nothing."""
    query = request.GET if request.method == "GET" else request.POST
    try:
        asked = read(query)
    except RequestRefused as error:
        context = {"title": "This request cannot be trusted", "text": error.description, "code": error.code}
        return render(request, "sandbox/message.html", context, status=400)
    except RedirectedError as error:
        return redirect(error.location)
    persona = signed_in(request)
    if persona is None or request.method == "POST":
        return _to_sign_in(request, query.urlencode(), persona is None)
    return _consent(request, asked, persona)


@require_POST
def decide(request: HttpRequest) -> HttpResponse:
    """What the person pressed. The request comes back signed, so that it is the one that was shown."""
    persona = signed_in(request)
    try:
        asked = AuthorizationRequest(
            **signing.loads(request.POST.get("request", ""), salt=_SALT, max_age=3600)
        )
    except signing.BadSignature:
        asked = None
    if persona is None or asked is None:
        context = {
            "title": "This form is out of date",
            "text": "Please go back to the application and begin again.",
        }
        return render(request, "sandbox/message.html", context, status=400)
    if request.POST.get("answer") != "yes":
        refusal = {"error": "access_denied", "error_description": "The user did not grant access."}
        return redirect(asked.answer(**refusal))
    return _grant(request, asked, persona)


def _grant(request: HttpRequest, asked: AuthorizationRequest, persona: Persona) -> HttpResponse:
    profile_id = request.POST.get("profile", "") if asked.select_profile else ""
    if asked.select_profile and profile_id not in {profile.id for profile in persona.profiles}:
        return _consent(request, asked, persona, status=400)
    return redirect(asked.answer(code=issuing.new_code(asked, persona.key, profile_id)))


def _to_sign_in(request: HttpRequest, query: str, needs_sign_in: bool) -> HttpResponse:
    path = f"/authorize/?{query}"
    return redirect(f"/cas/login/?{urlencode({'redirect': path})}" if needs_sign_in else path)


def _consent(
    request: HttpRequest, asked: AuthorizationRequest, persona: Persona, status: int = 200
) -> HttpResponse:
    context = {
        "client": clients.registered(),
        "persona": persona,
        "asked": asked,
        "lines": [scopes.wording(scope) for scope in scopes.parse(asked.scope)],
        "signed": signing.dumps(asked.as_dict(), salt=_SALT),
        "missing": status != 200,
    }
    return render(request, "sandbox/consent.html", context, status=status)
