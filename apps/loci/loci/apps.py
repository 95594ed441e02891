"""The Django application ``loci``."""

from django.apps import AppConfig


class LociConfig(AppConfig):
    name = "loci"
    verbose_name = "Loci"

    def ready(self) -> None:
        from . import checks  # noqa: F401  (registers the system checks)
