#!/usr/bin/env python
"""Django's command line for the sandbox. ``serve`` is all that a developer needs."""

import os
import sys

from django.core.management import execute_from_command_line
from sandbox.developing import prepare

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "sandbox.settings")
    if sys.argv[1:2] == ["serve"]:
        prepare(os.environ)
    execute_from_command_line(sys.argv)
