"""The one thing that Loci keeps: a person's grant of access."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db import models
from django.utils import timezone

from . import vault
from .api import TokenPair

# A token is renewed this long before its end, so that it cannot end on the way.
RENEW_BEFORE = timedelta(minutes=2)


class Grant(models.Model):
    """Access that one sign-in was granted. A session holds the id of its row and nothing of its content."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    account_id = models.CharField(max_length=64, blank=True)
    profile_id = models.CharField(max_length=64, blank=True, help_text="The profile that was chosen last.")
    scope = models.TextField(blank=True)
    access_token_sealed = models.TextField(editable=False)
    refresh_token_sealed = models.TextField(editable=False)
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"grant of {self.created_at:%Y-%m-%d %H:%M}"

    @classmethod
    def of(cls, pair: TokenPair) -> Grant:
        """An unsaved grant that holds ``pair``."""
        grant = cls()
        grant.hold(pair)
        return grant

    def hold(self, pair: TokenPair) -> None:
        self.access_token_sealed = vault.seal(pair.access_token)
        self.refresh_token_sealed = vault.seal(pair.refresh_token)
        self.expires_at = timezone.now() + timedelta(seconds=pair.expires_in)
        self.scope = pair.scope or self.scope

    @property
    def access_token(self) -> str:
        return vault.unseal(self.access_token_sealed)

    @property
    def refresh_token(self) -> str:
        return vault.unseal(self.refresh_token_sealed)

    def needs_renewal(self, now: datetime) -> bool:
        return self.expires_at - RENEW_BEFORE <= now
