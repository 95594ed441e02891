"""Who a resource is asked for by, and what they may see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt

from . import scopes
from .errors import ResourceError, SandboxError
from .issuing import digest
from .models import Token
from .personas import PERSONAS, Persona, Profile, owner_of

DEMO_TOKEN = "demo_oauth_token"  # noqa: S105 (the documentation publishes it)
_DEMO_SCOPES = frozenset(scopes.WORDING)

View = Callable[..., JsonResponse]


@dataclass(frozen=True)
class Bearer:
    persona: Persona
    scopes: frozenset[str]
    profile_id: str = ""

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """Those that the token covers."""
        return tuple(item for item in self.persona.profiles if self.profile_id in ("", item.id))

    def profile(self, profile_id: str) -> Profile:
        """Raises 404 for a profile that nobody has, 403 for one that the token does not cover."""
        if owner_of(profile_id) is None:
            raise ResourceError("not_found", "There is no such profile.", 404)
        for profile in self.profiles:
            if profile.id == profile_id:
                return profile
        raise ResourceError("access_denied", "The token does not cover this profile.", 403)

    def require(self, scope: str) -> None:
        if scope not in self.scopes:
            raise ResourceError("insufficient_scope", f"This needs the scope {scope}.", 403)


def resource(view: View) -> View:
    """A GET resource: errors become JSON, other methods 405."""

    @csrf_exempt
    @wraps(view)
    def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
        try:
            if request.method not in ("GET", "HEAD"):
                raise ResourceError("invalid_request", "This resource is read with GET.", 405)
            return view(request, *args, **kwargs)
        except SandboxError as error:
            return error.response()

    return wrapper


def protected(*needed: str) -> Callable[[View], View]:
    """A resource that needs a token with these scopes; the view gets a ``Bearer`` after the request."""

    def decorate(view: View) -> View:
        @resource
        @wraps(view)
        def wrapper(request: HttpRequest, *args: Any, **kwargs: Any) -> JsonResponse:
            bearer = identify(request.headers.get("Authorization", ""), request.path)
            for scope in needed:
                bearer.require(scope)
            return view(request, bearer, *args, **kwargs)

        return wrapper

    return decorate


def identify(authorization: str, path: str) -> Bearer:
    """The bearer behind a header. Raises 401."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise ResourceError("invalid_token", "No access token was sent.", 401)
    if token == DEMO_TOKEN and path.startswith("/3/"):
        return Bearer(PERSONAS["demo"], _DEMO_SCOPES)
    found = Token.objects.filter(
        access_digest=digest(token), revoked_at=None, expires_at__gt=timezone.now(), persona__in=PERSONAS
    ).first()
    if found is None:
        raise ResourceError("invalid_token", "The access token is unknown, expired or revoked.", 401)
    return Bearer(PERSONAS[found.persona], frozenset(found.scope.split()), found.profile_id)
