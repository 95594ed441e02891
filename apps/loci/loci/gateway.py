"""The API clients of this instance, built once from its settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, TypeVar

from django.conf import settings
from django.core.cache import cache

from .api import Accession, ApiClient, OAuthClient, Transport

T = TypeVar("T")

REFERENCE_SECONDS = 3600


class Gateway(NamedTuple):
    api: ApiClient
    oauth: OAuthClient
    host: str


@lru_cache(maxsize=4)
def _build(
    url: str, ca_file: str, timeout: tuple[float, float], client: tuple[str, str], scope: str
) -> Gateway:
    transport = Transport(url, timeout, ca_file)
    return Gateway(ApiClient(transport), OAuthClient(transport, *client, scope), transport.host)


def gateway() -> Gateway:
    client = (settings.API_CLIENT_ID, settings.API_CLIENT_SECRET)
    return _build(settings.API_URL, settings.API_CA_FILE, settings.API_TIMEOUT, client, settings.API_SCOPE)


def accession(accession_id: str) -> Accession:
    """One sequence of the reference genome. Public data: kept for an hour, in this process."""
    return _kept(f"accession:{accession_id}", lambda: gateway().api.accession(accession_id))


def accessions() -> list[Accession]:
    """All sequences of the reference genome, kept likewise."""
    return _kept("accessions", gateway().api.accessions)


def _kept(name: str, ask: Callable[[], T]) -> T:
    key = f"{settings.API_URL}:{name}"
    found: T | None = cache.get(key)
    if found is None:
        found = ask()
        cache.set(key, found, REFERENCE_SECONDS)
    return found
