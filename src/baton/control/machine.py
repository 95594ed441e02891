"""The machine that control runs on: its home, its settings, its supervisor."""

from __future__ import annotations

import os

from django.conf import settings

from baton.base.paths import Home
from baton.base.settings import Settings
from baton.run.client import Supervisor


def home() -> Home:
    return settings.HOME


def options() -> Settings:
    return settings.BATON


def supervisor() -> Supervisor:
    return Supervisor(home())


def is_root() -> bool:
    """Whether apps and builds can have Unix users of their own."""
    return os.geteuid() == 0
