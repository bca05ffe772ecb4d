"""Certificates without TLS and without chance: what the hub's logic asks of its authority, as text that can be read.

A simulated certificate says whose it is, which authority issued it and when it counts. No signature protects it: that a
peer holds its key is TLS's to prove, and here the World connects each node with the identity that it has.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives.asymmetric import ec

from edgelite_hub.security.ca import BACKDATED, Authority, Issued, PublicKey
from edgelite_hub.security.identity import PeerIdentity
from edgelite_protocol.errors import ProtocolError

SERIAL_BYTES = 16
NAME_BYTES = 8
BACKDATED_MS = int(BACKDATED.total_seconds() * 1000)


@cache
def public_key() -> PublicKey:
    """One key for all: a simulated node proves nothing with it."""
    return ec.derive_private_key(1, ec.SECP256R1()).public_key()


@dataclass(frozen=True, slots=True)
class SimIdentity(PeerIdentity):
    """`authority` is the fingerprint of who issued the certificate: TLS refuses another hub's."""

    authority: str


class SimAuthority(Authority):
    """Issues certificates from the seed's randomness. Its own is `der`, which a join token would name."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        self._random_bytes = random_bytes
        self.der = b"simulated CA " + random_bytes(NAME_BYTES).hex().encode()
        self.pem = self.der

    def issue_node(self, name: str, public_key: PublicKey, now_ms: int, lifetime_ms: int) -> Issued:
        """In whole seconds, as X.509 has them."""
        second_ms = now_ms // 1000 * 1000
        serial = self._random_bytes(SERIAL_BYTES).hex()
        not_after_ms = second_ms + lifetime_ms // 1000 * 1000
        fields = {
            "node": name,
            "serial": serial,
            "notBeforeMs": second_ms - BACKDATED_MS,
            "notAfterMs": not_after_ms,
            "authority": self.fingerprint,
        }
        return Issued(json.dumps(fields, sort_keys=True).encode(), serial, not_after_ms)


def parse(der: bytes) -> SimIdentity:
    """What a certificate of any SimAuthority says; ProtocolError "certificate_unusable"."""
    try:
        fields = json.loads(der)
        times = int(fields["notBeforeMs"]), int(fields["notAfterMs"])
        return SimIdentity(fields["node"], fields["serial"], *times, public_key(), fields["authority"])
    except (ValueError, TypeError, KeyError) as error:
        raise ProtocolError("certificate_unusable", f"it is no simulated certificate ({error})") from error
