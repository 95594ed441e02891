"""Every path that control answers, but for git's, which `baton.control.asgi` takes first."""

from __future__ import annotations

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
