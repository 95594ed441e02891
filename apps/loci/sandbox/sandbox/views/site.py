"""The pages of the site itself: what this is, signing in as somebody, signing out."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from .. import clients
from ..errors import ResourceError
from ..personas import PERSONAS, Persona

SESSION_KEY = "persona"


def signed_in(request: HttpRequest) -> Persona | None:
    return PERSONAS.get(request.session.get(SESSION_KEY, ""))


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    context = {
        "personas": PERSONAS.values(),
        "client": clients.registered(),
        "base": request.build_absolute_uri("/")[:-1],
    }
    return render(request, "sandbox/index.html", context)


@require_safe
def status(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Status: OK", content_type="text/plain")


@require_http_methods(["GET", "HEAD", "POST"])
def login(request: HttpRequest) -> HttpResponse:
    """Any password is right: there is nothing to protect."""
    wanted = request.GET.get("redirect", "/")
    if request.method == "POST":
        persona = PERSONAS.get(request.POST.get("persona", ""))
        if persona:
            request.session.cycle_key()
            request.session[SESSION_KEY] = persona.key
            return redirect(_own_path(wanted))
    context = {"personas": PERSONAS.values(), "missing": request.method == "POST"}
    return render(request, "sandbox/login.html", context, status=400 if request.method == "POST" else 200)


@require_safe
def logout(request: HttpRequest) -> HttpResponse:
    """Ends the site's session and returns to the application, if it is to one that is registered."""
    request.session.flush()
    wanted = request.GET.get("redirect_uri", "")
    known = {_origin(uri) for uri in clients.registered().redirect_uris}
    if wanted and _origin(wanted) in known:
        return redirect(wanted)
    return render(
        request,
        "sandbox/message.html",
        {"title": "You are signed out", "text": "Nobody is signed in here now."},
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if request.path.startswith(("/1/", "/2/", "/3/")):
        return ResourceError("not_found", "There is no such resource.", 404).response()
    context = {"title": "There is no such page", "text": "The sandbox knows only a part of the service."}
    return render(request, "sandbox/message.html", context, status=404)


def server_error(request: HttpRequest) -> JsonResponse:
    return ResourceError("server_error", "The sandbox made a mistake.", 500).response()


def _own_path(url: str) -> str:
    is_path = url.startswith("/") and url_has_allowed_host_and_scheme(url, allowed_hosts=None)
    return url if is_path else "/"


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc
