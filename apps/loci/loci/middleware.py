"""What happens around every view: failures of the API become pages, and pages stay out of every cache."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import add_never_cache_headers

from .api import ApiError
from .grants import SignInEnded
from .views import failures

logger = logging.getLogger("loci.api")


class ApiFailureMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if "Cache-Control" not in response:
            add_never_cache_headers(response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if isinstance(error, SignInEnded):
            return failures.sign_in_ended(request, error)
        if isinstance(error, ApiError):
            logger.warning("%s: %s", error.id, error)
            return failures.api_failure(request, error)
        return None
