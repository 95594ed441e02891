"""Version 1: the account and its names, the form that sign-in libraries read."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, JsonResponse

from ..bearer import Bearer, protected
from ..personas import ANONYMOUS, Profile


@protected("basic")
def user(request: HttpRequest, bearer: Bearer) -> JsonResponse:
    with_services = request.GET.get("services", "").lower() == "true"
    answer: dict[str, Any] = {
        "id": bearer.persona.account_id,
        "profiles": [_profile(profile, with_services) for profile in bearer.profiles],
    }
    if request.GET.get("email", "").lower() == "true":
        bearer.require("email")
        answer["email"] = bearer.persona.email
    return JsonResponse(answer)


@protected("names")
def names(request: HttpRequest, bearer: Bearer, profile_id: str | None = None) -> JsonResponse:
    profiles = bearer.profiles if profile_id is None else (bearer.profile(profile_id),)
    person = bearer.persona
    return JsonResponse(_names(person.account_id, person.first_name, person.last_name, profiles))


@protected()
def demo_user(request: HttpRequest, bearer: Bearer) -> JsonResponse:
    profiles = [{"id": profile.id, "genotyped": profile.is_genotyped} for profile in ANONYMOUS.profiles]
    return JsonResponse({"id": ANONYMOUS.account_id, "profiles": profiles})


@protected()
def demo_names(request: HttpRequest, bearer: Bearer) -> JsonResponse:
    person = ANONYMOUS
    return JsonResponse(_names(person.account_id, person.first_name, person.last_name, person.profiles))


def _profile(profile: Profile, with_services: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {"id": profile.id, "genotyped": profile.is_genotyped}
    return answer | {"services": profile.services} if with_services else answer


def _names(account_id: str, first_name: str, last_name: str, profiles: tuple[Profile, ...]) -> dict[str, Any]:
    return {
        "id": account_id,
        "first_name": first_name,
        "last_name": last_name,
        "profiles": [
            {"id": profile.id, "first_name": profile.first_name, "last_name": profile.last_name}
            for profile in profiles
        ],
    }
