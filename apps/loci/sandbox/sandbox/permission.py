"""Whether the sandbox may run here. Made-up genomes have no place where people expect their own."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

REQUIRED = ("SANDBOX_CLIENT_ID", "SANDBOX_CLIENT_SECRET", "SANDBOX_REDIRECT_URIS")


def require_permission() -> None:
    """Raise ``ImproperlyConfigured`` outside development, unless SANDBOX_ALLOW=1."""
    if not settings.DEBUG and not settings.SANDBOX_ALLOW:
        raise ImproperlyConfigured(
            "The sandbox serves made-up data, and DEBUG is false, as it is in production. "
            "If that is what you want, set SANDBOX_ALLOW=1."
        )


def require_client() -> None:
    """Raise ``ImproperlyConfigured`` when no application is registered: nobody could sign in."""
    missing = [name for name in REQUIRED if not getattr(settings, name)]
    if missing:
        raise ImproperlyConfigured(f"The sandbox knows no application: {', '.join(missing)} not set.")
