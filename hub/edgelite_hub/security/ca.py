"""The hub's own certificate authority, made at first start.

Dates: the CA's and the hub's certificates run from 2000-01-01 to 9999-12-31 (RFC 5280 section 4.1.2.5 has that as
the value for no set end), because a device without a clock must be able to check them. A node's certificate has a
real lifetime, judged by the hub's clock alone (identity.py).
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edgelite_hub.security.private_files import make_private_directory, write_private
from edgelite_protocol.digest import sha256
from edgelite_protocol.errors import CorruptionError, ProtocolError

NOT_BEFORE = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)  # some TLS stacks of nodes do look, and know no better
NOT_AFTER = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
COMMON_NAME_LENGTH_MAX = 64  # RFC 5280 appendix A, ub-common-name; longer node names stand in the SAN alone
NODE_URI_PREFIX = "edgelite:node:"
SERVER_NAMES = ("edgelite-hub", "localhost", "127.0.0.1")
BACKDATED = datetime.timedelta(minutes=5)  # so that a hub clock set back a little does not refuse its own work
RSA_KEY_BITS_MIN = 2048

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class Issued:
    """A node certificate as the store remembers it."""

    der: bytes
    serial: str  # hexadecimal
    not_after_ms: int


class Authority:
    """The CA's key and certificate, and what they sign."""

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate
        self.der = certificate.public_bytes(serialization.Encoding.DER)
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate's DER, hexadecimal: what join tokens carry."""
        return sha256(self.der).digest().hex()

    def issue_node(self, name: str, public_key: PublicKey, now_ms: int, lifetime_ms: int) -> Issued:
        now = datetime.datetime.fromtimestamp(now_ms // 1000, tz=datetime.UTC)
        not_after = now + datetime.timedelta(milliseconds=lifetime_ms)
        serial = x509.random_serial_number()
        builder = (
            self._builder(_node_subject(name), public_key, serial, now - BACKDATED, not_after)
            .add_extension(
                x509.SubjectAlternativeName([x509.UniformResourceIdentifier(NODE_URI_PREFIX + name)]),
                critical=len(name) > COMMON_NAME_LENGTH_MAX,  # RFC 5280 4.2.1.6: where the subject is empty
            )
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        )
        certificate = builder.sign(self._key, hashes.SHA256())
        return Issued(
            certificate.public_bytes(serialization.Encoding.DER), f"{serial:x}", int(not_after.timestamp() * 1000)
        )

    def issue_server(self, public_key: PublicKey, names: tuple[str, ...]) -> x509.Certificate:
        return (
            self._builder(_subject("edgelite-hub"), public_key, x509.random_serial_number(), NOT_BEFORE, NOT_AFTER)
            .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _builder(
        self,
        subject: x509.Name,
        public_key: PublicKey,
        serial: int,
        not_before: datetime.datetime,
        not_after: datetime.datetime,
    ) -> x509.CertificateBuilder:
        authority_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.certificate.subject)
            .public_key(public_key)
            .serial_number(serial)
            .not_valid_before(not_before)
            .not_valid_after(not_after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(authority_identifier, critical=False)
        )


def create_authority() -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # The serial in the name keeps two hubs' CAs apart where one trust store holds both.
    subject = _subject(f"edgelite CA {serial:x}"[:COMMON_NAME_LENGTH_MAX])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(key, certificate)


def load_or_create_authority(directory: Path) -> Authority:
    """The CA in `directory`/ca.key and ca.crt; CorruptionError where only one of them is there or they disagree,
    because a CA made anew would lock every joined node out."""
    make_private_directory(directory)
    key_path, certificate_path = directory / "ca.key", directory / "ca.crt"
    if not certificate_path.exists():
        # ca.crt is written last: without it no certificate was ever issued, so a lone key is a first start cut short.
        authority = create_authority()
        write_private(key_path, _key_pem(authority._key))
        write_private(certificate_path, authority.pem)
        return authority
    if not key_path.exists():
        raise CorruptionError(str(key_path), "is gone while ca.crt is there: bring both back from a backup")
    return _load_authority(key_path, certificate_path)


def _load_authority(key_path: Path, certificate_path: Path) -> Authority:
    key = _load_key(key_path)
    try:
        certificate = x509.load_pem_x509_certificate(certificate_path.read_bytes())
    except ValueError as error:
        raise CorruptionError(str(certificate_path), f"is no certificate ({error})") from error
    if certificate.public_key() != key.public_key():
        raise CorruptionError(str(key_path), "is not the key of ca.crt: bring both back from one backup")
    return Authority(key, certificate)


def ensure_server_certificate(authority: Authority, directory: Path, advertise: tuple[str, ...]) -> tuple[Path, Path]:
    """The hub's own certificate and key files; issued anew when the names or the CA changed. The certificate file
    holds the chain, CA included, so that a joining node sees the CA that its token names."""
    key_path, chain_path = directory / "hub.key", directory / "hub.crt"
    names = tuple(dict.fromkeys(SERVER_NAMES + advertise))
    if key_path.exists() and _covers(chain_path, authority, names):
        return chain_path, key_path
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = authority.issue_server(key.public_key(), names)
    chain_path.unlink(missing_ok=True)  # never a chain beside the key of another one
    write_private(key_path, _key_pem(key))
    write_private(chain_path, certificate.public_bytes(serialization.Encoding.PEM) + authority.pem)
    return chain_path, key_path


def check_certificate_request(der: bytes) -> PublicKey:
    """The public key of a certificate request whose signature proves that its sender holds the key. Its subject is
    ignored: the name in a certificate is the hub's decision. ProtocolError "bad_certificate_request"."""
    try:
        request = x509.load_der_x509_csr(der)
        if not request.is_signature_valid:
            raise ProtocolError("bad_certificate_request", "its signature does not fit its key")
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise ProtocolError("bad_certificate_request", str(error) or "unreadable") from error
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= RSA_KEY_BITS_MIN:
        return key
    if isinstance(key, ed25519.Ed25519PublicKey):
        return key
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    raise ProtocolError("bad_certificate_request", "the key is none of P-256, P-384, Ed25519, RSA from 2048 bits on")


def public_key_bytes(key: PublicKey) -> bytes:
    """The key's SubjectPublicKeyInfo, for comparing."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _covers(chain_path: Path, authority: Authority, names: tuple[str, ...]) -> bool:
    if not chain_path.exists():
        return False
    try:
        certificate = x509.load_pem_x509_certificates(chain_path.read_bytes())[0]
        certificate.verify_directly_issued_by(authority.certificate)
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False  # damaged or another CA's: issued anew, which costs nobody anything
    return set(alternative) == {_general_name(name) for name in names}


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except ValueError as error:
        raise CorruptionError(str(path), f"is no private key ({error})") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CorruptionError(str(path), "is no elliptic curve key")
    return key


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _node_subject(name: str) -> x509.Name:
    return _subject(name) if len(name) <= COMMON_NAME_LENGTH_MAX else x509.Name([])


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
