"""Pages for what went wrong: what happened, whether anything is lost, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render

from ..api import ApiError
from ..api.errors import (
    ApiTimeout,
    ApiUnreachable,
    NotFound,
    PermissionDenied,
    TooManyRequests,
)
from ..grants import SignInEnded
from ..visit import login_address, wants_data


@dataclass(frozen=True)
class Failure:
    """``id`` is stable; ``action`` is the label and address of the one thing to do next."""

    id: str
    status: int
    title: str
    text: str
    action: tuple[str, str] = ("Back to the start page", "/")


def respond(request: HttpRequest, failure: Failure) -> HttpResponse:
    if wants_data(request):
        content = {"error": failure.id, "error_description": failure.text}
        return JsonResponse(content, status=failure.status)
    return render(request, "loci/failure.html", {"failure": failure}, status=failure.status)


def sign_in_ended(request: HttpRequest, error: SignInEnded) -> HttpResponse:
    """To sign in again, except straight after signing in: that would go round in a circle."""
    address = login_address(request.get_full_path() if request.method == "GET" else "/")
    if not error.was_young and not wants_data(request):
        return redirect(address)
    return respond(
        request,
        Failure(
            "sign-in-ended",
            401,
            "Your sign-in has ended",
            "23andMe no longer accepts the access that you gave to Loci. It may have been withdrawn in your "
            "23andMe account. Loci has deleted its copy.",
            ("Sign in again", address),
        ),
    )


def api_failure(request: HttpRequest, error: ApiError) -> HttpResponse:
    response = respond(request, describe(error, request.get_full_path() if request.method == "GET" else "/"))
    if isinstance(error, TooManyRequests) and error.retry_after is not None:
        response["Retry-After"] = str(error.retry_after)
    return response


def describe(error: ApiError, path: str) -> Failure:
    """The page for an error. ``path`` is what to try again."""
    again = ("Try again", path)
    match error:
        case ApiTimeout():
            return Failure(
                error.id,
                504,
                "23andMe did not answer in time",
                "Nothing is lost. Its service may be busy.",
                again,
            )
        case ApiUnreachable():
            return Failure(
                error.id,
                502,
                "23andMe could not be reached",
                "Nothing is lost. Please try again in a minute.",
                again,
            )
        case PermissionDenied():
            return Failure(
                error.id,
                403,
                "This was not shared with Loci",
                "The access that you gave does not include what this page shows. You can sign in again and "
                "allow it, or go on without.",
                ("Sign in again", login_address(path)),
            )
        case NotFound():
            return Failure(
                error.id, 404, "23andMe does not know this", "There is no such entry in its reference data."
            )
        case TooManyRequests():
            return Failure(
                error.id,
                503,
                "Too many questions at once",
                "23andMe asks Loci to wait a little. Nothing is lost.",
                again,
            )
    return Failure(
        error.id,
        502,
        "23andMe gave an answer that cannot be used",
        "Nothing is lost, and nothing was changed. Please try again in a few minutes.",
        again,
    )


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return respond(
        request, Failure("bad-request", 400, "This request cannot be understood", "Nothing was changed.")
    )


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return respond(request, Failure("forbidden", 403, "This is not yours to see", "Nothing was changed."))


def forgery(request: HttpRequest, reason: str = "") -> HttpResponse:
    return respond(
        request,
        Failure(
            "stale-form",
            403,
            "This form is out of date",
            "It was opened before you signed in or out, or cookies are switched off. Nothing was changed.",
        ),
    )


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return respond(
        request, Failure("not-found", 404, "There is no such page", "The address may be mistyped.")
    )


def server_error(request: HttpRequest) -> HttpResponse:
    return respond(
        request,
        Failure(
            "server-error",
            500,
            "Loci made a mistake",
            "It has been noted, without any of your data. Please try again in a few minutes.",
        ),
    )
