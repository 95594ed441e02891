"""Django settings of the control room. Everything that differs between machines comes from `baton.base`."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from baton.base.paths import Home
from baton.base.settings import Settings

HOME = Home.find()
BATON = Settings.load(HOME)


def _secret_key() -> str:
    """Django's key, derived from the machine's first key so that there is one thing to back up."""
    path = HOME.keys / "secret.key"
    seed = path.read_bytes().split()[0] if path.exists() else os.urandom(32)
    return HKDF(algorithm=hashes.SHA256(), length=48, salt=None, info=b"django").derive(seed).hex()


SECRET_KEY = _secret_key()
DEBUG = False
# Who may reach control is decided by tokens, not by names: clients come by loopback, ports and domains.
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "baton.control.apps.ControlConfig",
]
MIDDLEWARE = [
    "baton.control.api.rawpath.RawPath",
    "django.middleware.security.SecurityMiddleware",
]
ROOT_URLCONF = "baton.control.urls"
ASGI_APPLICATION = "baton.control.asgi.application"
AUTH_USER_MODEL = "control.User"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(HOME.database),
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
        },
    }
}
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-us"
APPEND_SLASH = False
# Push bodies never pass through Django; API bodies are small.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
}
