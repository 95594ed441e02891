"""Django's entry for the control room's records."""

from django.apps import AppConfig


class ControlConfig(AppConfig):
    name = "baton.control"
    label = "control"
    default_auto_field = "django.db.models.BigAutoField"
