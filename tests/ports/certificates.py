"""Certificates for tests of the Linux port, made with `cryptography` as the hub's own are: dated so that no clock
matters, the hub's with its DNS name, the nodes' with their common name."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

START = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
END = datetime.datetime(9999, 12, 31, 23, 59, 59, tzinfo=datetime.UTC)
PAST = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


@dataclass
class Authority:
    """A CA and what it signs."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, common_name: str = "edgelite test CA") -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(common_name), _name(common_name), key.public_key(), END)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        return cls(key, builder.sign(key, hashes.SHA256()))

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    def hub(
        self, dns_name: str = "edgelite-hub", end: datetime.datetime = END, start: datetime.datetime = START
    ) -> tuple[bytes, bytes]:
        """(certificate PEM, key PEM) of a TLS server."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name("hub"), self.certificate.subject, key.public_key(), end, start)
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns_name)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        return _pem(builder.sign(self.key, hashes.SHA256())), key_pem(key)

    def node(self, name: str, end: datetime.datetime = END) -> tuple[bytes, bytes]:
        """(certificate PEM, key PEM) of a node."""
        key = ec.generate_private_key(ec.SECP256R1())
        return _pem(self.sign_node(name, key.public_key(), end)), key_pem(key)

    def sign_node(self, name: str, public_key: object, end: datetime.datetime = END) -> x509.Certificate:
        builder = _builder(_name(name), self.certificate.subject, public_key, end)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def write_hub(self, directory: Path, **options: object) -> tuple[str, str, str]:
        """(CA path, certificate path, key path)."""
        certificate, key = self.hub(**options)  # type: ignore[arg-type]
        return _write(directory, "hub", _pem(self.certificate), certificate, key)

    def write_node(self, directory: Path, name: str) -> tuple[str, str, str]:
        certificate, key = self.node(name)
        return _write(directory, "node", _pem(self.certificate), certificate, key)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: object,
    end: datetime.datetime,
    start: datetime.datetime = START,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
    builder = builder.public_key(public_key).serial_number(x509.random_serial_number())  # type: ignore[arg-type]
    return builder.not_valid_before(start).not_valid_after(end)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(directory: Path, name: str, ca: bytes, certificate: bytes, key: bytes) -> tuple[str, str, str]:
    directory.mkdir(parents=True, exist_ok=True)
    paths = directory / "ca.crt", directory / f"{name}.crt", directory / f"{name}.key"
    for path, data in zip(paths, (ca, certificate, key), strict=True):
        path.write_bytes(data)
    return str(paths[0]), str(paths[1]), str(paths[2])
