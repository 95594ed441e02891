"""The resources of version 3 that Loci reads."""

from __future__ import annotations

from urllib.parse import quote

from .errors import ApiUnreadable
from .records import Accession, Account, read_accession, read_accounts, read_list
from .transport import Transport

ACCOUNT_PATH = "/3/account/"
ACCESSION_PATH = "/3/accession/"


class ApiClient:
    """Reads resources. Those of the reference genome are public and never carry a token."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def account(self, access_token: str) -> Account:
        """The account that granted the token, with its profiles."""
        document = self._transport.get(ACCOUNT_PATH, access_token, {"include": "profiles"})
        accounts = read_accounts(ACCOUNT_PATH, document)
        if len(accounts) != 1:
            raise ApiUnreadable(ACCOUNT_PATH, "one account", f"{len(accounts)}")
        return accounts[0]

    def accession(self, accession_id: str) -> Accession:
        path = f"{ACCESSION_PATH}{quote(accession_id, safe='')}/"
        return read_accession(path, self._transport.get(path))

    def accessions(self) -> list[Accession]:
        """All reference sequences, in the API's order."""
        document = self._transport.get(ACCESSION_PATH)
        return [read_accession(ACCESSION_PATH, item) for item in read_list(ACCESSION_PATH, document)]
