"""The test suite: its own database, fast hashes, no variable of the surroundings."""

import os

for _name in (
    "DEBUG",
    "DJANGO_DEBUG",
    "DJANGO_SECRET_KEY_FALLBACKS",
    "ALLOWED_HOSTS",
    "API_CA_FILE",
    "API_SCOPE",
):
    os.environ.pop(_name, None)
os.environ |= {
    "DJANGO_SECRET_KEY": "a key for the tests, long enough for every check of Django",
    "DATABASE_URL": "sqlite://:memory:",
    "API_URL": "https://api.invalid",
    "API_CLIENT_ID": "10c1" * 8,
    "API_CLIENT_SECRET": "5ec2" * 8,
}

from .common import *  # noqa: E402, F403
from .common import MIDDLEWARE  # noqa: E402

ALLOWED_HOSTS = ["testserver"]
# Static files are tested where they are served: on a built tree.
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("whitenoise.")]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
