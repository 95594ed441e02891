"""Run a Django project's collectstatic, then say where static files lie and how they are named in URLs, as
JSON.

    django_static.py REPORT collect|ask MANAGE

Runs in the cage under the app's own interpreter (3.8 or later), from the directory of manage.py. One process
does both because starting Django takes longer than either.
"""

# pathlib would take longer to import than the work often does, and this runs under old interpreters too.
# ruff: noqa
# mypy: ignore-errors

import json
import os
import runpy
import sys


def run_manage(path, *arguments):
    """What `python manage.py ARGUMENTS` does, in this process; returns its status."""
    sys.argv = [path, *arguments]
    sys.path[0] = os.path.dirname(os.path.abspath(path))
    try:
        runpy.run_path(path, run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


def settings_or_none():
    try:
        from django.conf import settings

        return settings if settings.configured or settings.INSTALLED_APPS is not None else None
    except BaseException:
        return None


def report(path, settings):
    url, root = settings.STATIC_URL, settings.STATIC_ROOT
    found = {"url": str(url) if url else "", "root": os.path.abspath(str(root)) if root else ""}
    with open(path, "w") as file:
        json.dump(found, file)


def main():
    target, mode, manage = sys.argv[1:]
    wanted = ("collectstatic", "--noinput") if mode == "collect" else ("version",)
    status = run_manage(manage, *wanted)
    sys.stdout.flush()
    settings = settings_or_none()
    if settings is not None and "django.contrib.staticfiles" not in settings.INSTALLED_APPS:
        print(
            "-----> Skipping Django collectstatic since 'django.contrib.staticfiles' is not in "
            "INSTALLED_APPS."
        )
        return 0
    if status == 0 and settings is not None:
        report(target, settings)
    return status


if __name__ == "__main__":
    ended = main()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)  # taking Django down in good order would cost as much as a small collectstatic
