"""The sandbox's settings, all from the environment."""

from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parents[1]

env = environ.Env()

DEBUG = env.bool("DEBUG", default=False)
SANDBOX_ALLOW = env.str("SANDBOX_ALLOW", default="") == "1"
SECRET_KEY = env.str("DJANGO_SECRET_KEY", default="")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["*"])

SANDBOX_CLIENT_ID = env.str("SANDBOX_CLIENT_ID", default="")
SANDBOX_CLIENT_SECRET = env.str("SANDBOX_CLIENT_SECRET", default="")
SANDBOX_CLIENT_NAME = env.str("SANDBOX_CLIENT_NAME", default="Loci")
SANDBOX_REDIRECT_URIS = env.str("SANDBOX_REDIRECT_URIS", default="").split()

INSTALLED_APPS = ["sandbox", "django.contrib.sessions"]
MIDDLEWARE = [
    "sandbox.middleware.SyntheticMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "sandbox.urls"
WSGI_APPLICATION = "sandbox.wsgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{BASE_DIR / 'sandbox.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }

TIME_ZONE = "UTC"
USE_TZ = True

# Loci and its sandbox often share a host name, and cookies do not tell ports apart.
SESSION_COOKIE_NAME = "sandbox_session"
CSRF_COOKIE_NAME = "sandbox_csrf"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.bool("COOKIE_SECURE", default=not DEBUG)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
X_FRAME_OPTIONS = "DENY"

CODE_LIFETIME = env.int("SANDBOX_CODE_LIFETIME", default=10 * 60)  # seconds
TOKEN_LIFETIME = env.int("SANDBOX_TOKEN_LIFETIME", default=24 * 3600)  # seconds

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "INFO"},
}
