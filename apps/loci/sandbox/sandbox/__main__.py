"""``python -m sandbox`` from the project's folder: the same as ``manage.py serve``."""

import os
import sys

from django.core.management import execute_from_command_line

from .developing import prepare

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
    prepare(os.environ)
    execute_from_command_line([sys.argv[0], "serve", *sys.argv[1:]])
