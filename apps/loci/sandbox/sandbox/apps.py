"""The Django application ``sandbox``, which decides at start whether it may run here."""

from django.apps import AppConfig

from .permission import require_permission


class SandboxConfig(AppConfig):
    name = "sandbox"

    def ready(self) -> None:
        require_permission()
