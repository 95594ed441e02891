"""System checks: ``loci.E001`` a required variable is missing, ``loci.E002`` the API is not reached by HTTPS,
``loci.E003`` API_CA_FILE is not a file."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from .api.transport import is_safe_base_url
from .configuration import HOW_TO_SET, missing


@register()
def required_variables(**kwargs: Any) -> list[CheckMessage]:
    return [Error(f"{name} is not set.", hint=HOW_TO_SET[name], id="loci.E001") for name in missing()]


@register()
def api_is_reached_safely(**kwargs: Any) -> list[CheckMessage]:
    if is_safe_base_url(settings.API_URL):
        return []
    return [
        Error(
            f"API_URL is {settings.API_URL!r}, which is not an https address.",
            hint="Access tokens travel there. Only a loopback address may be plain http.",
            id="loci.E002",
        )
    ]


@register()
def authority_file_exists(**kwargs: Any) -> list[CheckMessage]:
    if not settings.API_CA_FILE or Path(settings.API_CA_FILE).is_file():
        return []
    return [
        Error(
            f"API_CA_FILE is {settings.API_CA_FILE!r}, which is not a file.",
            hint="It names the certificates, in PEM form, that the API's certificate is verified against.",
            id="loci.E003",
        )
    ]
