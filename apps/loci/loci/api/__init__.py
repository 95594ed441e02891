"""A typed client of the 23andMe API, which knows nothing of Django.

In: an address, client credentials, tokens. Out: frozen dataclasses, or one of the errors of ``errors``.
"""

from .client import ApiClient
from .errors import ApiError
from .oauth import OAuthClient, TokenPair
from .records import Accession, Account, Profile
from .transport import Transport

__all__ = [
    "Accession",
    "Account",
    "ApiClient",
    "ApiError",
    "OAuthClient",
    "Profile",
    "TokenPair",
    "Transport",
]
