"""A signed-in request: whose it is, and on which profile they are looking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from . import grants
from .api import Account, Profile
from .gateway import gateway
from .models import Grant


@dataclass(frozen=True)
class Visit:
    grant: Grant
    account: Account
    profile: Profile | None

    @property
    def name(self) -> str:
        """How to address the person: empty when the API gives no names."""
        return self.account.first_name or (self.profile.first_name if self.profile else "")


View = Callable[..., HttpResponse]


def login_required(view: View) -> View:
    """Calls ``view(request, visit, ...)``; whoever is not signed in goes to sign in and comes back here."""

    @wraps(view)
    def wrapper(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        grant = grants.current(request)
        if grant is None:
            return _ask_to_sign_in(request)
        return view(request, load(request, grant), *args, **kwargs)

    return wrapper


def load(request: HttpRequest, grant: Grant) -> Visit:
    """Fetch the account behind a grant; templates find the result as ``visit``."""
    account = grants.call(grant, gateway().api.account)
    if grant.account_id != account.id:
        grant.account_id = account.id
        grant.save(update_fields=["account_id"])
    visit = Visit(grant, account, choose(account, grant.profile_id))
    request.visit = visit  # type: ignore[attr-defined]
    return visit


def choose(account: Account, profile_id: str) -> Profile | None:
    """The profile that was chosen, else the account's first, else none."""
    chosen = [profile for profile in account.profiles if profile.id == profile_id]
    return next(iter((*chosen, *account.profiles)), None)


def wants_data(request: HttpRequest) -> bool:
    """Whether a script asks, which a page or a redirect would not help."""
    return request.headers.get("X-Requested-With") == "XMLHttpRequest" or not request.accepts("text/html")


def login_address(next_url: str) -> str:
    return f"{reverse('login')}?{urlencode({'next': next_url})}"


def _ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    if wants_data(request):
        return HttpResponse("Not signed in.", status=401, content_type="text/plain")
    return redirect(login_address(request.get_full_path() if request.method == "GET" else "/"))
