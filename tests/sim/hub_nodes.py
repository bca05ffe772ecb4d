"""A simulated hub with scripted nodes that speak the real protocol over links that take no time."""

from __future__ import annotations

import random
import zlib
from typing import Any

from edgelite_protocol import events
from edgelite_protocol import messages as m
from edgelite_protocol.join_session import JoinClient
from edgelite_protocol.limits import Limits
from edgelite_protocol.node_session import NodeSession
from edgelite_protocol.session import ENDED
from edgelite_sim.world.hub import HubPeer, SimHub
from edgelite_sim.world.observer import Observer
from edgelite_sim.world.queue import Event, EventQueue
from edgelite_sim.world.trace import Trace

CAPABILITIES: dict[str, Any] = {
    "agent": "0.1.0", "architecture": "armv7l", "os": "linux", "kernel": "6.1", "runtime": "cpython 3.11.7",
    "runtimes": ["process"], "drivers": ["modbus"], "memory_bytes": 1 << 27, "cores": 1,
}  # fmt: skip
REPORTS_AT_ONCE, REPORTS_BYTES_MAX = 16, 1_500
MODEL = """
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: meter}
spec:
  protocol: modbus
  properties:
  - {name: power, type: INT, accessMode: ReadOnly, unit: W}
"""


class Setting:
    """Queue, trace and one running hub."""

    def __init__(self, seed: int = 1, observers: list[Observer] | None = None, **options: Any) -> None:
        self.queue = EventQueue()
        self.trace = Trace(tail_lines=100_000)
        self.draw = random.Random(seed)
        hub_draw = random.Random(self.draw.getrandbits(64))
        self.hub = SimHub(self.queue, hub_draw, self.trace, observers or [], **options)
        self.hub.start()

    def node(self, name: str) -> ScriptedNode:
        return ScriptedNode(self, name)

    def run(self, duration_ms: int = 1_000) -> None:
        self.queue.run(self.queue.now_ms + duration_ms)

    def lines(self, word: str = "") -> list[str]:
        return [line for line in self.trace.tail if word in line]


class ScriptedNode:
    """What a node keeps across sessions, and its session. It applies what it gets at once, reports when told to, and
    sends a report again in each session until it is acknowledged."""

    def __init__(self, setting: Setting, name: str) -> None:
        self.setting = setting
        self.name = name
        self.identity = setting.hub.provision(name)
        self.hub = setting.hub
        self.journal, self.instance = setting.draw.randbytes(8), setting.draw.randbytes(8)
        self.boot_id = setting.draw.randbytes(16)
        self.epoch: bytes | None = None
        self.revision, self.digest = 0, b""
        self.desired: dict[tuple[int, str], Any] = {}
        self.ends: list[str] = []
        self.stored: list[list[int]] = []
        self.gaps: list[Any] = []
        self.modes: list[int] = []
        self.session: NodeSession | JoinClient | None = None
        self._sequence = 0
        self.waiting: dict[int, dict[int, Any]] = {}  # telemetry by sequence number, not acknowledged
        self._staged: dict[tuple[int, str], Any] = {}
        self._begun = events.SnapshotBegin(b"", 0, b"", 0)
        self._peer: HubPeer | None = None
        self._timer: Event | None = None
        self._is_busy = False
        self.piece_bytes = 4096  # taken from the hub at once
        self.artifact = b""
        self._is_on_way = False  # a batch of reports

    # ---- links

    def connect(self) -> bool:
        peer = self.hub.connect(self.identity, "192.0.2.1")
        if peer is None:
            return False
        self.session = NodeSession(self._hello(), Limits(frame_bytes_max=4096), self.setting.queue.now_ms)
        self._peer = peer
        peer.on_ready = self.exchange
        self.exchange()
        return True

    def renew(self) -> None:
        peer = self.hub.connect(self.identity, "192.0.2.1")
        assert peer is not None
        self.session = JoinClient(Limits(), self.setting.queue.now_ms)
        self.session.renew()
        self._peer = peer
        peer.on_ready = self.exchange
        self.exchange()

    def cut(self) -> None:
        peer, self._peer, self.session = self._peer, None, None
        if peer is not None:
            peer.lost()

    def go_silent(self) -> HubPeer:
        """The node is gone without a word; what the hub has of it."""
        peer, self._peer, self.session = self._peer, None, None
        assert peer is not None
        return peer

    def exchange(self) -> None:
        if self._is_busy:
            return
        self._is_busy = True
        try:
            while self._carry():
                pass
        finally:
            self._is_busy = False

    def _carry(self) -> bool:
        session, peer, now_ms = self.session, self._peer, self.setting.queue.now_ms
        if session is None or peer is None:
            return False
        busy = False
        self._send_waiting()
        while data := session.data_to_send(4096):
            peer.received(data)
            busy = True
        while data := peer.data_to_send(self.piece_bytes):
            self.setting.trace.note(now_ms, self.name, f"{len(data)} bytes {zlib.crc32(data):08x}")
            session.receive(data, now_ms)
            self._take_all(session)
            busy = True
        if peer.is_closed:
            session.receive_eof(now_ms)
        self._take_all(session)
        if session.closed or peer.is_closed:
            self.cut()
            return False
        self._arm(session.step(now_ms))
        return busy

    def _arm(self, deadline_ms: int | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline_ms is None else self.setting.queue.at(deadline_ms, self.exchange)

    # ---- what it hears

    def _take_all(self, session: NodeSession | JoinClient) -> None:
        while (event := session.next_event()) is not None:
            self._take(session, event)

    def _take(self, session: NodeSession | JoinClient, event: Any) -> None:
        if isinstance(event, events.Welcomed):
            welcome: dict[int, Any] = event.welcome
            self.modes.append(welcome[m.WELCOME_MODE])
            self.gaps += welcome.get(m.WELCOME_GAPS, [])
            if welcome[m.WELCOME_MODE] == m.MODE_DELTA:
                self.epoch = welcome[m.WELCOME_EPOCH]
            self._acknowledge(welcome[m.WELCOME_STORED])
        elif isinstance(event, events.Acknowledged):
            self._acknowledge([[event.lane, event.generation, event.sequence]])
        elif isinstance(event, events.Renewed):
            self.identity = self.hub.renewed(event.certificate)
            session.end("", "certificate renewed", self.setting.queue.now_ms)
        elif isinstance(event, events.ArtifactData):
            self.artifact += event.data
        elif isinstance(event, events.Ended):
            self.ends.append(event.code)
        elif isinstance(event, events.SnapshotOffer) and isinstance(session, NodeSession):
            session.diverged(self.epoch or bytes(8), self.revision, event.epoch)
        elif isinstance(session, NodeSession):
            self._take_feed(session, event)

    def _take_feed(self, session: NodeSession, event: Any) -> None:
        if isinstance(event, events.Entry):
            self.desired[(event.kind, event.key)] = event.value
            if event.value is None:
                del self.desired[(event.kind, event.key)]
            self._applied(session, event.revision, event.digest)
        elif isinstance(event, events.SnapshotBegin):
            self._staged, self._begun = {}, event
        elif isinstance(event, events.SnapshotEntry):
            self._staged[(event.kind, event.key)] = event.value
        elif isinstance(event, events.SnapshotEnd):
            self.desired, self.epoch = self._staged, self._begun.epoch
            self._applied(session, self._begun.revision, self._begun.digest)

    def _applied(self, session: NodeSession, revision: int, digest: bytes) -> None:
        self.revision, self.digest = revision, digest
        session.applied(self.epoch or b"", revision, digest)

    def _acknowledge(self, rows: list[list[int]]) -> None:
        self._is_on_way = False
        for lane, _, sequence in rows:
            if lane == m.LANE_TELEMETRY:
                self.stored = [[lane, 1, sequence]]
                self.waiting = {number: item for number, item in self.waiting.items() if number > sequence}

    # ---- what it says

    def fetch(self, digest: str) -> None:
        assert isinstance(self.session, NodeSession)
        self.session.open_artifact(bytes.fromhex(digest), 0)
        self.exchange()

    def report(self, value: int) -> None:
        self._sequence += 1
        unix_ms = self.hub.unix_ms
        self.waiting[self._sequence] = {
            m.REPORT: m.REPORT_TELEMETRY,
            m.TELEMETRY_DEVICE: f"default/meter-{self.name}",
            m.TELEMETRY_TIME: [unix_ms, m.TIME_UNIX],
            m.TELEMETRY_VALUES: {"power": value},
        }
        self.exchange()

    def _send_waiting(self) -> None:
        """One batch at a time."""
        session = self.session
        if self._is_on_way or not self.waiting or not isinstance(session, NodeSession) or session.state == ENDED:
            return
        if session.report_room(m.LANE_TELEMETRY) > REPORTS_BYTES_MAX:
            self._is_on_way = True
            session.send_reports(m.LANE_TELEMETRY, 1, list(self.waiting.items())[:REPORTS_AT_ONCE])

    def _hello(self) -> dict[int, Any]:
        hello: dict[int, Any] = {
            m.HELLO_NODE: self.name,
            m.HELLO_BOOT_ID: self.boot_id,
            m.HELLO_JOURNAL_ID: self.journal,
            m.HELLO_GENERATION: 1,
            m.HELLO_INSTANCE: self.instance,
            m.HELLO_MONOTONIC_MS: 5_000,
            m.HELLO_REVISION: self.revision,
            m.HELLO_CAPABILITIES: CAPABILITIES,
            m.HELLO_ACKNOWLEDGED: self.stored,
        }
        if self.epoch is not None:
            hello[m.HELLO_EPOCH], hello[m.HELLO_DIGEST] = self.epoch, self.digest
        return hello


def device(name: str, node: str) -> dict[str, Any]:
    return {
        "apiVersion": "devices.kubeedge.io/v1beta1",
        "kind": "Device",
        "metadata": {"name": name},
        "spec": {
            "deviceModelRef": {"name": "meter"},
            "nodeName": node,
            "protocol": {"protocolName": "modbus", "configData": {"ip": "127.0.0.1", "port": 502}},
            "properties": [
                {
                    "name": "power",
                    "collectCycle": 60_000,
                    "reportToCloud": True,
                    "visitors": {
                        "protocolName": "modbus",
                        "configData": {"register": "HoldingRegister", "offset": 1, "limit": 1},
                    },
                }
            ],
        },
    }


def pod(name: str, node: str) -> dict[str, Any]:
    container = {"name": "main", "image": "host", "command": ["/bin/true"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {"runtimeClassName": "process", "nodeName": node, "containers": [container]},
    }


def metered(setting: Setting, name: str) -> ScriptedNode:
    """A node with a Device."""
    node = setting.node(name)
    if setting.hub.get("devicemodels", "meter") is None:
        setting.hub.apply(MODEL)
    setting.hub.apply(device(f"meter-{name}", name))
    return node
