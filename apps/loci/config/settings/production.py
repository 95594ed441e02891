"""A production instance: behind a router that ends TLS and says so in ``X-Forwarded-Proto``."""

from .common import *  # noqa: F403
from .common import ALLOWED_HOSTS, STORAGES, env

# The router of a platform hands an application only the host names that are its own. Where
# nothing of the kind stands in front, ALLOWED_HOSTS has to be set. Probes come by loopback names.
ALLOWED_HOSTS = [*ALLOWED_HOSTS, "localhost", "127.0.0.1", "[::1]"] if ALLOWED_HOSTS else ["*"]

STORAGES = STORAGES | {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=True)
SECURE_REDIRECT_EXEMPT = [r"^_status/$"]
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=365 * 24 * 3600)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True

SESSION_COOKIE_NAME = "__Host-loci_session"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-loci_csrf"
CSRF_COOKIE_SECURE = True
