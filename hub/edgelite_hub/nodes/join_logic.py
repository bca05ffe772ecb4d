"""How a node becomes one of the hub's: a token and a certificate request in, a Node and its certificate out."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from edgelite_hub.environment import Environment
from edgelite_hub.model.objects import NODES, Object, is_object_name, make_uid
from edgelite_hub.nodes.node_status import new_node
from edgelite_hub.security.ca import PublicKey, check_certificate_request
from edgelite_hub.security.identity import has_record, is_recorded_key, record_issued, replace_issued
from edgelite_hub.security.tokens import spend
from edgelite_hub.store.contract import Transaction
from edgelite_protocol.errors import ProtocolError

FAILURES_MAX = 10  # wrong tokens from one address within the window; a person needs two or three tries
FAILURE_WINDOW_MS = 60_000
ADDRESSES_MAX = 1_024  # remembered; the longest known gives way, so memory stays bounded under a scan


class JoinLimiter:
    """Counts failed joins per address, and refuses more for a while."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, tuple[int, int]] = OrderedDict()  # address: (count, window's end)

    def check(self, address: str, now_ms: int) -> None:
        """ProtocolError "join_rate_limited"."""
        count, until_ms = self._failures.get(address, (0, 0))
        if count >= FAILURES_MAX and now_ms < until_ms:
            raise ProtocolError("join_rate_limited", "too many failed joins from this address: wait a minute")

    def failed(self, address: str, now_ms: int) -> None:
        count, until_ms = self._failures.pop(address, (0, 0))
        if now_ms >= until_ms:
            count, until_ms = 0, now_ms + FAILURE_WINDOW_MS
        self._failures[address] = (count + 1, until_ms)
        while len(self._failures) > ADDRESSES_MAX:
            self._failures.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Joined:
    certificate: bytes
    node: str
    is_new: bool


def join(transaction: Transaction, environment: Environment, token: str, name: str, request_der: bytes) -> Joined:
    """Spend the token, make or keep the Node, issue its certificate. ProtocolError with a code of SPEC.md's table,
    and then nothing of the transaction may be kept."""
    if not is_object_name(name):
        raise ProtocolError("node_name_invalid", "a node's name has lower-case letters, digits, '-' and '.'")
    key = check_certificate_request(request_der)
    now_ms = environment.unix_ms()
    token_object = spend(transaction, token, name, now_ms)
    node = transaction.get(NODES, "", name)
    if node is not None:
        _check_may_replace(transaction, node, key, token_object)
    issued = environment.authority.issue_node(name, key, now_ms, environment.settings.certificate_lifetime_ms)
    if has_record(transaction, name):
        replace_issued(transaction, name, issued, key)
    else:
        record_issued(transaction, name, issued, key)
    if node is None:
        labels = dict(token_object["spec"].get("nodeLabels") or {})
        uid = make_uid(environment.random_bytes)
        transaction.create(NODES, "", name, new_node(name, labels, uid, now_ms))
    return Joined(issued.der, name, node is None)


def _check_may_replace(transaction: Transaction, node: Object, key: PublicKey, token: Object) -> None:
    """A Node of that name exists. It may join again where one of these holds:

    1. the request is for the very key that it has: its earlier answer was lost on the way
    2. it has never had a session: a join that was given up
    3. the token was made for exactly this name: an administrator means it (a wiped or replaced device)

    Else anyone with any token could take over any node.
    """
    name = node["metadata"]["name"]
    if is_recorded_key(transaction, name, key):
        return
    if not ((node.get("status") or {}).get("nodeInfo") or {}).get("bootID"):
        return
    if token["spec"].get("nodeNamePattern") == name:
        return
    raise ProtocolError(
        "node_exists", f"a node named {name} has joined: delete it, or make a token with nodeNamePattern {name}"
    )
