"""The real hub in virtual time: sessions, store, controllers and admission are its own code, and what is around them
(sockets, threads, clocks, TLS) is simulated here.

What a power cut spares is SimHub's own: store, artifacts, authority. What it loses is in HubProcess.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from edgelite_hub import hooks
from edgelite_hub.artifacts import note_pushed
from edgelite_hub.environment import Environment
from edgelite_hub.kinds import default_registry
from edgelite_hub.model.objects import NODES, Object, make_uid
from edgelite_hub.nodes.node_status import new_node
from edgelite_hub.security.identity import PeerIdentity, record_issued, replace_issued
from edgelite_hub.security.identity import has_record as has_certificate
from edgelite_hub.security.key_box import KEY_BYTES, KeyBox
from edgelite_hub.settings import Settings
from edgelite_hub.start import lift_restored
from edgelite_hub.store.contract import Samples, Store, Transaction
from edgelite_hub.store.memory import MemoryStore
from edgelite_protocol.errors import CorruptionError, MisuseError, PlatformError
from edgelite_sim.world import authority, hub_objects
from edgelite_sim.world.authority import SimAuthority, SimIdentity
from edgelite_sim.world.hub_artifacts import SimArtifacts
from edgelite_sim.world.hub_faults import HubFaults
from edgelite_sim.world.hub_peer import HubPeer
from edgelite_sim.world.hub_process import GOODBYE_MS, HubProcess
from edgelite_sim.world.hub_store import HubStore, Surroundings
from edgelite_sim.world.observer import Observer
from edgelite_sim.world.queue import Event, EventQueue
from edgelite_sim.world.trace import Trace

Objects = list[Object]  # `list` inside the class is its method

START_UNIX_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
SAMPLES_ALL = 1 << 40
RESTART_MS = 5_000
OFFSET_MS_MAX = 1 << 31  # a monotonic clock begins anywhere: nothing may rely on one of an earlier start

__all__ = ["Backup", "HubPeer", "SimHub"]


def _nobody() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of a hub's data directory, as it was at `unix_ms`."""

    unix_ms: int
    store: MemoryStore
    artifacts: SimArtifacts
    authority: SimAuthority


class SimHub:
    """Not running until `start`. Its clocks, its store's manners and where it dies are in `faults`."""

    def __init__(
        self,
        queue: EventQueue,
        draw: random.Random,
        trace: Trace,
        observers: Sequence[Observer],
        name: str = "hub",
        settings: Settings | None = None,
        start_unix_ms: int = START_UNIX_MS,
        store: Store | None = None,
        store_ms: int = 1,
    ) -> None:
        self.name = name
        self.settings = settings if settings is not None else Settings()
        self.faults = HubFaults(store_ms=store_ms)
        self.registry = default_registry()
        self.authority = SimAuthority(draw.randbytes)
        self.artifacts = SimArtifacts()
        self._queue = queue
        self._draw = draw
        self._trace = trace
        self._observers = observers
        self._start_unix_ms = start_unix_ms
        self._around = Surroundings(queue, observers, name, self._note)
        self._key_box = KeyBox(draw.randbytes(KEY_BYTES), draw.randbytes)
        self._store = HubStore(self._around, store if store is not None else MemoryStore(), self.faults)
        self._process: HubProcess | None = None
        self._again: Event | None = None  # a start that failed is tried again
        self._leaving: Callable[[], None] = _nobody  # ends the process that says its goodbyes
        self._begin_anew(self.authority)

    # ---- what there is

    @property
    def is_up(self) -> bool:
        return self._process is not None

    @property
    def unix_ms(self) -> int:
        """The hub's wall clock, right or wrong."""
        return self._start_unix_ms + self._queue.now_ms + self.faults.clock_jump_ms

    @property
    def store(self) -> Store:
        return self._store.store

    @property
    def transactions(self) -> int:
        """How many there were so far; the next one has a number higher by one."""
        return self._store.transactions

    @property
    def process(self) -> HubProcess | None:
        """None while it is down."""
        return self._process

    # ---- life

    def start(self) -> None:
        """Where its store cannot be written it says so and tries again, as a service does that is restarted."""
        if self._process is not None:
            raise MisuseError(f"{self.name} runs already")
        self._end_former()
        offset_ms = self._draw.randrange(OFFSET_MS_MAX)
        try:
            self._process = HubProcess(
                *(self._around, self._store, self._environment, self.artifacts, self.faults, offset_ms, self._died)
            )
        except (PlatformError, CorruptionError) as error:
            self._log(f"cannot start: {error}")
            self._again = self._queue.after(RESTART_MS, self.start)
            return
        self._tell("started")

    def stop(self) -> None:
        """Say goodbye to the nodes, then end; a connection that has not taken its goodbye by then is cut."""
        self._end_former()
        if self._process is not None:
            process, self._process = self._process, None
            self._leaving = process.kill
            process.dismiss()
            self._queue.after(GOODBYE_MS, process.kill)
            self._tell("stopped")

    def crash(self) -> None:
        """The process dies between two transactions; its connections are reset."""
        self._end_former()
        self._died("between transactions")

    def _end_former(self) -> None:
        """Nothing of an earlier life goes on: no goodbyes that are still said, no start that is tried again."""
        self._leaving()
        if self._again is not None:
            self._again.cancel()

    def crash_at(self, point: str, transaction: int | None = None, operation: int = 1) -> None:
        """At a point of a transaction (hub_faults.py): the next one, or the one of that number."""
        self.faults.die_at(point, self.transactions + 1 if transaction is None else transaction, operation)

    def _died(self, point: str) -> None:
        if self._process is not None:
            process, self._process = self._process, None
            self._note(f"dies {point}")
            process.kill()
            self._tell("crashed")

    # ---- nodes

    def connect(self, identity: PeerIdentity | None, address: str) -> HubPeer | None:
        """A link whose TLS handshake is over. None where the hub is down or refuses."""
        if self._process is None:
            return None
        if isinstance(identity, SimIdentity) and identity.authority != self.authority.fingerprint:
            self._note(f"peer {address}: refused, another authority's certificate")
            return None
        return self._process.connect(identity, address)

    def provision(self, node: str, labels: dict[str, str] | None = None) -> SimIdentity:
        """As if the node had joined: its Node, where there is none, and a certificate."""
        lifetime_ms = self.settings.certificate_lifetime_ms

        def join(transaction: Transaction) -> bytes:
            key = authority.public_key()
            issued = self.authority.issue_node(node, key, self.unix_ms, lifetime_ms)
            record = replace_issued if has_certificate(transaction, node) else record_issued
            record(transaction, node, issued, key)
            if transaction.get(NODES, "", node) is None:
                uid = make_uid(self._draw.randbytes)
                transaction.create(NODES, "", node, new_node(node, labels or {}, uid, self.unix_ms))
            return issued.der

        return self.renewed(self._store.transact(join))

    def renewed(self, der: bytes) -> SimIdentity:
        """The identity that a certificate gives, as the node got it over the wire."""
        return authority.parse(der)

    # ---- what people do

    def apply(self, manifest: Object | str) -> Objects:
        """As PUT or POST of each object, of YAML text each document's; the objects as stored. StatusError with the
        hub's own text where one is refused: those before it stand."""
        return [self._apply(value) for value in hub_objects.documents(manifest)]

    def _apply(self, value: Object) -> Object:
        kind = hub_objects.kind_of(self.registry, value)
        self._require_up()
        stored: Object = self._store.transact(
            partial(hub_objects.apply, self.registry, kind, value, self.unix_ms, self._draw.randbytes)
        )
        metadata = stored["metadata"]
        for observer in self._observers:
            observer.wanted(
                *(self.name, kind.resource, metadata.get("namespace", ""), metadata["name"], stored, self._queue.now_ms)
            )
        return stored

    def delete(self, resource: str, name: str, namespace: str = "default") -> None:
        """As DELETE: what a node runs stays, Terminating, until the node has confirmed its end."""
        kind = hub_objects.find_kind(self.registry, resource)
        namespace = namespace if kind.namespaced else ""
        self._require_up()
        self._store.transact(
            partial(hub_objects.delete, self.registry, kind, namespace, name, self.unix_ms, self._draw.randbytes)
        )
        for observer in self._observers:
            observer.wanted(self.name, kind.resource, namespace, name, None, self._queue.now_ms)

    def push(self, name: str, tag: str, data: bytes) -> str:
        """An artifact; the digest, in hex."""
        self._require_up()
        digest = self.artifacts.put(data, self.unix_ms)
        self._store.transact(
            lambda tx: note_pushed(tx, name, tag, digest, len(data), self.unix_ms, self._draw.randbytes)
        )
        return digest

    def _require_up(self) -> None:
        if self._process is None:
            raise PlatformError(f"{self.name} is down", "start it first")

    # ---- what can be seen

    def get(self, resource: str, name: str, namespace: str = "default") -> Object | None:
        kind = hub_objects.find_kind(self.registry, resource)
        return self.store.read(lambda tx: tx.get(kind.resource, namespace if kind.namespaced else "", name))

    def list(self, resource: str, namespace: str | None = None) -> Objects:
        kind = hub_objects.find_kind(self.registry, resource)
        return self.store.read(lambda tx: list(tx.list(kind.resource, namespace)))

    def samples(self, device: str, property: str | None = None) -> Samples:
        """Of "namespace/name", oldest first."""
        return self.store.read(lambda tx: tx.samples(device, property, None, None, SAMPLES_ALL))

    # ---- faults

    def set_clock(self, unix_ms: int) -> None:
        """Before 1970 there is nothing."""
        unix_ms = max(0, unix_ms)
        self.faults.clock_jump_ms = unix_ms - self._start_unix_ms - self._queue.now_ms
        self._note(f"clock {unix_ms}")

    def mend_clock(self) -> None:
        self.set_clock(self._start_unix_ms + self._queue.now_ms)

    def drop_links(self) -> None:
        """Every link is reset while the hub runs on, as when its network restarts: the whole fleet comes back."""
        if self._process is not None:
            self._process.drop_links()

    def backup(self) -> Backup:
        return Backup(self.unix_ms, self._memory().copy(), self.artifacts.copy(), self.authority)

    def restore(self, backup: Backup) -> None:
        """Put the backup in place of the data, and start as `edgelite hub --restored` does."""
        self.crash()
        self._replace(backup.store.copy(), backup.artifacts.copy(), backup.authority)
        lift_restored(self.store, self.unix_ms)
        self._tell("restored")
        self.start()

    def empty(self, keeps_authority: bool = True) -> None:
        """Start on an empty store: no node is known. Without its authority it is another hub to every node."""
        self.crash()
        kept = self.authority if keeps_authority else SimAuthority(self._draw.randbytes)
        self._replace(MemoryStore(), SimArtifacts(), kept)
        self._tell("emptied")
        self.start()

    def twin(self) -> SimHub:
        """A second hub on a copy of everything, running: somebody started the old machine again."""
        draw = random.Random(self._draw.getrandbits(64))
        made = SimHub(
            *(self._queue, draw, self._trace, self._observers, self.name + "-twin", replace(self.settings)),
            start_unix_ms=self._start_unix_ms,
            store=self._memory().copy(),
            store_ms=self.faults.store_ms,
        )
        made.artifacts = self.artifacts.copy()
        made._begin_anew(self.authority)
        made.start()
        return made

    def _memory(self) -> MemoryStore:
        store = self.store
        if not isinstance(store, MemoryStore):
            raise MisuseError("backups and twins are made of a MemoryStore")
        return store

    def _replace(self, store: Store, artifacts: SimArtifacts, authority: SimAuthority) -> None:
        self._store.store = store
        self.artifacts = artifacts
        self._begin_anew(authority)

    def _begin_anew(self, authority: SimAuthority) -> None:
        self.authority = authority
        self.registry = default_registry()
        self._environment = Environment(
            *(self.settings, authority, lambda: self.unix_ms, self._draw.randbytes, self._log, self.registry),
            self._key_box,
        )
        hooks.install(self.registry, self._environment)

    # ---- words

    def _note(self, text: str) -> None:
        self._trace.note(self._queue.now_ms, self.name, text)

    def _log(self, line: str) -> None:
        self._note(line)
        for observer in self._observers:
            observer.log(self.name, line, self._queue.now_ms)

    def _tell(self, what: str) -> None:
        self._note(what)
        for observer in self._observers:
            observer.hub(self.name, what, self._queue.now_ms)
