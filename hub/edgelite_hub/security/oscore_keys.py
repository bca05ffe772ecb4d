"""The keys of nodes behind a gateway (OSCORE, RFC 8613): made with the Node, shown once, sealed in the store.

They are symmetric, so the hub has to keep them. A node has one set; new ones replace it, and a deleted Node's are
forgotten. The hub's own id is empty, a node's has 4 random bytes and finds its keys.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from edgelite_hub.environment import Environment
from edgelite_hub.model.objects import NODES, make_uid, uid_of
from edgelite_hub.nodes.node_status import new_node
from edgelite_hub.store.contract import Transaction
from edgelite_protocol.oscore.ccm import TAG_BYTES
from edgelite_protocol.oscore.context import Keys

SECRET_BYTES = 16
SALT_BYTES = 8
ID_BYTES = 4
HUB_ID = b""


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """A node that has shown, or is about to show, that it holds the keys of `kid`."""

    node: str
    kid: bytes
    gateway: str  # the node that carries it


class HubCcm:
    """OSCORE's cipher as the hub has it."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESCCM(key, tag_length=TAG_BYTES)

    def seal(self, nonce: bytes, plaintext: bytes, additional: bytes) -> bytes:
        return self._cipher.encrypt(nonce, plaintext, additional)

    def open(self, nonce: bytes, ciphertext: bytes, additional: bytes) -> bytes | None:
        try:
            return self._cipher.decrypt(nonce, ciphertext, additional)
        except InvalidTag:
            return None


def provision(transaction: Transaction, environment: Environment, name: str) -> dict[str, str]:
    """Make keys for the node, and the Node where there is none; what the device needs, in base64. This is the only
    time that anybody sees them. The keys that it had before count no more."""
    node = transaction.get(NODES, "", name)
    if node is None:
        uid = make_uid(environment.random_bytes)
        node = transaction.create(NODES, "", name, new_node(name, {}, uid, environment.unix_ms()))
    forget(transaction, name)
    random = environment.random_bytes
    kid, secret, salt = _unused_kid(transaction, random), random(SECRET_BYTES), random(SALT_BYTES)
    place = _kid_meta(kid)
    record = {"node": name, "uid": uid_of(node), "secret": secret.hex(), "salt": salt.hex()}
    transaction.set_meta(place, environment.key_box.seal(json.dumps(record).encode(), place))
    transaction.set_meta(_node_meta(name), kid)
    values = {"senderId": kid, "recipientId": HUB_ID, "masterSecret": secret, "masterSalt": salt}
    return {key: base64.b64encode(value).decode() for key, value in values.items()}


def find(transaction: Transaction, environment: Environment, kid: bytes) -> tuple[str, Keys] | None:
    """The node whose id this is, and its keys as the hub uses them; None for an id that counts for no Node."""
    place = _kid_meta(kid)
    sealed = transaction.get_meta(place)
    if sealed is None:
        return None
    record = json.loads(environment.key_box.open(sealed, place))
    node = transaction.get(NODES, "", record["node"])
    if node is None or uid_of(node) != record["uid"]:  # deleted, or another one that took its name
        return None
    return record["node"], Keys(bytes.fromhex(record["secret"]), bytes.fromhex(record["salt"]), HUB_ID, kid)


def counts(transaction: Transaction, environment: Environment, identity: KeyIdentity) -> bool:
    """Whether these keys are still the node's."""
    found = find(transaction, environment, identity.kid)
    return found is not None and found[0] == identity.node


def forget(transaction: Transaction, name: str) -> None:
    """The node has no keys any more."""
    kid = transaction.get_meta(_node_meta(name))
    if kid is not None:
        transaction.set_meta(_kid_meta(kid), None)
        transaction.set_meta(_node_meta(name), None)


def _unused_kid(transaction: Transaction, random: Callable[[int], bytes]) -> bytes:
    while True:
        kid = random(ID_BYTES)
        if transaction.get_meta(_kid_meta(kid)) is None:
            return kid


def _kid_meta(kid: bytes) -> str:
    return "oscore/kid/" + kid.hex()


def _node_meta(name: str) -> str:
    return "oscore/node/" + name
