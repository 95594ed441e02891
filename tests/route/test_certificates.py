"""Baton's own authority: made once, kept private, and good enough for a strict client."""

from __future__ import annotations

import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from baton.base.paths import Home
from baton.route.certificates import LEAF_DAYS, authority, certificate_for, expires
from baton.route.errors import CertificateError


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_authority_is_made_once_and_its_key_is_private(home: Home) -> None:
    first = authority(home)
    assert authority(home).issuer == first.issuer
    assert mode(first.path) == 0o600
    assert mode(home.keys) == 0o700
    assert b"PRIVATE" not in first.certificate.read_bytes()


def test_processes_that_start_at_once_agree_on_one_authority(home: Home) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: authority(home).issuer.serial_number, range(8)))
    assert len(set(found)) == 1
    assert [path.name for path in home.keys.iterdir() if path.name.startswith(".")] == []


def test_a_certificate_holds_its_names_and_openssl_trusts_it(home: Home) -> None:
    made = certificate_for(home, ["b.localhost", "a.localhost", "*.apps.example", "127.0.0.1"])
    assert mode(made.key) == 0o600
    ca = authority(home).certificate
    for name in (
        ["-verify_hostname", "a.localhost"],
        ["-verify_hostname", "x.apps.example"],
        ["-verify_ip", "127.0.0.1"],
    ):
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", ca, *name, made.chain],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    wrong = ["openssl", "verify", "-CAfile", ca, "-verify_hostname", "c.localhost", made.chain]
    assert subprocess.run(wrong, capture_output=True, check=False).returncode != 0


def test_it_is_kept_for_the_same_names_and_renewed_before_it_ends(home: Home) -> None:
    now = datetime.now(UTC)
    first = certificate_for(home, ["a.localhost", "b.localhost"])
    content = first.chain.read_bytes()
    assert certificate_for(home, ["b.localhost", "a.localhost", "a.localhost"]) == first
    assert first.chain.read_bytes() == content
    assert expires(first) - now < timedelta(days=LEAF_DAYS)
    later = certificate_for(home, first.names, now=now + timedelta(days=LEAF_DAYS - 20))
    assert later.chain.read_bytes() != content
    assert expires(later) > now + timedelta(days=LEAF_DAYS)
    assert certificate_for(home, ["c.localhost"]).chain != first.chain


def test_a_new_authority_gives_new_certificates(home: Home) -> None:
    first = certificate_for(home, ["a.localhost"]).chain.read_bytes()
    authority(home).path.unlink()
    assert authority(home).issuer.public_bytes(Encoding.PEM) == authority(home).certificate.read_bytes()
    assert certificate_for(home, ["a.localhost"]).chain.read_bytes() != first


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_damaged_authority_is_named_and_not_overwritten(home: Home, content: bytes) -> None:
    path = authority(home).path
    path.write_bytes(content)
    with pytest.raises(CertificateError, match=r"authority\.pem"):
        certificate_for(home, ["a.localhost"])
    assert path.read_bytes() == content


def test_no_names_are_refused(home: Home) -> None:
    with pytest.raises(CertificateError):
        certificate_for(home, [])
