"""The API clients of this instance, built once from its settings."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from django.conf import settings
from django.core.cache import cache

from .api import Accession, ApiClient, OAuthClient, Transport

REFERENCE_SECONDS = 3600


class Gateway(NamedTuple):
    api: ApiClient
    oauth: OAuthClient
    host: str


@lru_cache(maxsize=4)
def _build(url: str, ca_file: str, timeout: tuple[float, float], client: tuple[str, str], scope: str) -> Gateway:
    transport = Transport(url, timeout, ca_file)
    return Gateway(ApiClient(transport), OAuthClient(transport, *client, scope), transport.host)


def gateway() -> Gateway:
    client = (settings.API_CLIENT_ID, settings.API_CLIENT_SECRET)
    return _build(settings.API_URL, settings.API_CA_FILE, settings.API_TIMEOUT, client, settings.API_SCOPE)


def accession(accession_id: str) -> Accession:
    """One sequence of the reference genome. Public data: kept for an hour, in this process."""
    return cache.get_or_set(
        f"accession:{settings.API_URL}:{accession_id}", lambda: gateway().api.accession(accession_id), REFERENCE_SECONDS
    )


def accessions() -> list[Accession]:
    """All sequences of the reference genome, kept likewise."""
    return cache.get_or_set(f"accessions:{settings.API_URL}", lambda: gateway().api.accessions(), REFERENCE_SECONDS)
