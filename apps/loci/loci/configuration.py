"""What an instance needs from its environment before it may serve."""

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

HOW_TO_SET = {
    "DJANGO_SECRET_KEY": "Make one with: python -c 'import secrets; print(secrets.token_urlsafe(64))'",
    "DATABASE_URL": "For example postgres://user:password@host/name, or sqlite:////data/loci.sqlite3",
    "API_CLIENT_ID": "It is the client id of this application at 23andMe (or at the sandbox).",
    "API_CLIENT_SECRET": "It is the client secret that belongs to API_CLIENT_ID.",
}


def _secret_key() -> str:
    try:
        return str(settings.SECRET_KEY)
    except ImproperlyConfigured:  # Django's own answer to an empty key, which names no variable
        return ""


def missing() -> list[str]:
    """The names of required variables that are absent or empty, in the order of the documentation."""
    present = {
        "DJANGO_SECRET_KEY": _secret_key(),
        "DATABASE_URL": settings.DATABASES.get("default", {}).get("NAME"),
        "API_CLIENT_ID": settings.API_CLIENT_ID,
        "API_CLIENT_SECRET": settings.API_CLIENT_SECRET,
    }
    return [name for name in HOW_TO_SET if not present[name]]


def require_complete() -> None:
    """Raise ``ImproperlyConfigured``, naming every missing variable, unless all are there."""
    names = missing()
    if names:
        lines = [f"  {name} is not set. {HOW_TO_SET[name]}" for name in names]
        raise ImproperlyConfigured("Loci cannot serve yet:\n" + "\n".join(lines))
