"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from .gateway import gateway


def site(request: HttpRequest) -> dict[str, Any]:
    """``visit``: the signed-in person or None. ``api_host``: where the data come from."""
    return {
        "visit": getattr(request, "visit", None),
        "api_host": gateway().host,
        "api_is_official": settings.API_URL == "https://api.23andme.com",
    }
