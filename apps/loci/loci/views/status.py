"""What machines ask: whether this instance serves, and whether a browser is signed in."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from .. import grants


@never_cache
@require_safe
def status(request: HttpRequest) -> HttpResponse:
    return HttpResponse("Status: OK", content_type="text/plain")


@never_cache
@require_safe
def auth_status(request: HttpRequest) -> JsonResponse:
    grant = grants.current(request)
    if grant is None:
        return JsonResponse({"status": "not authenticated"})
    return JsonResponse({"status": "authenticated", "ttam_account_id": grant.account_id})
