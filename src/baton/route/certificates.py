"""Baton's own certificate authority, and the certificates it gives until a public one does.

Browsers take no wildcard below a bare top-level domain such as `localhost`, so each certificate lists its
hosts. Everything lies below `home.keys`; a key and its certificate share one file, so that the pair changes
at once.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from baton.base.paths import Home
from baton.route.door import Certificate
from baton.route.errors import CertificateError

# Apple's and Mozilla's limit for leaves of a public authority; private ones are held to 825 days.
LEAF_DAYS = 397
RENEW_DAYS = 30
AUTHORITY_DAYS = 3650
_SKEW = timedelta(hours=1)


@dataclass(frozen=True)
class Authority:
    """`certificate` is the public part, for people to trust; `path` also holds the key, 0600."""

    path: Path
    certificate: Path
    key: ec.EllipticCurvePrivateKey
    issuer: x509.Certificate


def authority(home: Home) -> Authority:
    """Baton's authority of this home, made on first use. Raises CertificateError."""
    path = home.keys / "authority.pem"
    if not path.exists():
        _create_authority(path)
    key, issuer = _load(path)
    public = home.keys / "authority.crt"
    text = issuer.public_bytes(serialization.Encoding.PEM)
    if not public.exists() or public.read_bytes() != text:
        _replace(public, text, mode=0o644)
    return Authority(path, public, key, issuer)


def certificate_for(home: Home, names: Iterable[str], now: datetime | None = None) -> Certificate:
    """A certificate of Baton's authority for exactly these names, made or renewed when there is none that
    lasts.

    Names are host names, `*.example.com` or IP addresses. Raises CertificateError.
    """
    wanted = tuple(sorted(set(names)))
    if not wanted:
        raise CertificateError("A certificate needs at least one name, found none.")
    issuer = authority(home)
    path = home.keys / "tls" / f"{hashlib.sha256(' '.join(wanted).encode()).hexdigest()[:32]}.pem"
    moment = now or datetime.now(UTC)
    if not _lasts(path, issuer, moment):
        _replace(path, _issue(issuer, wanted, moment), mode=0o600)
    return Certificate(wanted, path, path)


def expires(certificate: Certificate) -> datetime:
    """When a certificate of any authority ends. Raises CertificateError."""
    try:
        return x509.load_pem_x509_certificate(certificate.chain.read_bytes()).not_valid_after_utc
    except (OSError, ValueError) as error:
        raise _unusable(certificate.chain, error) from error


def _create_authority(path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    name = x509.Name([
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Baton"),
        x509.NameAttribute(NameOID.COMMON_NAME, f"Baton local authority {serial:040x}"[:60]),
    ])  # fmt: skip
    start = datetime.now(UTC) - _SKEW
    builder = x509.CertificateBuilder(
        name, name, key.public_key(), serial, start, start + timedelta(days=AUTHORITY_DAYS)
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(authority=True), critical=True)
    builder = builder.add_extension(
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
    )
    _replace(path, _pem(key, builder.sign(key, hashes.SHA256())), mode=0o600, once=True)


def _issue(issuer: Authority, names: tuple[str, ...], now: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Baton")])
    start = now - _SKEW
    end = min(start + timedelta(days=LEAF_DAYS), issuer.issuer.not_valid_after_utc)
    builder = x509.CertificateBuilder(
        issuer.issuer.subject, subject, key.public_key(), x509.random_serial_number(), start, end
    )
    authority_key = issuer.key.public_key()
    for extension, critical in (
        (x509.SubjectAlternativeName([_general(name) for name in names]), True),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(authority=False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return _pem(key, builder.sign(issuer.key, hashes.SHA256()))


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _lasts(path: Path, issuer: Authority, now: datetime) -> bool:
    if not path.exists():
        return False
    _, certificate = _load(path)
    ours = certificate.issuer == issuer.issuer.subject
    # An authority near its own end gives short certificates; renewing those over and over helps nobody.
    enough = min(
        timedelta(days=RENEW_DAYS), (certificate.not_valid_after_utc - certificate.not_valid_before_utc) / 3
    )
    return ours and certificate.not_valid_after_utc - now > enough


def _load(path: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    try:
        data = path.read_bytes()
        key = serialization.load_pem_private_key(data, None)
        certificate = x509.load_pem_x509_certificate(data)
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(
            f"{path} should hold an elliptic-curve key.", f"Move {path} away; a new one is made."
        )
    return key, certificate


def _unusable(path: Path, error: Exception) -> CertificateError:
    return CertificateError(
        f"{path} should hold a key and a certificate in PEM; it can't be used ({type(error).__name__}).",
        f"Move {path} away; a new one is made at the next start.",
    )


def _pem(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> bytes:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + private


def _replace(path: Path, data: bytes, *, mode: int, once: bool = False) -> None:
    """Writes durably and atomically; with `once`, whoever was first wins and the rest is dropped."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if not once:
            scratch.replace(path)
        elif not path.exists():
            _link(scratch, path)
    finally:
        scratch.unlink(missing_ok=True)


def _link(scratch: Path, path: Path) -> None:
    try:
        path.hardlink_to(scratch)
    except FileExistsError:
        return
