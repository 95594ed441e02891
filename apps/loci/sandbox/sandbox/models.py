"""Codes and tokens. Only their digests are kept; whoever reads the table cannot use them."""

from __future__ import annotations

from django.db import models


class Access(models.Model):
    """What a person granted, to whom. ``profile_id`` is empty when all profiles were granted."""

    client_id = models.CharField(max_length=200)
    persona = models.CharField(max_length=40)
    profile_id = models.CharField(max_length=40, blank=True)
    scope = models.TextField()
    expires_at = models.DateTimeField()

    class Meta:
        abstract = True


class Code(Access):
    digest = models.CharField(max_length=64, primary_key=True)
    redirect_uri = models.TextField()
    challenge = models.CharField(max_length=43, blank=True)
    used_at = models.DateTimeField(null=True)


class Token(Access):
    access_digest = models.CharField(max_length=64, unique=True)
    refresh_digest = models.CharField(max_length=64, unique=True)
    code = models.ForeignKey(Code, models.CASCADE, null=True)
    refreshed_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
