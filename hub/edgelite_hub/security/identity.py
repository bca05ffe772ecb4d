"""Who a peer is: a node's certificate, judged by the hub's clock and the hub's store.

TLS has checked the chain and that the peer holds the key, and nothing about time (node_server.py says why). Here
stand the three judgements that are left:

    whose is it      the name in the SAN URI "edgelite:node:<name>"
    is it revoked    the Node is gone, or joined again since (only certificates recorded since then count)
    is it expired    then it may renew, and nothing else
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from cryptography import x509

from edgelite_hub.model.objects import NODES, is_object_name
from edgelite_hub.security.ca import NODE_URI_PREFIX, Issued, PublicKey, public_key_bytes
from edgelite_hub.store.contract import Transaction
from edgelite_protocol.errors import ProtocolError

RENEW_AFTER_PARTS = (2, 3)  # of the lifetime
SERIALS_KEPT_MAX = 32  # of one node; at one each 60 days that is five years, and older ones have expired

VALID = "valid"
EXPIRED = "certificate_expired"
REVOKED = "node_revoked"


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """What a node's certificate says."""

    node: str
    serial: str
    not_before_ms: int
    not_after_ms: int
    public_key: PublicKey

    def is_expired(self, now_ms: int) -> bool:
        return now_ms >= self.not_after_ms

    @property
    def renewal_ms(self) -> int:
        over, parts = RENEW_AFTER_PARTS
        return self.not_before_ms + -(-(self.not_after_ms - self.not_before_ms) * over // parts)

    def wants_renewal(self, now_ms: int) -> bool:
        return now_ms >= self.renewal_ms

    def session_ends_ms(self, now_ms: int) -> int:
        """When a session that begins now has to begin again: where renewal becomes due, since only a welcome asks
        for it; where it is due already and asked for, with the certificate."""
        return self.not_after_ms if self.wants_renewal(now_ms) else self.renewal_ms


def parse_identity(der: bytes) -> PeerIdentity:
    """Read a certificate that our CA signed. ProtocolError "certificate_unusable" for one that is no node's."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [
            uri.removeprefix(NODE_URI_PREFIX)
            for uri in alternative.get_values_for_type(x509.UniformResourceIdentifier)
            if uri.startswith(NODE_URI_PREFIX)
        ]
        key = certificate.public_key()
    except (ValueError, x509.ExtensionNotFound) as error:
        raise ProtocolError("certificate_unusable", str(error)) from error
    if len(names) != 1 or not is_object_name(names[0]) or not isinstance(key, PublicKey):
        raise ProtocolError("certificate_unusable", "it is no node's")
    return PeerIdentity(
        names[0],
        f"{certificate.serial_number:x}",
        int(certificate.not_valid_before_utc.timestamp() * 1000),
        int(certificate.not_valid_after_utc.timestamp() * 1000),
        key,
    )


def judge(transaction: Transaction, identity: PeerIdentity, now_ms: int) -> str:
    """VALID, EXPIRED or REVOKED."""
    if transaction.get(NODES, "", identity.node) is None:
        return REVOKED
    record = _read_record(transaction, identity.node)
    # Before a first re-join, every certificate of the CA for this name counts, recorded or not: a hub restored from
    # an older backup must not lock out a node whose renewal it forgot.
    if record["strict"] and all(entry["serial"] != identity.serial for entry in record["issued"]):
        return REVOKED
    return EXPIRED if identity.is_expired(now_ms) else VALID


def record_issued(transaction: Transaction, node: str, issued: Issued, key: PublicKey) -> None:
    """Note a certificate made for a node that stays what it is (its first one, or a renewal)."""
    record = _read_record(transaction, node)
    _write_record(transaction, node, record["strict"], [*record["issued"], _entry(issued, key)])


def replace_issued(transaction: Transaction, node: str, issued: Issued, key: PublicKey) -> None:
    """Note the certificate of a node that joined again: all earlier ones are revoked by it."""
    _write_record(transaction, node, True, [_entry(issued, key)])


def has_record(transaction: Transaction, node: str) -> bool:
    return bool(_read_record(transaction, node)["issued"])


def is_recorded_key(transaction: Transaction, node: str, key: PublicKey) -> bool:
    """Whether the node has a certificate for this very key: then whoever asks is that node."""
    wanted = public_key_bytes(key).hex()
    return any(entry["key"] == wanted for entry in _read_record(transaction, node)["issued"])


def _entry(issued: Issued, key: PublicKey) -> dict[str, object]:
    return {"serial": issued.serial, "notAfterMs": issued.not_after_ms, "key": public_key_bytes(key).hex()}


def _read_record(transaction: Transaction, node: str) -> dict[str, Any]:
    stored = transaction.get_meta("certificates/" + node)
    return json.loads(stored) if stored is not None else {"strict": False, "issued": []}


def _write_record(transaction: Transaction, node: str, strict: object, issued: list[dict[str, object]]) -> None:
    record = {"strict": bool(strict), "issued": issued[-SERIALS_KEPT_MAX:]}
    transaction.set_meta("certificates/" + node, json.dumps(record).encode())
