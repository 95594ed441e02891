"""Version 3: accounts and profiles, and the sequences of the reference genome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, JsonResponse

from ..accessions import ACCESSIONS
from ..bearer import Bearer, protected, resource
from ..errors import ResourceError
from ..parameters import whole_number
from ..personas import PERSONAS, Profile

MOST_AT_ONCE = 1000


def page(request: HttpRequest, items: Sequence[Any]) -> JsonResponse:
    """A list in the API's envelope. ``next`` is the same question with the offset moved on."""
    limit = whole_number(request.GET, "limit", MOST_AT_ONCE, 1, MOST_AT_ONCE)
    offset = whole_number(request.GET, "offset", 0, 0, 10**8)
    following = None
    if offset + limit < len(items):
        query = request.GET.copy()
        query["limit"], query["offset"] = str(limit), str(offset + limit)
        following = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    return JsonResponse({"data": list(items[offset : offset + limit]), "links": {"next": following}})


@protected("basic")
def account(request: HttpRequest, bearer: Bearer) -> JsonResponse:
    with_profiles = "profiles" in request.GET.get("include", "").split(",")
    has_names = "names" in bearer.scopes
    answer = {
        "id": bearer.persona.account_id,
        "first_name": bearer.persona.first_name if has_names else None,
        "last_name": bearer.persona.last_name if has_names else None,
        "email": bearer.persona.email if "email" in bearer.scopes else None,
        "profiles": [_profile(bearer, item) if with_profiles else item.id for item in bearer.profiles],
    }
    return page(request, [answer])


@protected("basic")
def profiles(request: HttpRequest, bearer: Bearer) -> JsonResponse:
    account_id = request.GET.get("account_id", bearer.persona.account_id)
    if account_id != bearer.persona.account_id:
        if account_id in {persona.account_id for persona in PERSONAS.values()}:
            raise ResourceError("access_denied", "The token does not cover this account.", 403)
        raise ResourceError("not_found", "There is no such account.", 404)
    return page(request, [_profile(bearer, item) for item in bearer.profiles])


@protected("basic")
def profile(request: HttpRequest, bearer: Bearer, profile_id: str) -> JsonResponse:
    return JsonResponse(_profile(bearer, bearer.profile(profile_id)))


@resource
def accessions(request: HttpRequest) -> JsonResponse:
    chromosome = request.GET.get("chromosome")
    return page(request, [item for item in ACCESSIONS if chromosome in (None, item["chromosome"])])


@resource
def accession(request: HttpRequest, accession_id: str) -> JsonResponse:
    for item in ACCESSIONS:
        if item["id"] == accession_id:
            return JsonResponse(item)
    raise ResourceError("not_found", "There is no such accession.", 404)


def _profile(bearer: Bearer, item: Profile) -> dict[str, Any]:
    has_names = "names" in bearer.scopes
    return {
        "id": item.id,
        "first_name": item.first_name if has_names else None,
        "last_name": item.last_name if has_names else None,
        "is_genotyped": item.is_genotyped,
        "is_ancestry_only": item.is_ancestry_only,
        "profile_image": None,
    }
