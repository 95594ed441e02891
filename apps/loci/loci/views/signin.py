"""Signing in with 23andMe, and out again."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from .. import grants, handshake
from ..api.errors import BadRequest
from ..gateway import gateway
from ..visit import Visit, login_address, login_required
from .failures import Failure, respond

MAX_CODE_LENGTH = 512


@require_GET
def login(request: HttpRequest) -> HttpResponse:
    state = handshake.begin(request.session, request.GET.get("next", "/"))
    return redirect(gateway().oauth.authorize_url(_redirect_uri(request), state, handshake.verifier(state)))


@require_GET
def receive_code(request: HttpRequest) -> HttpResponse:
    """Where the API sends the browser back to, with a code or with the reason why there is none."""
    state = request.GET.get("state", "")
    next_url = handshake.finish(request.session, state)
    if next_url is None:
        return respond(request, UNKNOWN_HANDSHAKE)
    if request.GET.get("error"):
        return respond(request, DECLINED if request.GET["error"] == "access_denied" else _refused(next_url))
    code = request.GET.get("code", "")
    if not 0 < len(code) <= MAX_CODE_LENGTH:
        return respond(request, _refused(next_url))
    return _complete(request, code, state, next_url)


def _complete(request: HttpRequest, code: str, state: str, next_url: str) -> HttpResponse:
    try:
        pair = gateway().oauth.exchange(code, _redirect_uri(request), handshake.verifier(state))
    except BadRequest:
        return respond(request, _refused(next_url))
    account = gateway().api.account(pair.access_token)
    grants.open_session(request, pair, account.id)
    return redirect(next_url)


@require_http_methods(["GET", "POST"])
def logout(request: HttpRequest) -> HttpResponse:
    """Asks on GET, so that no link or image signs anyone out; ends both sessions on POST."""
    if request.method == "GET":
        return render(request, "loci/logout.html", {"signed_in": grants.current(request) is not None})
    grants.forget(request)
    request.session.flush()
    return redirect(gateway().oauth.logout_url(request.build_absolute_uri("/")))


@require_POST
@login_required
def switch_profile(request: HttpRequest, visit: Visit) -> HttpResponse:
    chosen = request.POST.get("profile", "")
    if chosen not in {profile.id for profile in visit.account.profiles}:
        return respond(request, UNKNOWN_PROFILE)
    visit.grant.profile_id = chosen
    visit.grant.save(update_fields=["profile_id"])
    return redirect(handshake.safe_path(request.POST.get("next", "/")))


def _redirect_uri(request: HttpRequest) -> str:
    return request.build_absolute_uri(settings.API_REDIRECT_PATH)


def _refused(next_url: str) -> Failure:
    return Failure(
        "sign-in-refused",
        400,
        "23andMe did not complete the sign-in",
        "The code that it sent could not be exchanged. It works once, for ten minutes: please start again.",
        ("Start again", login_address(next_url)),
    )


DECLINED = Failure(
    "sign-in-declined",
    403,
    "You chose not to share",
    "That is fine: nothing was shared, and Loci has stored nothing. You can change your mind at any time.",
)
UNKNOWN_HANDSHAKE = Failure(
    "sign-in-unknown",
    400,
    "This sign-in was not started here",
    "It may have been finished already, have waited for more than fifteen minutes, or have begun in another "
    "browser. Loci only accepts a sign-in from the browser that began it.",
    ("Start again", "/login/"),
)
UNKNOWN_PROFILE = Failure(
    "unknown-profile",
    400,
    "This profile is not on your account",
    "Nothing was changed. Please choose another.",
)
