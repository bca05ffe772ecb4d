"""A node and a hub's end of its session in one program: time, storage, link and processes by hand."""

from edgelite.config import Config
from edgelite.node import Node, Platform
from edgelite_ports.testing import MemoryStorage
from edgelite_protocol import cbor
from edgelite_protocol import messages as m
from edgelite_protocol.digest import entry_digest
from edgelite_protocol.hub_session import HubSession
from edgelite_protocol.limits import Limits

BOOT_ID = b"\x42" * 16
EPOCH = b"\x01" * 8
UNIX_MS = 1_700_000_000_000


class FakeRandom:
    """Different each time, the same in every run."""

    def __init__(self):
        self.count = 0

    def __call__(self, count):
        self.count += 1
        return bytes([(self.count * 37 + index) & 0xFF for index in range(count)])


class FakeArtifacts:
    def __init__(self):
        self.partial = {}
        self.installed = set()
        self.discarded = []

    def offset_bytes(self, digest):
        return len(self.partial.get(digest, b""))

    def append(self, digest, offset_bytes, data):
        held = self.partial.get(digest, b"")
        assert len(held) == offset_bytes
        self.partial[digest] = held + data

    def discard(self, digest):
        self.discarded.append(digest)
        self.partial.pop(digest, None)


class FakeReader:
    def __init__(self, data):
        self.data = data
        self.is_closed = False

    def read(self, size_bytes_max):
        piece = self.data[:size_bytes_max]
        self.data = self.data[size_bytes_max:]
        return piece

    def close(self):
        self.is_closed = True


class FakeLogs:
    def __init__(self):
        self.readers = []
        self.data = b""

    def open(self, uid, container, tail_lines, previous, since_ms):
        self.readers.append(FakeReader(self.data))
        return self.readers[-1]


class FakeHub:
    """A hub's decisions in their simplest form, on a real HubSession."""

    def __init__(self):
        self.epoch = EPOCH
        self.feed = []
        self.hellos = []
        self.applied = []
        self.reports = []
        self.journals = []  # of each batch of reports
        self.diverged = []
        self.renewals = 0
        self.welcome_extra = {}
        self.refusal = None
        self.artifacts = {}
        self.logs = b""
        self.stored = {}
        self.session = None

    def put(self, kind, key, value):
        revision = len(self.feed) + 1
        encoded = None if value is None else cbor.encode(value)
        self.feed.append((revision, kind, key, value, entry_digest(revision, kind, key, encoded)))

    def begin(self, now_ms):
        self.session = HubSession(Limits(), now_ms)
        self.sent_revision = None
        self.snapshot = []
        self.streams = {}

    def turn(self, now_ms):
        """Act on what arrived, and send what there is to say."""
        while True:
            event = self.session.next_event()
            if event is None:
                break
            getattr(self, "_" + type(event).__name__)(event, now_ms)
        self._send_snapshot()
        if self.sent_revision is not None and not self.session.closed:
            for revision, kind, key, value, _ in self.feed[self.sent_revision :]:
                if not self.session.can_send(m.PRIORITY_STATE):
                    break
                self.session.send_entry(revision, kind, key, value)
                self.sent_revision = revision
        for stream in sorted(self.streams):
            self._send_artifact(stream)
        self.session.step(now_ms)

    def _Hello(self, event, now_ms):
        hello = event.hello
        self.hellos.append(hello)
        if self.refusal is not None:
            self.session.end(self.refusal, "", now_ms)
            return
        if m.HELLO_EPOCH not in hello:
            mode = m.MODE_SNAPSHOT
        else:
            mode = m.MODE_DELTA if hello[m.HELLO_EPOCH] == self.epoch else m.MODE_DIVERGED
        welcome = {
            m.WELCOME_EPOCH: self.epoch,
            m.WELCOME_TIME_MS: UNIX_MS + now_ms,
            m.WELCOME_MODE: mode,
            m.WELCOME_STORED: [[lane, self.stored[lane][0], self.stored[lane][1]] for lane in sorted(self.stored)],
        }
        welcome.update(self.welcome_extra)
        self.session.welcome(welcome)
        if mode == m.MODE_DELTA:
            self.sent_revision = hello[m.HELLO_REVISION]
        elif mode == m.MODE_SNAPSHOT:
            self.send_snapshot()
        else:
            self.session.snapshot_offer(self.epoch, len(self.feed))

    def send_snapshot(self):
        """Queue it; `turn` sends as much as the session takes."""
        last = {}
        for _, kind, key, value, _ in self.feed:
            last[(kind, key)] = value
        entries = [(place[0], place[1], last[place]) for place in sorted(last) if last[place] is not None]
        digest = self.feed[-1][4] if self.feed else bytes(8)
        revision = self.snapshot_revision = len(self.feed)
        session = self.session
        self.snapshot = [lambda: session.snapshot_begin(self.epoch, revision, digest, len(entries))]
        for entry in entries:
            self.snapshot.append(lambda entry=entry: session.snapshot_entry(entry[0], entry[1], entry[2]))
        self.snapshot.append(lambda: session.snapshot_end(revision))
        self.sent_revision = None

    def _send_snapshot(self):
        while self.snapshot and self.session.can_send(m.PRIORITY_STATE):
            self.snapshot.pop(0)()
            if not self.snapshot:
                self.sent_revision = self.snapshot_revision

    def adopt(self):
        self.session.adopt(self.epoch)
        self.send_snapshot()

    def _Reports(self, event, now_ms):
        self.journals.append(event.journal)
        for sequence, body in event.items:
            if (event.generation, sequence) > self.stored.get(event.lane, (0, 0)):
                self.reports.append((event.lane, event.generation, sequence, body))
        position = (event.generation, event.sequence_last)
        self.stored[event.lane] = max(position, self.stored.get(event.lane, (0, 0)))
        self.session.acknowledge(event.lane, event.generation, event.sequence_last, event.journal)

    def _Applied(self, event, now_ms):
        self.applied.append((event.epoch, event.revision, event.digest))

    def _Diverged(self, event, now_ms):
        self.diverged.append((event.epoch_held, event.revision_held, event.epoch_offered))

    def _RenewRequest(self, event, now_ms):
        self.renewals += 1
        self.session.renewed(b"a new certificate")

    def _ArtifactRequest(self, event, now_ms):
        data = self.artifacts.get(event.digest)
        if data is None:
            self.session.close_stream(event.stream, "not_found", "no such artifact")
        else:
            self.streams[event.stream] = (data, event.offset)

    def _send_artifact(self, stream):
        data, offset = self.streams[stream]
        while True:
            room = min(self.session.can_send_bulk(stream), len(data) - offset)
            if room <= 0:
                break
            self.session.artifact_data(stream, data[offset : offset + room])
            offset += room
        self.streams[stream] = (data, offset)
        if offset == len(data):
            self.session.close_stream(stream, "", "")
            self.streams.pop(stream)

    def _LogData(self, event, now_ms):
        self.logs += event.data

    def _StreamClosed(self, event, now_ms):
        self.streams.pop(event.stream, None)

    def _Ended(self, event, now_ms):
        self.sent_revision = None


class NodeBench:
    """A node whose effects are carried out here. `reachable` says whether an Open succeeds."""

    def __init__(self, storage=None, hub=None, random=None, boot_id=BOOT_ID):
        self.storage = storage or MemoryStorage()
        self.hub = hub or FakeHub()
        self.random = random or FakeRandom()
        self.artifacts = FakeArtifacts()
        self.logs = FakeLogs()
        platform = Platform(
            self.storage, self.artifacts, self.logs, boot_id, self.random, {"agent": "test", "runtimes": ["process"]}
        )
        config = Config("kitchen", [("hub.example", 7444)])
        config.segment_bytes = 8192  # a microcontroller's heap holds this storage too
        config.journal_bytes_max = 160 * 1024
        config.telemetry_bytes_max = 80 * 1024
        self.node = Node(config, platform)
        self.now_ms = 1000
        self.reachable = True
        self.syncs_held = False  # True: syncs are asked for and don't end
        self.held = []
        self.channel = None
        self.started = []
        self.lines = []
        self.certificates = []

    def open(self):
        self.recovery = self.node.open(self.now_ms)
        return self

    def restarted(self, power_cut=False):
        """The node after an end of the agent, or of the power: on what its storage then holds."""
        storage = self.storage.cut() if power_cut else self.storage.reopen()
        self.random.count += 1000
        bench = NodeBench(storage, self.hub, self.random)
        bench.now_ms = self.now_ms
        return bench.open()

    def run(self, duration_ms=0, step_ms=50):
        """Let everything happen for that long; at least once, until nothing more happens at this moment."""
        end_ms = self.now_ms + duration_ms
        self._settle()
        while self.now_ms < end_ms:
            self.now_ms += step_ms
            self._settle()
        return self

    def drop_link(self, reason="closed by the other end"):
        channel, self.channel = self.channel, None
        channel.closed(reason, self.now_ms)

    def _settle(self):
        for _ in range(1000):
            self.node.step(self.now_ms)
            if not (self._effects() or self._shuttle()):
                return
        raise AssertionError("it never settles")

    def _effects(self):
        some = False
        while True:
            effect = self.node.next_effect()
            if effect is None:
                return some
            some = True
            getattr(self, "_" + type(effect).__name__)(effect)

    def _shuttle(self):
        if self.channel is None:
            return False
        up = self.channel.data_to_send(4096)
        if up:
            self.hub.session.receive(up, self.now_ms)
        self.hub.turn(self.now_ms)
        down = self.hub.session.data_to_send(4096)
        if down:
            self.channel.received(down, self.now_ms)
        if self.hub.session.closed and self.channel is not None:
            self.drop_link()
            return True
        return bool(up or down)

    def _Sync(self, effect):
        if self.syncs_held:
            self.held.append(effect.token)
        else:
            self.storage.sync()
            self.node.synced(effect.token, self.now_ms)

    def release_syncs(self):
        self.syncs_held = False
        held, self.held = self.held, []
        for token in held:
            self.storage.sync()
            self.node.synced(token, self.now_ms)

    def _Open(self, effect):
        assert self.channel is None, "one connection at a time"
        if not self.reachable:
            effect.channel.closed("refused", self.now_ms)
            return
        self.channel = effect.channel
        self.channel.peer_address = "192.0.2.1"
        self.hub.begin(self.now_ms)
        self.channel.opened(self.now_ms)

    def _Close(self, effect):
        if self.channel is effect.channel:
            up = self.channel.data_to_send(4096)
            self.hub.session.receive(up, self.now_ms)
            self.hub.session.receive_eof(self.now_ms)
            self.hub.turn(self.now_ms)
            self.drop_link("closed")

    def _StartUnit(self, effect):
        self.started.append(effect.unit)
        self.node.supervisor.started(effect.unit, {1: 100 + len(self.started)}, self.now_ms)

    def _AdoptUnit(self, effect):
        self.node.supervisor.started(effect.unit, effect.identity, self.now_ms)

    def _SignalUnit(self, effect):
        self.node.supervisor.exited(effect.unit, 143, effect.signal, self.now_ms)

    def _RemoveWorkload(self, effect):
        pass

    def _InstallArtifact(self, effect):
        self.artifacts.installed.add(effect.digest)
        self.node.artifact_installed(effect.digest, self.now_ms)

    def _CollectArtifacts(self, effect):
        for digest in list(self.artifacts.partial):
            if digest not in effect.named:
                self.artifacts.partial.pop(digest)
        self.node.artifacts_collected(self.now_ms)

    def _StoreCertificate(self, effect):
        self.certificates.append(effect.certificate)

    def _Log(self, effect):
        self.lines.append((effect.level, effect.text))


def workload(name, digest=None, size_bytes=0, command="/bin/true"):
    container = {m.CONTAINER_NAME: "main", m.CONTAINER_IMAGE: "host", m.CONTAINER_COMMAND: [command]}
    if digest is not None:
        container[m.CONTAINER_DIGEST] = digest
        container[m.CONTAINER_SIZE_BYTES] = size_bytes
    return {
        m.WORKLOAD_UID: "uid-" + name,
        m.WORKLOAD_NAMESPACE: "default",
        m.WORKLOAD_NAME: name,
        m.WORKLOAD_RUNTIME: "process",
        m.WORKLOAD_RESTART_POLICY: "Always",
        m.WORKLOAD_GRACE_MS: 1000,
        m.WORKLOAD_CONTAINERS: [container],
        m.WORKLOAD_GENERATION: 1,
    }


def workload_key(name):
    return "default/" + name + "/uid-" + name
