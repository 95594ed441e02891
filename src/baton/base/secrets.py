"""Encryption at rest: the machine's keys, and sealing of values with them.

`keys/secret.key` holds one Fernet key a line. The first seals, all of them open, so a new key is put on top
and the old one stays until everything is sealed anew.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from baton.base.errors import SecretError
from baton.base.paths import Home


@dataclass(frozen=True)
class Vault:
    """Seals and opens short secrets with the machine's keys."""

    fernet: MultiFernet

    @classmethod
    def open(cls, home: Home) -> Vault:
        """The vault of `home`; its first key is made on first use. Raises SecretError."""
        path = home.keys / "secret.key"
        if not path.exists():
            _create(path)
        try:
            lines = path.read_text().split()
            return cls(MultiFernet([Fernet(line) for line in lines]))
        except (OSError, ValueError) as error:
            raise SecretError(
                f"{path} should hold one Fernet key a line; it can't be used ({type(error).__name__}).",
                "Bring the file back from a backup: without it, sealed config vars can't be read.",
            ) from error

    def seal(self, text: str) -> str:
        return self.fernet.encrypt(text.encode()).decode()

    def unseal(self, sealed: str) -> str:
        try:
            return self.fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise SecretError(
                "A sealed value does not fit any key in keys/secret.key.",
                "Bring keys/secret.key back from the backup that belongs to this database.",
            ) from error


def digest(token: str) -> str:
    """What is stored of a bearer token: SHA-256 in hex. Tokens are random, so no salt is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def _create(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(handle, "wb") as file:
        file.write(Fernet.generate_key() + b"\n")
        file.flush()
        os.fsync(file.fileno())
