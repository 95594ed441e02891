"""The WSGI application. It refuses to start, naming the variable, when a required one is absent."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.production")

application = get_wsgi_application()

from loci.configuration import require_complete  # noqa: E402  (needs the configured settings)

require_complete()
