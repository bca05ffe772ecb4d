"""A hub without sockets, threads or clocks: the real logic on a store in memory, with nodes that speak the real
protocol. Time is `world.unix_ms`; nothing happens but in `world.settle()`."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from edgelite_hub import telemetry
from edgelite_hub.artifacts import ArtifactFiles, note_pushed
from edgelite_hub.environment import Environment
from edgelite_hub.model.objects import (
    ARTIFACTS,
    CONFIG_MAPS,
    DAEMON_SETS,
    DEVICE_MODELS,
    DEVICES,
    JOIN_TOKENS,
    NODES,
    PODS,
    Object,
    new_object,
    rfc3339,
)
from edgelite_hub.nodes.fleet import Fleet
from edgelite_hub.nodes.join_logic import join
from edgelite_hub.nodes.node_logic import NodeConnection
from edgelite_hub.security import tokens
from edgelite_hub.security.ca import Authority, create_authority
from edgelite_hub.security.identity import PeerIdentity, parse_identity
from edgelite_hub.settings import Settings
from edgelite_hub.start import make_dispatcher
from edgelite_hub.store.contract import Store, Transaction
from edgelite_hub.store.memory import MemoryStore
from edgelite_protocol import events
from edgelite_protocol import messages as m
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.limits import Limits
from edgelite_protocol.node_session import NodeSession

START_UNIX_MS = 1_790_000_000_000
AUTHORITY = create_authority()  # one key for all tests; making one takes a while


def make_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def make_csr(key: ec.EllipticCurvePrivateKey) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


UNIX = [START_UNIX_MS, m.TIME_UNIX]


class World:
    def __init__(self, folder: Path, store: Store | None = None, authority: Authority = AUTHORITY) -> None:
        self.store = store if store is not None else MemoryStore()
        self.unix_ms = START_UNIX_MS
        self.log: list[str] = []
        counter = itertools.count(1)
        self.random_bytes: Callable[[int], bytes] = lambda count: (
            next(counter).to_bytes(16, "big") * (count // 16 + 1)
        )[-count:]
        settings = Settings(data_directory=folder)
        self.environment = Environment(settings, authority, lambda: self.unix_ms, self.random_bytes, self.log.append)
        self.files = ArtifactFiles(settings.artifacts_directory, settings.artifact_size_bytes_max, self.random_bytes)
        self.fleet = Fleet(self.environment, self.files, lambda connection: None)
        self.dispatcher = make_dispatcher(self.environment)
        self.seen = self.store.revision()
        self.nodes: list[Node] = []
        self.store.transact(self.dispatcher.note_everything)

    @property
    def now_ms(self) -> int:
        """The monotonic clock, a constant away from the other."""
        return self.unix_ms - START_UNIX_MS + 1_000_000

    # ---- objects

    def put(self, resource: str, value: Object) -> Object:
        namespace, name = value["metadata"].get("namespace", ""), value["metadata"]["name"]

        def write(transaction: Transaction) -> Object:
            old = transaction.get(resource, namespace, name)
            if old is None:
                return transaction.create(resource, namespace, name, value)
            generation = old["metadata"].get("generation", 1) + (old.get("spec") != value.get("spec"))
            metadata = {**old["metadata"], **value["metadata"], "generation": generation, "uid": old["metadata"]["uid"]}
            status = {"status": old["status"]} if "status" in old else {}
            return transaction.update(resource, namespace, name, {**value, "metadata": metadata, **status})

        return self.store.transact(write)

    def get(self, resource: str, name: str, namespace: str = "default") -> Any:
        namespace = "" if resource in (NODES, ARTIFACTS, JOIN_TOKENS) else namespace
        return self.store.read(lambda transaction: transaction.get(resource, namespace, name))

    def list(self, resource: str) -> list[Object]:
        return self.store.read(lambda transaction: list(transaction.list(resource)))

    def delete(self, resource: str, name: str, namespace: str = "default") -> None:
        namespace = "" if resource in (NODES, ARTIFACTS, JOIN_TOKENS) else namespace
        self.store.transact(lambda transaction: transaction.delete(resource, namespace, name))

    def object(self, api_version: str, kind: str, name: str, namespace: str = "default", **more: Any) -> Object:
        metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
        uid = f"uid-{name}-{self.random_bytes(8).hex()}"
        return {**new_object(api_version, kind, metadata, uid, self.unix_ms), **more}

    def pod(self, name: str, node: str = "", image: str = "host", **container: Any) -> Object:
        box = {"name": "main", "image": image, "command": ["/bin/true"], **container}
        spec = {"runtimeClassName": "process", "containers": [box], **({"nodeName": node} if node else {})}
        return self.put(PODS, self.object("v1", "Pod", name, spec=spec))

    def config_map(self, name: str, **data: str) -> Object:
        return self.put(CONFIG_MAPS, self.object("v1", "ConfigMap", name, data=data))

    def daemon_set(self, name: str, selector: dict[str, str], command: str = "/bin/true", **spec: Any) -> Object:
        containers = [{"name": "main", "image": "host", "command": [command]}]
        template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": containers, "nodeSelector": selector}}
        value = self.object("apps/v1", "DaemonSet", name, spec={"template": template, **spec})
        return self.put(DAEMON_SETS, value)

    def device(self, name: str, node: str, desired: str = "", model: str = "meter") -> Object:
        item: Object = {"name": "power", "collectCycle": 1000}
        if desired:
            item["desired"] = {"value": desired}
        spec = {
            "deviceModelRef": {"name": model},
            "nodeName": node,
            "protocol": {"protocolName": "modbus", "configData": {"ip": "127.0.0.1", "port": 502}},
            "properties": [item],
        }
        return self.put(DEVICES, self.object("devices.kubeedge.io/v1beta1", "Device", name, spec=spec))

    def device_model(self, name: str = "meter", unit: str = "W") -> Object:
        visitors = {"configData": {"register": "HoldingRegister", "offset": 1, "limit": 1}}
        item = {"name": "power", "type": "INT", "accessMode": "ReadWrite", "unit": unit, "visitors": visitors}
        spec = {"protocol": "modbus", "properties": [item]}
        return self.put(DEVICE_MODELS, self.object("devices.kubeedge.io/v1beta1", "DeviceModel", name, spec=spec))

    def push(self, name: str, tag: str, data: bytes) -> str:
        upload = self.files.upload()
        upload.write(data)
        digest = upload.finish()
        self.store.transact(lambda tx: note_pushed(tx, name, tag, digest, len(data), self.unix_ms, self.random_bytes))
        return digest

    # ---- joining

    def token(self, **spec: Any) -> str:
        value = self.object("edgelite.dev/v1", "JoinToken", f"token-{self.random_bytes(4).hex()}", "", spec=spec)

        def make(transaction: Transaction) -> str:
            text = tokens.prepare(
                transaction, value, self.environment.authority.fingerprint, self.unix_ms, self.random_bytes
            )
            transaction.create(JOIN_TOKENS, "", value["metadata"]["name"], value)
            return text

        return self.store.transact(make)

    def join(self, name: str, key: ec.EllipticCurvePrivateKey | None = None, token: str = "", **spec: Any) -> Node:
        key = key or make_key()
        text = token or self.token(**spec)
        joined = self.store.transact(lambda tx: join(tx, self.environment, text, name, make_csr(key)))
        node = Node(self, name, joined.certificate)
        self.nodes.append(node)
        return node

    # ---- time

    def settle(self) -> None:
        """Let everything happen that is due, until nothing is."""
        busy = True
        while busy:
            busy = self._run_controllers()
            for node in self.nodes:
                busy |= node.exchange()
            while (work := self.fleet.next_work(self.now_ms)) is not None:
                work.done(self.store.transact(work.run), self.now_ms)

    def advance(self, duration_ms: int) -> None:
        self.unix_ms += duration_ms
        for node in self.nodes:
            node.step()
        self.settle()

    def _run_controllers(self) -> bool:
        changes = self.store.changes(self.seen, 1000)
        if changes:
            self.seen = changes[-1].revision
            self.store.transact(lambda transaction: self.dispatcher.note(transaction, changes))
        self.dispatcher.hurry()
        if self.dispatcher.is_idle:
            return False
        items = self.dispatcher.take()
        notices = self.store.transact(lambda transaction: self.dispatcher.run(transaction, items))
        self.fleet.notified(notices, self.now_ms)
        return True


class Node:
    """What a node keeps across sessions (its journal), and its session. It applies what it gets at once."""

    def __init__(self, world: World, name: str, certificate: bytes) -> None:
        self.world = world
        self.name = name
        self.certificate = certificate
        self.journal, self.generation, self.instance = world.random_bytes(8), 1, world.random_bytes(8)
        self.boot_id = world.random_bytes(16)
        self.epoch: bytes | None = None
        self.revision, self.digest = 0, b""
        self.desired: dict[tuple[int, str], dict[int, Any]] = {}
        self._staged: dict[tuple[int, str], dict[int, Any]] = {}
        self._begun = events.SnapshotBegin(b"", 0, b"", 0)
        self.stored: list[list[int]] = []  # acknowledgements it has kept
        self.events: list[Any] = []
        self.frame_bytes_max = 4096
        self.loses_applied = False  # True: the link takes what says APPLIED with it
        self.session: NodeSession | None = None
        self.connection: NodeConnection | None = None
        self.capabilities: dict[str, Any] = {
            "agent": "0.1.0", "architecture": "armv7l", "os": "linux", "kernel": "6.1", "runtime": "cpython 3.11.7",
            "runtimes": ["process"], "drivers": ["modbus"], "memory_bytes": 1 << 27, "cores": 1,
        }  # fmt: skip

    @property
    def identity(self) -> PeerIdentity:
        return parse_identity(self.certificate)

    def hello(self) -> dict[int, Any]:
        hello: dict[int, Any] = {
            m.HELLO_NODE: self.name,
            m.HELLO_BOOT_ID: self.boot_id,
            m.HELLO_JOURNAL_ID: self.journal,
            m.HELLO_GENERATION: self.generation,
            m.HELLO_INSTANCE: self.instance,
            m.HELLO_MONOTONIC_MS: 5_000,
            m.HELLO_REVISION: self.revision,
            m.HELLO_CAPABILITIES: self.capabilities,
            m.HELLO_ACKNOWLEDGED: self.stored,
        }
        if self.epoch is not None:
            hello[m.HELLO_EPOCH], hello[m.HELLO_DIGEST] = self.epoch, self.digest
        return hello

    def connect(self, identity: PeerIdentity | None = None, **changes: Any) -> Node:
        now_ms = self.world.now_ms
        self.events = []
        hello = {**self.hello(), **changes.get("hello", {})}
        self.session = NodeSession(hello, Limits(frame_bytes_max=self.frame_bytes_max), now_ms)
        self.connection = NodeConnection(self.world.fleet, identity or self.identity, "192.0.2.1", now_ms)
        self.world.settle()
        return self

    def cut(self) -> None:
        """The link is gone, without a word."""
        if self.connection is not None and self.session is not None:
            self.connection.receive_eof(self.world.now_ms)
            while (work := self.connection.next_work(self.world.now_ms)) is not None:
                run_work(self.world.store, self.connection, work, self.world.now_ms)
            self.session = self.connection = None

    def step(self) -> None:
        for end in (self.session, self.connection):
            if end is not None:
                end.step(self.world.now_ms)

    def exchange(self) -> bool:
        """Carry bytes both ways and take what comes of them; whether anything did."""
        session, connection, now_ms = self.session, self.connection, self.world.now_ms
        if session is None or connection is None:
            return False
        busy = False
        while data := session.data_to_send(1 << 16):
            connection.receive(data, now_ms)
            busy = True
        while (work := connection.next_work(now_ms)) is not None:
            busy = True
            run_work(self.world.store, connection, work, now_ms)
        while data := connection.data_to_send(1 << 16):
            session.receive(data, now_ms)
            busy = True
            self._take_all(session)
        return self._take_all(session) or busy

    def _take_all(self, session: NodeSession) -> bool:
        busy = False
        while (event := session.next_event()) is not None:
            busy = True
            self._take(session, event)
        return busy

    def _take(self, session: NodeSession, event: Any) -> None:
        self.events.append(event)
        if isinstance(event, events.Entry):
            self._apply(event.kind, event.key, event.value)
            self._applied(session, event.revision, event.digest)
        elif isinstance(event, events.SnapshotBegin):
            self._staged, self._begun = {}, event
        elif isinstance(event, events.SnapshotEntry):
            self._staged[(event.kind, event.key)] = event.value
        elif isinstance(event, events.SnapshotEnd):
            self.desired = self._staged
            self.epoch = self._begun.epoch
            self._applied(session, self._begun.revision, self._begun.digest)
        elif isinstance(event, events.Welcomed):
            self.welcome: dict[int, Any] = event.welcome
            if self.welcome[m.WELCOME_MODE] == m.MODE_DELTA:
                self.epoch = event.welcome[m.WELCOME_EPOCH]  # type: ignore[assignment]  # checked by the session
        elif isinstance(event, events.SnapshotOffer):
            session.diverged(self.epoch or bytes(8), self.revision, event.epoch)

    def _apply(self, kind: int, key: str, value: dict[int, Any] | None) -> None:
        if value is None:
            self.desired.pop((kind, key), None)
        else:
            self.desired[(kind, key)] = value

    def _applied(self, session: NodeSession, revision: int, digest: bytes) -> None:
        self.revision, self.digest = revision, digest
        if not self.loses_applied:
            session.applied(self.epoch or b"", revision, digest)

    # ---- what it says

    def report(self, lane: int, *items: tuple[int, dict[int, Any]]) -> None:
        assert self.session is not None
        self.session.send_reports(lane, self.generation, list(items))
        self.world.settle()

    def acknowledged(self) -> list[tuple[int, int]]:
        found = [event for event in self.events if isinstance(event, events.Acknowledged)]
        return [(event.lane, event.sequence) for event in found]

    @property
    def end(self) -> str:
        """The code that the session ended with; "" where it goes on."""
        ends = [event for event in self.events if isinstance(event, events.Ended)]
        return ends[-1].code if ends else ""

    def workloads(self) -> dict[str, dict[int, Any]]:
        return {value[m.WORKLOAD_NAME]: value for (kind, _), value in self.desired.items() if kind == m.KIND_WORKLOAD}

    def devices(self) -> dict[str, dict[int, Any]]:
        return {value[m.DEVICE_NAME]: value for (kind, _), value in self.desired.items() if kind == m.KIND_DEVICE}


def run_work(store: Store, connection: NodeConnection, work: Any, now_ms: int) -> None:
    try:
        result = store.read(work.run) if work.reads_only else store.transact(work.run)
    except ProtocolError as error:
        connection.work_failed(work, error, now_ms)
    else:
        work.done(result, now_ms)


def base64_text(data: bytes) -> str:
    return base64.b64encode(data).decode()


__all__ = ["AUTHORITY", "START_UNIX_MS", "Node", "World", "base64_text", "make_csr", "make_key", "rfc3339", "run_work"]


def reporting_world(folder: Path) -> World:
    """Two nodes, with a Device and a Pod each: "d" and "p" on n1, "foreign" on n2."""
    made = World(folder)
    made.device_model()
    made.device("d", "n1")
    made.device("foreign", "n2")
    made.pod("p", "n1")
    made.pod("foreign", "n2")
    return made


def sample(value: Any, time: list[Any] | None = None, device: str = "default/d") -> dict[int, Any]:
    return {
        m.REPORT: m.REPORT_TELEMETRY,
        m.TELEMETRY_DEVICE: device,
        m.TELEMETRY_TIME: time or UNIX,
        m.TELEMETRY_VALUES: {"power": value},
    }


def values(world: World, device: str = "default/d") -> list[Any]:
    found = world.store.read(lambda tx: tx.samples(device, None, None, None, 10_000))
    return [one.value for one in found]


def asked(query: telemetry.Query, transaction: Transaction) -> Any:
    return telemetry.answer(transaction, query)
