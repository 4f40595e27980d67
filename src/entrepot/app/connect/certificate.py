"""The certificate of connected names: one leaf, signed by a CA whose key never leaves memory and is then dropped.

Whoever trusts the CA therefore trusts exactly these names and nothing that could be signed later.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=397)
"""Longest that common clients take."""

RENEW_BEFORE = timedelta(days=30)
CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Issued:
    """PEM texts."""

    ca: bytes
    certificate: bytes
    """The leaf alone; clients have the CA."""
    key: bytes


def issue(names: Sequence[str], address: str) -> Issued:
    """Make a CA, sign one leaf for `names` and `address`, and forget the CA's key."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = _name(f"entrepot connect {datetime.now(UTC):%Y-%m-%d %H:%M:%S}")
    alternatives = [*(x509.DNSName(name) for name in names), x509.IPAddress(ipaddress.ip_address(address))]
    identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    ca = (
        _builder(issuer, issuer, ca_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        _builder(_name("entrepot"), issuer, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier(identifier.digest, None, None), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    return Issued(
        ca.public_bytes(Encoding.PEM),
        leaf.public_bytes(Encoding.PEM),
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
    )


def covers(certificate: bytes, names: Sequence[str], address: str) -> bool:
    """Whether a PEM certificate is for exactly these names and address and will last for a while."""
    leaf = x509.load_pem_x509_certificate(certificate)
    found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    wanted = {*names, address}
    present = {*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))}
    return present == wanted and leaf.not_valid_after_utc - RENEW_BEFORE > datetime.now(UTC)


def fingerprint(certificate: bytes) -> str:
    """The first eight digits of a PEM certificate's SHA-256, to name files by."""
    return x509.load_pem_x509_certificate(certificate).fingerprint(hashes.SHA256()).hex()[:8]


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
