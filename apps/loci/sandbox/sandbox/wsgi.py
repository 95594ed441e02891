"""The sandbox's WSGI application."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")

application = get_wsgi_application()

from .permission import require_client  # noqa: E402  (needs the configured settings)

require_client()
