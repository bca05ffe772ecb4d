"""The connection of a node behind a gateway: frames of a relay outside, OSCORE in them, a node's session inside.

The gateway has shown a certificate of its own in TLS; that makes it a carrier and nothing more. Who the node is, OSCORE
says: until a first message has verified, no byte reaches the session.
"""

from __future__ import annotations

from functools import partial

from edgelite_hub.nodes.fleet import Fleet
from edgelite_hub.nodes.node_logic import NodeConnection
from edgelite_hub.security import oscore_keys
from edgelite_hub.security.identity import VALID, PeerIdentity, judge
from edgelite_hub.security.oscore_keys import HubCcm, KeyIdentity
from edgelite_hub.store.contract import Transaction
from edgelite_hub.work import Work
from edgelite_protocol import relay
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.oscore.context import Keys
from edgelite_protocol.oscore.ends import NONCE_BYTES, PIECE_BYTES_MAX, HubEnd, decode_begin

UNKNOWN_KEY = "the hub knows no such node key: provision the node"

Found = tuple[str, Keys] | None


class RelayedConnection(NodeConnection):
    """`gateway` is the node that carries this one."""

    def __init__(self, fleet: Fleet, gateway: PeerIdentity, address: str, now_ms: int) -> None:
        super().__init__(fleet, None, address, now_ms)
        self._gateway = gateway
        self._reader = relay.RelayReader()
        self._end: HubEnd | None = None
        self._key: KeyIdentity | None = None
        self._begin = b""  # of the node, while its keys are looked up
        self._has_begun = False
        self._is_relay = False
        self._is_broken = False
        self._has_ended = False  # END was said or heard: nothing more is
        self._credit = 0
        self._unsent = b""

    # ---- what the outer layer calls

    @property
    def closed(self) -> bool:
        return super().closed and not self._unsent

    def receive(self, data: bytes, now_ms: int) -> None:
        if self._is_broken or self._has_ended:
            return
        try:
            for kind, payload in self._reader.frames(data):
                self._take(kind, payload, now_ms)
        except ProtocolError as error:
            self._break(error.code, error.text, now_ms)

    def next_work(self, now_ms: int) -> Work | None:
        if not self._begin:
            return super().next_work(now_ms)
        begin, self._begin = self._begin, b""
        kid = decode_begin(begin)[0]
        self._key = KeyIdentity("", kid, self._gateway.node)
        try:
            self.fleet.relay_limiter.check(self._peer(), now_ms)
        except ProtocolError:
            self._break("unknown_key", "too many failures of this node: wait a minute", now_ms)
            return super().next_work(now_ms)
        return Work(partial(self._look_up, kid), partial(self._looked_up, begin), reads_only=True)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        out, self._unsent = self._unsent, b""
        while self._end is not None and self._end.confirmed and self._credit > 0 and not self._has_ended:
            piece = super().data_to_send(PIECE_BYTES_MAX)
            if not piece:
                break
            out += relay.message(self._end.protect(piece))
            self._credit -= 1
        if self.is_over and super().closed and not self._has_ended:
            self._has_ended = True
            out += relay.end("")
        return out

    # ---- frames

    def _take(self, kind: int, payload: bytes, now_ms: int) -> None:
        if not self._is_relay:
            if kind != relay.RELAY or payload[0] != relay.VERSION:
                raise ProtocolError("unsupported_version", "a relay begins with RELAY of version 1")
            self._is_relay = True
            self._grant(payload[1])
        elif kind == relay.MESSAGE:
            self._take_message(payload, now_ms)
        elif kind == relay.CREDIT:
            self._grant(payload[0])
        elif kind == relay.END:
            self._has_ended = True
            self.receive_eof(now_ms)
        else:
            raise ProtocolError("unexpected_message", "RELAY comes once")

    def _grant(self, credit: int) -> None:
        self._credit += credit
        if self._credit > relay.CREDIT_MAX:
            raise ProtocolError("flow_control", f"credit for {self._credit} messages")

    def _take_message(self, message: bytes, now_ms: int) -> None:
        if self._end is not None:
            piece = self._end.receive(message)
            self.identity = self._key
            super().receive(piece, now_ms)
        elif self._has_begun:
            raise ProtocolError("unexpected_message", "the node waits for its challenge")
        else:
            decode_begin(message)
            self._has_begun = True
            self._begin = message

    # ---- keys

    def _look_up(self, kid: bytes, transaction: Transaction) -> Found:
        """ProtocolError where the gateway itself is no node any more."""
        verdict = judge(transaction, self._gateway, self._environment.unix_ms())
        if verdict != VALID:
            raise ProtocolError(verdict, "the gateway may not carry nodes")
        return oscore_keys.find(transaction, self._environment, kid)

    def _looked_up(self, begin: bytes, found: Found, now_ms: int) -> None:
        if self._is_broken or self._has_ended:
            return  # the gateway went wrong behind BEGIN, and END was the last word
        if found is None or self._key is None:
            self._break("unknown_key", UNKNOWN_KEY, now_ms)
            return
        name, keys = found
        self._key = KeyIdentity(name, self._key.kid, self._key.gateway)
        self._end = HubEnd(keys, begin, self._environment.random_bytes(NONCE_BYTES), HubCcm)
        self._unsent += relay.message(self._end.challenge)
        self._credit -= 1

    def work_failed(self, work: Work, error: ProtocolError, now_ms: int) -> None:
        if self._end is None:
            self._break(error.code, error.text, now_ms)
        else:
            super().work_failed(work, error, now_ms)

    # ---- the end

    def _peer(self) -> str:
        kid = self._key.kid.hex() if self._key is not None else "-"
        return f"{self._gateway.node}/{kid}"

    def _break(self, code: str, text: str, now_ms: int) -> None:
        """Something that no holder of the keys has sent: the session inside hears nothing of it but the end."""
        self._is_broken = True
        if self._key is not None:
            self.fleet.relay_limiter.failed(self._peer(), now_ms)
        line = f"gateway {self._gateway.node}, node key {self._peer().rpartition('/')[2]}: {code}: {text}"
        self.fleet.complain(f"gateway {self._gateway.node}", code, line, now_ms)  # not by key: it may make those up
        self._has_ended = True
        self._unsent += relay.end(f"{code}: {text}")
        self.receive_eof(now_ms)
