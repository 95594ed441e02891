"""Two files that programs look for at fixed addresses."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.http import require_safe


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    return redirect(static("loci/mark.svg"))


@require_safe
def robots(request: HttpRequest) -> HttpResponse:
    """Only the start page says the same to everybody."""
    return HttpResponse("User-agent: *\nAllow: /$\nDisallow: /\n", content_type="text/plain")
