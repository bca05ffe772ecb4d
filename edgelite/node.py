"""The node: the agent's core, put together. A port builds one, opens it, and calls `step`.

    node = Node(platform, config, journal storage ...)
    recovery = node.open(now_ms)
    while not node.stopped:
        deadline_ms = node.step(now_ms)
        while (effect := node.next_effect()) is not None:
            ...carry it out, and call its completion when it is done (edgelite.effects names them)
        ...wait until a descriptor is ready or deadline_ms has come; feed the channels

Nothing here blocks, and nothing here knows a platform.
"""

from edgelite.clock import Clock
from edgelite.context import Context
from edgelite.desired import Desired
from edgelite.devices import Devices
from edgelite.devices.devices import load_driver
from edgelite.driver import ConfigurationError
from edgelite.effects import Log, StoreCertificate
from edgelite.fetch import Fetcher
from edgelite.journal import Journal
from edgelite.link import Link, Owner
from edgelite.logstream import LogStreams
from edgelite.outbox import Outbox
from edgelite.patience import PatientJournal
from edgelite.storage import StorageFailingError, StorageFullError
from edgelite.supervisor import Supervisor
from edgelite.timekeeping import Timekeeping
from edgelite_protocol import events
from edgelite_protocol import messages as m
from edgelite_protocol.errors import PlatformError
from edgelite_protocol.limits import Limits
from edgelite_protocol.messages import FRAME_BYTES_MAX_DEFAULT
from edgelite_protocol.node_session import NodeSession

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.bus.service import BusService
    from edgelite.config import Config
    from edgelite.devices.driver_process import Programs
    from edgelite.fetch import ArtifactStore
    from edgelite.gateway import Gateway
    from edgelite.journal import Recovery
    from edgelite.logstream import LogStore
    from edgelite.serial_link import SerialLink
    from edgelite.storage import Storage
    from edgelite_protocol.oscore.context import Keys
    from edgelite_protocol.session import Session

READ_RETRY_MS = 5000


class Platform:
    """What a port hands in, beside the configuration."""

    def __init__(
        self,
        storage: "Storage",
        artifacts: "ArtifactStore",
        logs: "LogStore",
        boot_id: bytes,
        random_bytes: "Callable[[int], bytes]",
        capabilities: "dict[str, object]",
        writes_outlive_agent: bool = True,
        frame_bytes_max: int = FRAME_BYTES_MAX_DEFAULT,
        link_keys: "Keys | None" = None,
        socket_folder: str = "",
        python: "Callable[[], tuple[str, str]] | None" = None,
    ) -> None:
        self.storage = storage  # of the journal
        self.artifacts = artifacts
        self.logs = logs
        self.boot_id = boot_id  # 16 bytes
        self.random_bytes = random_bytes
        self.capabilities = capabilities  # as messages.py names them
        # A page cache takes what is written: hand it over at each step, so that an agent that is killed loses
        # nothing that it has read. False where each write goes to the flash, and the agent ends with the power.
        self.writes_outlive_agent = writes_outlive_agent
        # What the hub may send in one piece, so how large a desired Pod or Device may be: it lies in memory whole.
        self.frame_bytes_max = frame_bytes_max
        self.link_keys = link_keys  # where the configuration has a serial link (edgelite.link_keys)
        # Where the agent's own sockets are ("bus.sock", "driver-NAME.sock"), for its owner alone; "" where there are
        # no Unix sockets.
        self.socket_folder = socket_folder
        # For drivers in processes of their own: a Python, and the PYTHONPATH that has edgelite's rooms. None where the
        # port knows none: then it is what agent.conf says, or the PATH's.
        self.python = python


def loaded(module: str, key: str) -> "Any":
    """A module that a firmware may lack; ConfigurationError names the `key` that asks for it."""
    try:
        return __import__(module, None, None, ["NAME"])
    except ImportError as error:
        raise ConfigurationError(key, "this firmware has no " + module + ": take the line out") from error


class Node(Owner):
    def __init__(self, config: "Config", platform: Platform) -> None:
        self._config = config
        self._platform = platform
        self._effects: list[object] = []
        self.clock = Clock(platform.boot_id)
        self.journal = Journal(platform.storage, config.journal_limits(), platform.random_bytes, self._emit)
        self._outbox = Outbox(self.journal)
        self._patient = PatientJournal(self.journal)
        patient: Any = self._patient  # to its users it is the journal
        context = Context(patient, self._emit, self._outbox.report, self.clock, platform.random_bytes, platform.boot_id)
        capabilities: Any = platform.capabilities
        self.supervisor = Supervisor(context, capabilities.get("runtimes", ()), capabilities.get("cannot"))
        self.devices = Devices(context, self._load_driver, self._make_programs)
        self.link = Link(context, config, self, self._serial_link(context))
        self._gateway = self._make_gateway(context)
        self._bus = self._make_bus(context)
        self._desired = Desired(self.journal, self._apply)
        self._timekeeping = Timekeeping(self._patient, self.clock)
        self._fetcher = Fetcher(context, self.supervisor, platform.artifacts)
        self._logs = LogStreams(platform.logs)
        self._hello_journal_id = b""
        self._trouble: str | None = None  # of the journal, as told last
        self._is_unreadable = False  # the same of reading it
        self._expired = False  # the hub says that the certificate has ended: renew first

    # ---- what a port calls

    def open(self, now_ms: int) -> "Recovery":
        """Read the journal and let what it desires run again; the link comes later. PlatformError where the
        journal cannot be read or written, CorruptionError where what it says makes no sense."""
        recovery = self.journal.open(now_ms)
        self._timekeeping.restore()
        self.supervisor.restore(now_ms)
        recovery.damaged += self._desired.restore(bool(recovery.damaged), now_ms)
        self.supervisor.keeps_unknown = self._desired.is_incomplete
        self._outbox.report_damage(recovery.damaged)
        return recovery

    def step(self, now_ms: int) -> "int | None":
        """Let everything happen that is due; when to call again if nothing else happens, None for never."""
        session: Any = self.link.session if self.link.live else None
        self.devices.link(session is not None, now_ms)
        deadlines: list[int | None] = [
            self.supervisor.step(now_ms),
            self.devices.step(now_ms),
            self._fetcher.step(session, now_ms),
            self._logs.step(session, now_ms),
        ]
        self._timekeeping.step(now_ms)
        self._patient.step()
        self._outbox.step()
        damage = self._patient.take_damage()
        if damage:
            self._outbox.report_damage(damage)
        if self._platform.writes_outlive_agent:
            self.journal.flush(now_ms)
        deadlines.append(self.journal.step(now_ms))
        if self.journal.trouble != self._trouble:
            self._tell_trouble()
        if session is not None:
            self._desired.acknowledge(session)
        deadlines.append(self._step_reading(session, now_ms))
        if self._may_say_hello():
            deadlines.append(self.link.step(now_ms))  # last: what was just sent moves the session's deadline
        if self._gateway is not None:
            deadlines.append(self._gateway.step(now_ms))
        if self._bus is not None:
            deadlines.append(self._bus.step(now_ms))
        return earliest(deadlines)

    def next_effect(self) -> "object | None":
        return self._effects.pop(0) if self._effects else None

    def reconnect(self, now_ms: int) -> None:
        """Drop the link, where there is one, and connect again at once."""
        self.link.reconnect(now_ms)

    def stop(self, now_ms: int) -> None:
        """Say goodbye to the hub and make durable what is written; workloads go on. Step until `stopped`."""
        self.devices.stop(now_ms)
        self.link.stop(now_ms)
        if self._gateway is not None:
            self._gateway.stop(now_ms)
        if self._bus is not None:
            self._bus.stop(now_ms)
        self.journal.urgent()

    @property
    def stopped(self) -> bool:
        return self.link.stopped and self.journal.durable_position >= self.journal.position

    # completions

    def synced(self, token: int, now_ms: int) -> None:
        self.journal.synced(token, now_ms)

    def sync_failed(self, token: int, text: str, now_ms: int) -> None:
        self.journal.sync_failed(token, text, now_ms)

    def artifact_installed(self, digest: bytes, now_ms: int) -> None:
        self._fetcher.installed(digest, now_ms)

    def artifact_failed(self, digest: bytes, text: str, now_ms: int) -> None:
        self._fetcher.install_failed(digest, text, now_ms)

    def artifacts_collected(self, _now_ms: int) -> None:
        self._fetcher.collected()

    # ---- the link's owner

    def begin_session(self, now_ms: int) -> "Session":
        """A session as usual, or the one thing that a node may do whose certificate has ended."""
        if self._expired:
            from edgelite_protocol.join_session import JoinClient  # most nodes never need it

            client = JoinClient(Limits(), now_ms)
            client.renew()
            return client
        self._hello_journal_id = self.journal.journal_id
        return NodeSession(self._hello(now_ms), Limits(self._frame_bytes_max()), now_ms)

    def session_event(self, event: object, now_ms: int) -> None:
        handler = _HANDLERS.get(type(event))
        if handler is None:
            return
        try:
            handler(self, self.link.session, event, now_ms)
        except StorageFailingError as error:
            self.link.end_session("", "the journal cannot be written: " + error.text, now_ms)
        except StorageFullError as error:
            self.link.end_session("snapshot_too_large", error.text, now_ms)

    def session_over(self, now_ms: int) -> None:
        self._fetcher.session_over()
        self._logs.session_over()

    # ---- inside

    def _serial_link(self, context: Context) -> "SerialLink | None":
        """Most nodes have a network, and never load what a line needs."""
        settings, keys = self._config.link, self._platform.link_keys
        if settings is None:
            return None
        if keys is None:
            raise ConfigurationError("link", "needs the node's keys: provision it first")
        from edgelite.counters import Counters
        from edgelite.serial_link import SerialLink

        counters = Counters(self.journal, context.random_bytes)
        return SerialLink(settings, keys, counters, self._emit, context.random_bytes)

    def _frame_bytes_max(self) -> int:
        size_bytes_max = self._platform.frame_bytes_max
        if self._config.link is None:
            return size_bytes_max
        from edgelite.serial_link import frame_bytes_max

        return frame_bytes_max(self._config.link.baud, size_bytes_max)

    def _load_driver(self, name: str) -> "Any":
        source = self._config.drivers.get(name)
        if source is None:
            return load_driver(name)
        if source.command:
            return load_driver("remote").ProcessDriver(name, source.command)
        return __import__(source.module, None, None, ["NAME"])

    def _make_programs(self) -> "Programs":
        """Most nodes have no driver that runs in a process of its own."""
        from edgelite.devices.driver_process import PYTHON, Programs

        def python() -> "tuple[str, str]":
            program, path = self._platform.python() if self._platform.python is not None else (PYTHON, "")
            return self._config.driver_python or program, ":".join(([path] if path else []) + self._config.driver_path)

        runtimes: Any = self._platform.capabilities.get("runtimes", ())
        variables = self._config.driver_environment
        return Programs(self.supervisor, self._platform.socket_folder, runtimes, python, variables)

    def _make_gateway(self, context: Context) -> "Gateway | None":
        if not self._config.gateway:
            return None
        from edgelite.gateway import Gateway

        return Gateway(self._config, context, self.link.hub, lambda: self.link.live)

    def _make_bus(self, context: Context) -> "BusService | None":
        if not self._config.bus and self._config.mqtt is None:
            return None
        folder = self._platform.socket_folder
        service = loaded("edgelite.bus.service", "bus")  # not every firmware has it
        made: BusService = service.BusService(self._config, folder, context, self.devices, lambda: self.link.live)
        return made

    def _may_say_hello(self) -> bool:
        """What it says must be durable (SPEC.md, 9.1), so this start's first sync comes before it. A medium that fails
        keeps no node out of reach: what was read back from it counts then."""
        return self.link.session is not None or self.journal.may_be_named()

    def _step_reading(self, session: "NodeSession | None", now_ms: int) -> "int | None":
        """What reads the journal. A medium that cannot be read for a while holds nothing else up; the deadline for
        trying again."""
        try:
            self._desired.step(now_ms)
            if session is not None:
                self._outbox.send(session)
        except PlatformError as error:
            if not self._is_unreadable:
                self._is_unreadable = True
                self._emit(Log("error", "the journal cannot be read, what is in it waits: " + error.text))
            return now_ms + READ_RETRY_MS
        if self._is_unreadable and (session is not None or not self._desired.untold):
            self._is_unreadable = False
            self._emit(Log("info", "the journal is read again"))
        return None

    def _tell_trouble(self) -> None:
        """Once when nothing becomes durable any more, and once when it does again."""
        trouble = self._trouble = self.journal.trouble
        if trouble is None:
            self._emit(Log("info", "the journal is written again"))
        else:
            self._emit(Log("error", "the journal cannot be written, reports wait in memory: " + trouble))

    def _emit(self, effect: object) -> None:
        self._effects.append(effect)

    def _apply(self, kind: int, key: str, value: "dict[int, object] | None", now_ms: int) -> None:
        if kind == m.KIND_WORKLOAD:
            self.supervisor.set_desired(key, value, now_ms)
        elif kind == m.KIND_DEVICE:
            self.devices.set_desired(key, value, now_ms)

    def _hello(self, now_ms: int) -> "dict[int, object]":
        cursor = self._desired.durable
        hello: dict[int, object] = {
            m.HELLO_NODE: self._config.node,
            m.HELLO_BOOT_ID: self._platform.boot_id,
            m.HELLO_JOURNAL_ID: self.journal.journal_id,
            m.HELLO_GENERATION: self.journal.generation,
            m.HELLO_INSTANCE: self.journal.instance,
            m.HELLO_MONOTONIC_MS: now_ms,
            m.HELLO_REVISION: cursor.revision,
            m.HELLO_CAPABILITIES: self._platform.capabilities,
            m.HELLO_ACKNOWLEDGED: self._acknowledged_names(),
        }
        if cursor.epoch:
            hello[m.HELLO_EPOCH] = cursor.epoch
        if cursor.digest:
            hello[m.HELLO_DIGEST] = cursor.digest
        return hello

    def _acknowledged_names(self) -> "list[list[int]]":
        """Of reports under hello's journal id: of those before a change of it the hub has the names elsewhere, and
        would take them for lost."""
        return [row for row in self.journal.acknowledged() if row[1] >= self.journal.id_generation]

    def _welcomed(self, session: NodeSession, event: events.Welcomed, now_ms: int) -> None:
        welcome = event.welcome
        self._timekeeping.learn(welcome[m.WELCOME_TIME_MS], now_ms)  # type: ignore[arg-type]
        self._outbox.begin(self._hello_journal_id)
        self._outbox.stored(welcome.get(m.WELCOME_STORED, []))  # type: ignore[arg-type]
        self._desired.begin(welcome[m.WELCOME_EPOCH])  # type: ignore[arg-type]
        if welcome.get(m.WELCOME_NEW_JOURNAL):
            self._outbox.rename()
        if welcome.get(m.WELCOME_RENEW):
            session.renew()
        self._emit(Log("info", "the hub answered"))

    def _entry(self, _session: NodeSession, event: events.Entry, now_ms: int) -> None:
        self._desired.entry(event, now_ms)

    def _snapshot_begin(self, session: NodeSession, event: events.SnapshotBegin, now_ms: int) -> None:
        self._desired.snapshot_begin(session, event, now_ms)

    def _snapshot_entry(self, _session: NodeSession, event: events.SnapshotEntry, _now_ms: int) -> None:
        self._desired.snapshot_entry(event)

    def _snapshot_end(self, _session: NodeSession, _event: events.SnapshotEnd, now_ms: int) -> None:
        if self._desired.is_adopting:
            self.devices.begin_anew()
        self._desired.snapshot_end(now_ms)
        self.supervisor.keeps_unknown = False

    def _snapshot_offer(self, session: NodeSession, event: events.SnapshotOffer, _now_ms: int) -> None:
        self._desired.offered(session, event.epoch)

    def _adopt(self, _session: NodeSession, event: events.Adopt, _now_ms: int) -> None:
        self._desired.adopt(event.epoch)

    def _acknowledged(self, _session: NodeSession, event: events.Acknowledged, _now_ms: int) -> None:
        self.journal.acknowledge(event.lane, event.generation, event.sequence)

    def _artifact_data(self, session: NodeSession, event: events.ArtifactData, now_ms: int) -> None:
        self._fetcher.data(session, event, now_ms)

    def _log_request(self, session: NodeSession, event: events.LogRequest, _now_ms: int) -> None:
        self._logs.request(session, event)

    def _stream_closed(self, _session: NodeSession, event: events.StreamClosed, now_ms: int) -> None:
        self._fetcher.stream_closed(event, now_ms)
        self._logs.stream_closed(event.stream)

    def _renewed(self, session: "Session", event: events.Renewed, now_ms: int) -> None:
        self._emit(StoreCertificate(event.certificate))
        if self._expired:
            self._expired = False
            session.end("", "certificate renewed", now_ms)

    def _ended(self, _session: "Session", event: events.Ended, _now_ms: int) -> None:
        if event.by_peer and event.code == "certificate_expired":
            self._expired = True


_HANDLERS: "dict[type, Callable[..., None]]" = {
    events.Welcomed: Node._welcomed,
    events.Entry: Node._entry,
    events.SnapshotBegin: Node._snapshot_begin,
    events.SnapshotEntry: Node._snapshot_entry,
    events.SnapshotEnd: Node._snapshot_end,
    events.SnapshotOffer: Node._snapshot_offer,
    events.Adopt: Node._adopt,
    events.Acknowledged: Node._acknowledged,
    events.ArtifactData: Node._artifact_data,
    events.LogRequest: Node._log_request,
    events.StreamClosed: Node._stream_closed,
    events.Renewed: Node._renewed,
    events.Ended: Node._ended,
}


def earliest(deadlines: "list[int | None]") -> "int | None":
    found: int | None = None
    for deadline_ms in deadlines:
        if deadline_ms is not None and (found is None or deadline_ms < found):
            found = deadline_ms
    return found
