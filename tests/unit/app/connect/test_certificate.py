"""The certificate: trusted for exactly its names, by a CA that can sign nothing more."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from cryptography import x509

from entrepot.app.connect.certificate import Issued, covers, fingerprint, issue

NAMES = ["123456789012.dkr.ecr.us-east-1.amazonaws.com", "sts.amazonaws.com"]


@pytest.fixture(scope="module")
def issued() -> Issued:
    return issue(NAMES, "127.0.0.1")


def _handshake(issued: Issued, directory: Path, name: str) -> None:
    """A client that trusts only the CA connects to `name`, in memory."""
    (directory / "crt").write_bytes(issued.certificate)
    (directory / "key").write_bytes(issued.key)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(directory / "crt", directory / "key")
    client_context = ssl.create_default_context(cadata=issued.ca.decode())
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    for side in (client, server, client, server):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue


@pytest.mark.parametrize("name", [*NAMES, "127.0.0.1"])
def test_clients_accept_its_names(issued: Issued, tmp_path: Path, name: str) -> None:
    _handshake(issued, tmp_path, name)


@pytest.mark.parametrize("name", ["s3.amazonaws.com", "x.sts.amazonaws.com", "127.0.0.2"])
def test_clients_refuse_every_other_name(issued: Issued, tmp_path: Path, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(issued, tmp_path, name)


def test_the_key_of_the_ca_is_gone(issued: Issued) -> None:
    ca, leaf = (x509.load_pem_x509_certificate(pem) for pem in (issued.ca, issued.certificate))
    assert ca.public_key() != leaf.public_key()
    assert issued.key.count(b"PRIVATE KEY") == 2  # one key, begin and end
    assert ca.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length == 0


def test_it_covers_exactly_what_it_names(issued: Issued) -> None:
    assert covers(issued.certificate, NAMES, "127.0.0.1")
    assert not covers(issued.certificate, NAMES[:1], "127.0.0.1")
    assert not covers(issued.certificate, [*NAMES, "more.test"], "127.0.0.1")
    assert not covers(issued.certificate, NAMES, "127.0.0.2")


def test_every_ca_is_another(issued: Issued) -> None:
    assert fingerprint(issued.ca) != fingerprint(issue(NAMES, "127.0.0.1").ca)
