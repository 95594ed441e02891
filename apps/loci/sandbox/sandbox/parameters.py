"""Reading parameters, each at most once."""

from __future__ import annotations

from django.http import QueryDict

from .errors import OAuthError, ResourceError


def single(query: QueryDict, *names: str) -> dict[str, str]:
    """The named parameters, empty when absent. Raises ``invalid_request`` when one comes twice."""
    for name in names:
        if len(query.getlist(name)) > 1:
            raise OAuthError("invalid_request", f"{name} was sent more than once.")
    return {name: query.get(name, "") for name in names}


def whole_number(query: QueryDict, name: str, default: int, least: int, most: int) -> int:
    """A number within bounds. Raises 422 for anything else."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
        raise ResourceError(
            "invalid_request", f"{name} has to be a whole number from {least} to {most}.", 422
        )
    return int(text)
