"""The CA: made once, dated for devices without clocks, never remade over what is damaged."""

from __future__ import annotations

import datetime
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from edgelite_hub.security import ca
from edgelite_hub.security.identity import parse_identity
from edgelite_protocol.errors import CorruptionError, ProtocolError
from tests.hub.hub_world import AUTHORITY, START_UNIX_MS, make_csr, make_key


def test_first_start_makes_a_ca_that_only_its_owner_reads_and_keeps_it(tmp_path: Path) -> None:
    made = ca.load_or_create_authority(tmp_path / "pki")
    assert stat.S_IMODE((tmp_path / "pki" / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "pki").stat().st_mode) == 0o700
    assert ca.load_or_create_authority(tmp_path / "pki").der == made.der


def test_dates_leave_no_device_clock_out(tmp_path: Path) -> None:
    chain, _ = ca.ensure_server_certificate(AUTHORITY, tmp_path, ())
    for certificate in [AUTHORITY.certificate, *x509.load_pem_x509_certificates(chain.read_bytes())]:
        assert certificate.not_valid_before_utc == datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        assert certificate.not_valid_after_utc.year == 9999


@pytest.mark.parametrize("gone", ["ca.key"])
def test_a_ca_without_its_key_is_not_replaced(tmp_path: Path, gone: str) -> None:
    ca.load_or_create_authority(tmp_path)
    (tmp_path / gone).unlink()
    with pytest.raises(CorruptionError, match="backup"):
        ca.load_or_create_authority(tmp_path)


def test_a_first_start_that_was_cut_before_the_certificate_begins_anew(tmp_path: Path) -> None:
    ca.load_or_create_authority(tmp_path)
    (tmp_path / "ca.crt").unlink()
    ca.load_or_create_authority(tmp_path)


@pytest.mark.parametrize("name", ["ca.key", "ca.crt"])
def test_a_damaged_ca_is_named_and_not_replaced(tmp_path: Path, name: str) -> None:
    ca.load_or_create_authority(tmp_path)
    (tmp_path / name).write_text("-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n")
    with pytest.raises(CorruptionError) as caught:
        ca.load_or_create_authority(tmp_path)
    assert name in caught.value.place


def test_key_and_certificate_of_two_cas_are_refused(tmp_path: Path) -> None:
    ca.load_or_create_authority(tmp_path / "a")
    ca.load_or_create_authority(tmp_path / "b")
    (tmp_path / "a" / "ca.key").write_bytes((tmp_path / "b" / "ca.key").read_bytes())
    with pytest.raises(CorruptionError, match="not the key"):
        ca.load_or_create_authority(tmp_path / "a")


def test_the_server_certificate_follows_the_advertised_names(tmp_path: Path) -> None:
    chain, key = ca.ensure_server_certificate(AUTHORITY, tmp_path, ("hub.example.org", "192.0.2.7"))
    first = chain.read_bytes()
    ca.ensure_server_certificate(AUTHORITY, tmp_path, ("hub.example.org", "192.0.2.7"))
    assert chain.read_bytes() == first, "the same names: the same certificate"
    leaf = x509.load_pem_x509_certificates(first)[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["edgelite-hub", "localhost", "hub.example.org"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "192.0.2.7"]
    ca.ensure_server_certificate(AUTHORITY, tmp_path, ("other.example.org",))
    assert chain.read_bytes() != first
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_server_certificate_of_another_ca_is_replaced(tmp_path: Path) -> None:
    ca.ensure_server_certificate(ca.create_authority(), tmp_path, ())
    chain, _ = ca.ensure_server_certificate(AUTHORITY, tmp_path, ())
    leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    leaf.verify_directly_issued_by(AUTHORITY.certificate)


@pytest.mark.parametrize("name", ["n1", "a" * 64, "long." * 30 + "name"])
def test_a_node_certificate_is_bound_to_its_name(name: str) -> None:
    issued = AUTHORITY.issue_node(name, make_key().public_key(), START_UNIX_MS, 90_000_000)
    identity = parse_identity(issued.der)
    assert (identity.node, identity.serial, identity.not_after_ms) == (name, issued.serial, issued.not_after_ms)
    x509.load_der_x509_certificate(issued.der).verify_directly_issued_by(AUTHORITY.certificate)


def test_the_hubs_own_certificate_is_no_nodes(tmp_path: Path) -> None:
    chain, _ = ca.ensure_server_certificate(AUTHORITY, tmp_path, ())
    leaf = x509.load_pem_x509_certificates(chain.read_bytes())[0]
    with pytest.raises(ProtocolError) as caught:
        parse_identity(leaf.public_bytes(serialization.Encoding.DER))
    assert caught.value.code == "certificate_unusable"


def test_a_request_proves_its_key_and_its_subject_does_not_matter() -> None:
    key = make_key()
    found = ca.check_certificate_request(make_csr(key))
    assert ca.public_key_bytes(found) == ca.public_key_bytes(key.public_key())


def weak_request() -> bytes:
    key = rsa.generate_private_key(65537, 1024)
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def odd_curve_request() -> bytes:
    key = ec.generate_private_key(ec.SECP256K1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def forged_request() -> bytes:
    good = bytearray(make_csr(make_key()))
    good[-1] ^= 1
    return bytes(good)


BAD_REQUESTS = {
    "empty": lambda: b"",
    "rubbish": lambda: b"\x30\x03\x02\x01\x01",
    "a certificate": lambda: AUTHORITY.der,
    "cut": lambda: make_csr(make_key())[:-10],
    "forged": forged_request,
    "weak key": weak_request,
    "odd curve": odd_curve_request,
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_certificate_requests(name: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        ca.check_certificate_request(BAD_REQUESTS[name]())
    assert caught.value.code == "bad_certificate_request"
