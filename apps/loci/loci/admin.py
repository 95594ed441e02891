"""What the operator sees of sign-ins: that they are there, and a way to end them. Never a token."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest

from .models import Grant


@admin.register(Grant)
class GrantAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    list_display = ("id", "created_at", "used_at", "expires_at", "scope")
    readonly_fields = ("id", "created_at", "used_at", "expires_at", "scope")
    fields = readonly_fields

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Grant | None = None) -> bool:
        return False
