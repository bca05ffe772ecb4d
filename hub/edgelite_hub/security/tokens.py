"""Join tokens: made by an administrator, kept as a hash, spent by nodes.

The text is "edgelite1.<id>.<secret>.<SHA-256 of the CA's DER>": the id finds the token, the secret proves it, the
hash lets the node check this hub before it sends the secret. A plain SHA-256 of the secret is kept, since the
secret has 128 random bits and there is nothing to guess.

The API's strategy for the kind JoinToken calls `prepare` in the transaction that creates the object, and puts the
text that it returns into `status.token` of its one answer.
"""

from __future__ import annotations

import fnmatch
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

from edgelite_hub.model.objects import JOIN_TOKENS, Object, name_of, parse_rfc3339, rfc3339
from edgelite_hub.store.contract import Transaction
from edgelite_protocol.digest import sha256
from edgelite_protocol.errors import ProtocolError

PREFIX = "edgelite1"
ID_BYTES = 4
SECRET_BYTES = 16
TTL_SECONDS_DEFAULT = 3600
TTL_SECONDS_MAX = 366 * 86_400
REVOKED_KEPT_MAX = 256  # ids remembered so that a node is told "revoked" and not "unknown"
USED_BY_KEPT_MAX = 1_000  # node names in status.usedBy; the count goes on
_REVOKED_META = "tokens/revoked"


class InvalidToken(Exception):
    """`path` names the field of the JoinToken that is wrong, `text` why."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(f"{path}: {text}")
        self.path = path
        self.text = text


def prepare(
    transaction: Transaction, value: Object, ca_fingerprint: str, now_ms: int, random_bytes: Callable[[int], bytes]
) -> str:
    """Complete a JoinToken that is about to be created (spec.expiresAt, status) and keep its hash; returns the
    token's text, which exists nowhere else from here on. InvalidToken."""
    spec = value.setdefault("spec", {})
    expires_ms = _expiry_ms(spec, now_ms)
    _check_uses(spec)
    identifier, secret = random_bytes(ID_BYTES).hex(), random_bytes(SECRET_BYTES).hex()
    spec["expiresAt"] = rfc3339(expires_ms)
    value["status"] = {"id": identifier, "expired": False, "uses": 0, "usedBy": []}
    transaction.set_meta(_hash_meta(identifier), sha256(secret.encode()).digest())
    return ".".join((PREFIX, identifier, secret, ca_fingerprint))


def spend(transaction: Transaction, text: str, node: str, now_ms: int) -> Object:
    """Use a token for a node; the JoinToken as it stood. ProtocolError "token_malformed", "token_unknown",
    "token_expired", "token_revoked", "token_used_up", "token_for_another_name"."""
    identifier, secret = _split(text)
    kept = transaction.get_meta(_hash_meta(identifier))
    if kept is None or not hmac.compare_digest(kept, sha256(secret.encode()).digest()):
        if kept is None and identifier in _revoked(transaction):
            raise ProtocolError("token_revoked", f"join token {identifier} was revoked: ask for a new one")
        raise ProtocolError("token_unknown", "this hub made no such join token: ask for a new one")
    value = find(transaction, identifier)
    if value is None:
        raise ProtocolError("token_revoked", f"join token {identifier} was revoked: ask for a new one")
    _check_spendable(value, node, now_ms)
    return _note_use(transaction, value, node)


def find(transaction: Transaction, identifier: str) -> Object | None:
    return next((value for value in _tokens(transaction) if value["status"]["id"] == identifier), None)


def revoke(transaction: Transaction, identifier: str) -> None:
    """Forget the hash of a JoinToken that was deleted, and remember its id for the words of a refusal."""
    if transaction.get_meta(_hash_meta(identifier)) is None:
        return
    transaction.set_meta(_hash_meta(identifier), None)
    revoked = [*_revoked(transaction), identifier][-REVOKED_KEPT_MAX:]
    transaction.set_meta(_REVOKED_META, json.dumps(revoked).encode())


def has_expired(now_ms: int, transaction: Transaction) -> bool:
    """Whether `mark_expired` has something to do."""
    return any(True for _ in _newly_expired(now_ms, transaction))


def mark_expired(now_ms: int, transaction: Transaction) -> None:
    """Set status.expired where it has become true."""
    for value in list(_newly_expired(now_ms, transaction)):
        changed = {**value, "status": {**value["status"], "expired": True}}
        transaction.update(JOIN_TOKENS, "", name_of(value), changed)


def _newly_expired(now_ms: int, transaction: Transaction) -> Iterator[Object]:
    for value in _tokens(transaction):
        if not value["status"]["expired"] and now_ms >= parse_rfc3339(value["spec"]["expiresAt"]):
            yield value


def _tokens(transaction: Transaction) -> Iterator[Object]:
    """The tokens that went through `prepare`; an object restored by hand without it can join nobody."""
    return (value for value in transaction.list(JOIN_TOKENS) if (value.get("status") or {}).get("id"))


def _expiry_ms(spec: dict[str, Any], now_ms: int) -> int:
    if spec.get("expiresAt") is not None:
        try:
            expires_ms = parse_rfc3339(str(spec["expiresAt"]))
        except ValueError as error:
            raise InvalidToken("spec.expiresAt", "must be an RFC 3339 time") from error
        if not now_ms < expires_ms <= now_ms + TTL_SECONDS_MAX * 1000:
            raise InvalidToken("spec.expiresAt", "must lie ahead, by no more than 366 days")
        return expires_ms
    ttl = spec.get("ttlSeconds", TTL_SECONDS_DEFAULT)
    if isinstance(ttl, bool) or not isinstance(ttl, int) or not 0 < ttl <= TTL_SECONDS_MAX:
        raise InvalidToken("spec.ttlSeconds", f"must be an integer from 1 to {TTL_SECONDS_MAX}")
    return now_ms + ttl * 1000


def _check_uses(spec: dict[str, Any]) -> None:
    uses = spec.get("uses")
    if uses is not None and (isinstance(uses, bool) or not isinstance(uses, int) or uses < 1):
        raise InvalidToken("spec.uses", "must be an integer from 1 on")


def _check_spendable(value: Object, node: str, now_ms: int) -> None:
    spec, status = value["spec"], value["status"]
    if now_ms >= parse_rfc3339(spec["expiresAt"]):
        raise ProtocolError("token_expired", f"join token {status['id']} expired at {spec['expiresAt']}")
    if spec.get("uses") is not None and status.get("uses", 0) >= spec["uses"] and node not in status["usedBy"]:
        raise ProtocolError("token_used_up", f"join token {status['id']} was for {spec['uses']} nodes")
    pattern = spec.get("nodeNamePattern")
    if pattern and not fnmatch.fnmatchcase(node, pattern):
        raise ProtocolError("token_for_another_name", f"join token {status['id']} is for nodes named {pattern}")


def _note_use(transaction: Transaction, value: Object, node: str) -> Object:
    status = value["status"]
    if node in status["usedBy"]:
        return value
    used_by = [*status["usedBy"], node][-USED_BY_KEPT_MAX:]
    changed = {**value, "status": {**status, "uses": status.get("uses", 0) + 1, "usedBy": used_by}}
    return transaction.update(JOIN_TOKENS, "", name_of(value), changed)


def _split(text: str) -> tuple[str, str]:
    """(id, secret) of a whole token, or of the "<id>.<secret>" in its middle."""
    parts = text.split(".")
    if len(parts) == 4 and parts[0] == PREFIX:
        parts = parts[1:3]
    if len(parts) != 2 or not (_is_hex(parts[0], ID_BYTES) and _is_hex(parts[1], SECRET_BYTES)):
        raise ProtocolError("token_malformed", "a join token reads edgelite1.<id>.<secret>.<hash>: copy it whole")
    return parts[0], parts[1]


def _is_hex(text: str, size_bytes: int) -> bool:
    return len(text) == size_bytes * 2 and all(character in "0123456789abcdef" for character in text)


def _revoked(transaction: Transaction) -> list[str]:
    stored = transaction.get_meta(_REVOKED_META)
    return json.loads(stored) if stored is not None else []


def _hash_meta(identifier: str) -> str:
    return "tokens/hash/" + identifier
