"""What the hub does about a hello, in one transaction: judge the certificate, the journal and the feed, update the
Node, and say what the welcome shall be."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from edgelite_hub.environment import Environment
from edgelite_hub.model.objects import (
    ADOPT_ANNOTATION,
    NODES,
    Object,
    remove_condition,
    set_condition,
)
from edgelite_hub.nodes import journals
from edgelite_hub.nodes.dating import Dater
from edgelite_hub.nodes.feed import choose_mode, drop_oversized
from edgelite_hub.nodes.node_status import DIVERGED, READY, with_gateway, with_hello
from edgelite_hub.security import identity as identities
from edgelite_hub.security import oscore_keys
from edgelite_hub.security.access import node_may_open_session
from edgelite_hub.security.identity import PeerIdentity
from edgelite_hub.security.oscore_keys import KeyIdentity
from edgelite_hub.store.contract import Transaction
from edgelite_protocol import feed_rules
from edgelite_protocol import messages as m
from edgelite_protocol.errors import ProtocolError

GAPS_MAX = 16  # rows of WELCOME_GAPS

REFUSALS = {
    identities.EXPIRED: "the certificate has ended: renew it first",
    identities.REVOKED: "the hub has revoked this node: join again with a new token",
}


@dataclass(frozen=True, slots=True)
class Greeting:
    """The answer to a hello, but for the time, which is filled in when it is sent."""

    welcome: dict[int, Any]
    epoch: bytes
    mode: int
    revision: int  # the feed's last; what a snapshot offer names
    clock_offset_ms: int
    notes: tuple[str, ...]  # for the log


def check_identity(transaction: Transaction, environment: Environment, identity: PeerIdentity | KeyIdentity) -> None:
    """ProtocolError "certificate_expired" or "node_revoked"."""
    if isinstance(identity, PeerIdentity):
        verdict = identities.judge(transaction, identity, environment.unix_ms())
    else:
        counts = oscore_keys.counts(transaction, environment, identity)
        verdict = identities.VALID if counts else identities.REVOKED
    if not node_may_open_session(identity.node, verdict):
        raise ProtocolError(verdict, REFUSALS[verdict])


def greet(
    transaction: Transaction,
    environment: Environment,
    identity: PeerIdentity | KeyIdentity,
    hello: dict[int, Any],
    address: str,
    live: journals.Live | None,
) -> Greeting:
    """ProtocolError where the node is refused; then nothing of the transaction may be kept."""
    now_ms = environment.unix_ms()
    check_identity(transaction, environment, identity)
    node = identity.node
    is_copy = journals.admit(transaction, node, hello, live)
    drop_oversized(transaction, node, hello[m.HELLO_FRAME_BYTES_MAX])
    epoch, mode = choose_mode(transaction, node, hello, environment.random_bytes)
    offset_ms = now_ms - hello[m.HELLO_MONOTONIC_MS]
    Dater(transaction, node, hello[m.HELLO_BOOT_ID], offset_ms).keep()
    welcome, gaps = _welcome(transaction, node, hello, is_copy)
    welcome.update({m.WELCOME_EPOCH: epoch, m.WELCOME_MODE: mode})
    if isinstance(identity, PeerIdentity) and identity.wants_renewal(now_ms):
        welcome[m.WELCOME_RENEW] = True
    gateway = identity.gateway if isinstance(identity, KeyIdentity) else ""
    _update_node(transaction, node, hello, (address, gateway), mode, now_ms)
    last = transaction.feed_last(node)
    notes = tuple(f"lost with an older store: lane {row[0]}, reports {row[1:3]} to {row[3:5]}" for row in gaps)
    if is_copy:
        notes += ("its journal is an older copy: new reports take a new journal id",)
    return Greeting(welcome, epoch, mode, last.revision if last else 0, offset_ms, notes)


def _welcome(
    transaction: Transaction, node: str, hello: dict[int, Any], is_copy: bool
) -> tuple[dict[int, Any], list[list[int]]]:
    stored = journals.stored(transaction, node, hello[m.HELLO_JOURNAL_ID])
    welcome: dict[int, Any] = {m.WELCOME_STORED: stored}
    gaps = feed_rules.find_gaps(hello[m.HELLO_ACKNOWLEDGED], stored)[:GAPS_MAX]
    if gaps:
        welcome[m.WELCOME_GAPS] = gaps
    if is_copy:
        welcome[m.WELCOME_NEW_JOURNAL] = True
    return welcome, gaps


def _update_node(
    transaction: Transaction, name: str, hello: dict[int, Any], way: tuple[str, str], mode: int, now_ms: int
) -> None:
    """`way` is the address that it came from, and the gateway that carries it, if one does."""
    node = transaction.get(NODES, "", name)
    if node is None:  # check_identity saw it in this very transaction
        raise ProtocolError("node_revoked", REFUSALS[identities.REVOKED])
    changed = with_gateway(with_hello(node, hello, way[0]), way[1])
    status = changed["status"]
    set_condition(status, READY, "True", "SessionOpen", "has a session with the hub", now_ms)
    if mode == m.MODE_DIVERGED:
        set_condition(status, DIVERGED, "True", "AwaitingAdoption", _diverged_text(name), now_ms)
    else:
        remove_condition(status, DIVERGED)
    if mode == m.MODE_DELTA:  # it follows this history, perhaps since a snapshot whose APPLIED was lost on its way
        _spend_adoption(changed)
    transaction.update(NODES, "", name, changed)


def _diverged_text(name: str) -> str:
    return (
        "the node holds another history than this hub (restored, reset or replaced): it goes on with what runs; "
        f"to make it follow this hub: kubectl annotate node {name} {ADOPT_ANNOTATION}=true"
    )


def wants_adoption(node: Object | None, epoch: bytes) -> bool:
    """Whether the annotation on the Node says that it shall follow this epoch: its hex, or "true"."""
    annotations = ((node or {}).get("metadata") or {}).get("annotations") or {}
    return annotations.get(ADOPT_ANNOTATION) in ("true", epoch.hex())


def end_divergence(transaction: Transaction, name: str) -> None:
    """The node has taken our snapshot."""
    node = transaction.get(NODES, "", name)
    if node is None:
        return
    changed = copy.deepcopy(node)
    _spend_adoption(changed)
    remove_condition(changed.setdefault("status", {}), DIVERGED)
    transaction.update(NODES, "", name, changed)


def _spend_adoption(node: Object) -> None:
    """A decision counts once: it must not settle a later divergence that nobody has looked at."""
    (node["metadata"].get("annotations") or {}).pop(ADOPT_ANNOTATION, None)
