"""One life of a simulated hub, from a start to its end: everything that a crash loses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from edgelite_hub.background import Background, Source
from edgelite_hub.controllers.rounds import Rounds
from edgelite_hub.environment import Environment
from edgelite_hub.maintenance import Maintenance
from edgelite_hub.nodes.fleet import Fleet
from edgelite_hub.nodes.links import Links
from edgelite_hub.nodes.node_logic import NodeConnection
from edgelite_hub.security.identity import PeerIdentity
from edgelite_hub.start import make_dispatcher, prepare, ready_nodes
from edgelite_hub.store.contract import Outcome
from edgelite_hub.work import Work
from edgelite_sim.world.hub_artifacts import SimArtifacts
from edgelite_sim.world.hub_faults import HubFaults
from edgelite_sim.world.hub_peer import HubPeer
from edgelite_sim.world.hub_store import HubStore, SimWriter, Surroundings
from edgelite_sim.world.queue import Event

GOODBYE_MS = 300  # for goodbyes to leave when the hub stops


class HubProcess:
    """Runs from its construction on. `died` is called with the point where a fault ends it."""

    def __init__(
        self,
        around: Surroundings,
        store: HubStore,
        environment: Environment,
        artifacts: SimArtifacts,
        faults: HubFaults,
        offset_ms: int,
        died: Callable[[str], None],
    ) -> None:
        self.queue = around.queue
        self.offset_ms = offset_ms  # of its monotonic clock
        self.writer = SimWriter(around, store, faults, died)
        self.is_over = False
        self._around = around
        self._peers: dict[HubPeer, None] = {}
        store.transact(partial(prepare, environment.random_bytes))
        self.fleet = Fleet(environment, artifacts, self._wake)
        self.links = Links(self.fleet)
        self.fleet.expect(store.store.read(ready_nodes), self.now_ms)
        self._rounds = Rounds(make_dispatcher(environment), store.store, self.fleet.notified, environment.log)
        maintenance = Maintenance(environment.settings, artifacts, environment.unix_ms, environment.log)
        self._nodes_loop = self._loop("nodes", self.fleet, environment)
        self._controllers_loop = self._loop("controllers", self._rounds, environment)
        self._maintenance_loop = self._loop("maintenance", maintenance, environment)
        self._unsubscribe = store.store.subscribe(self._committed)

    @property
    def now_ms(self) -> int:
        """Its monotonic clock."""
        return self.queue.now_ms + self.offset_ms

    def _loop(self, what: str, source: Source, environment: Environment) -> Loop:
        loop = Loop(self, Background(what, source, environment.log))
        loop.wake()
        return loop

    # ---- links

    def connect(self, identity: PeerIdentity | None, address: str) -> HubPeer | None:
        link = self.links.admit(identity, address, self.now_ms)
        if link is None:
            return None
        peer = HubPeer(self, link)
        link.wake = peer.wake
        self._peers[peer] = None
        return peer

    def forget(self, peer: HubPeer) -> None:
        self._peers.pop(peer, None)

    def acknowledged(self, node: str, lane: int, generation: int, sequence: int) -> None:
        for observer in self._around.observers:
            observer.acknowledged(node, self._around.name, lane, generation, sequence, self.queue.now_ms)

    def drop_links(self) -> None:
        for peer in list(self._peers):
            peer.reset()

    # ---- its end

    def dismiss(self) -> None:
        """Say goodbye to all."""
        for peer in list(self._peers):
            peer.refuse("hub_stopping", "the hub is stopping: come back soon")

    def kill(self) -> None:
        """Twice does nothing more."""
        self.is_over = True
        self._unsubscribe()
        self.writer.close()
        for peer in list(self._peers):
            peer.drop()

    # ---- between the parts

    def _wake(self, connection: NodeConnection | None) -> None:
        if connection is None:
            self._nodes_loop.wake()
        else:
            self.links.wake(connection)

    def _committed(self, revision: int) -> None:
        self._rounds.committed()
        self._controllers_loop.wake()


class Loop:
    """Runs one source of work of the hub's own."""

    def __init__(self, process: HubProcess, background: Background) -> None:
        self._process = process
        self._background = background
        self._is_busy = False
        self._is_turning = False
        self._event: Event | None = None

    def wake(self) -> None:
        """Looked at behind what happens now."""
        self._arm(self._process.queue.now_ms)

    def _arm(self, time_ms: int) -> None:
        event = self._event
        if event is not None and event.call is not None:
            if event.time_ms <= time_ms:
                return
            event.cancel()
        self._event = self._process.queue.at(time_ms, self._turn)

    def _turn(self) -> None:
        process = self._process
        self._is_turning = True
        while not self._is_busy and not process.is_over:
            work = self._background.next_work(process.now_ms)
            if work is None:
                deadline_ms = self._background.deadline_ms()
                if deadline_ms is not None:
                    self._arm(deadline_ms - process.offset_ms)
                break
            self._is_busy = True
            process.writer.submit(work, partial(self._settle, work))
        self._is_turning = False

    def _settle(self, work: Work, outcome: Outcome[Any]) -> None:
        self._is_busy = False
        if self._process.is_over:
            return
        if outcome.error is None:
            self._background.done(work, outcome.value, self._process.now_ms)
        else:
            self._background.failed(work, outcome.error, self._process.now_ms)
        if not self._is_turning:
            self._turn()
