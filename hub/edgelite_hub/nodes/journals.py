"""Which journals a node has had: so that an older copy of a card is told apart from its original, and two nodes with
one identity are told from one that comes back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cbor2

from edgelite_hub.store.contract import Position, Transaction
from edgelite_protocol import feed_rules
from edgelite_protocol import messages as m
from edgelite_protocol.errors import ProtocolError

JOURNALS_MAX = 8  # of one node: a card is wiped or replaced a few times in its life
LANES = (m.LANE_STATE, m.LANE_TELEMETRY)


@dataclass(frozen=True, slots=True)
class Live:
    """The session that the node has now: its journal and instance."""

    journal: bytes
    instance: bytes


def admit(transaction: Transaction, node: str, hello: dict[int, Any], live: Live | None) -> bool:
    """Note the journal of a hello; True where it is an older copy, which must take a new id. ProtocolError
    "identity_cloned"."""
    rows = _read(transaction, node)
    journal = hello[m.HELLO_JOURNAL_ID]
    known = next((row for row in rows if row[0] == journal), None)
    if live is not None and live.journal != journal and known is not None:
        # The one with the newer journal is there at this moment, and the one before it comes back.
        raise ProtocolError("identity_cloned", _CLONED)
    verdict = feed_rules.judge_journal(
        hello, (known[1], known[2]) if known else None, bool(known and known[3]), live=False
    )
    if verdict == feed_rules.JOURNAL_CLONED:
        raise ProtocolError("identity_cloned", _CLONED)
    is_copy = verdict == feed_rules.JOURNAL_OLDER_COPY
    others = [row for row in rows if row[0] != journal]
    if is_copy and known is not None:
        rows = [*others, [journal, known[1], known[2], True]]
    else:
        forked = bool(known and known[3])
        rows = [*others, [journal, hello[m.HELLO_GENERATION], hello[m.HELLO_INSTANCE], forked]]
    transaction.set_meta(_meta(node), cbor2.dumps(rows[-JOURNALS_MAX:]))
    return is_copy


def stored(transaction: Transaction, node: str, journal: bytes) -> list[list[int]]:
    """[lane, generation, sequence] of what the hub has of a journal, as WELCOME_STORED."""
    rows = []
    for lane in LANES:
        position: Position | None = transaction.position(node, journal, lane)
        if position is not None:
            rows.append([lane, position.generation, position.sequence])
    return rows


_CLONED = (
    "two nodes use this identity: one is a copy of the other. Wipe the copy's state directory and join it "
    "under a name of its own"
)


def _read(transaction: Transaction, node: str) -> list[Any]:
    kept = transaction.get_meta(_meta(node))
    return cbor2.loads(kept) if kept is not None else []


def _meta(node: str) -> str:
    return "journals/" + node
