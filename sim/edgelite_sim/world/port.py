"""The `sim` port: carries out an agent's effects in virtual time.

One SimPort is one life of an agent's process: made when it starts, thrown away when it ends or dies. What outlives it
(flash, processes, clock, link, identity) is the node's (node.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgelite.effects import Acceptor, Channel, Listen, Open
from edgelite_sim.world.wires import DeviceWire, HubWire

if TYPE_CHECKING:
    from edgelite_sim.world.node import SimNode

CONNECT_TIMEOUT_MS = 10_000  # as the ports have it (edgelite_ports/common/connections.py)
HANDSHAKE_TIMEOUT_MS = 10_000
WORK_MS = 20  # what the worker's jobs take that are no syncs: an artifact, a certificate
LOCAL_MS = 3  # a round trip to a device on the node's own network


class Connection:
    """One channel between its Open and its `closed`; the `Near` of its wire."""

    def __init__(self, owner: Connections, effect: Open) -> None:
        self._owner = owner
        self._node = owner.node
        self.channel = effect.channel
        self._addresses = list(effect.addresses)
        self.wire: HubWire | DeviceWire | None = None
        self.is_open = False
        self._is_closed = False
        self._timer: Any = None
        self._held: list[bytes] = []  # what came while the agent does not read; a flow's own bound holds for it

    # ---- getting to a hub

    def reach_hub(self, host: str) -> None:
        node = self._node
        node.tell_attempt()
        at_ms = node.link.resolve(node.queue.now_ms)
        if at_ms is None and not self._addresses:
            self._later(node.link.dns_failure_ms, lambda: self._fail("no such host"))
        elif at_ms is None:  # the last good address is in the journal
            self._later(node.link.dns_failure_ms, lambda: self._connect(host))
        else:
            node.queue.at(at_ms, lambda: self._connect(host))

    def _connect(self, host: str) -> None:
        if self._is_closed:
            return
        node = self._node
        attempt = node.link.connect(node.queue.now_ms)
        if attempt.outcome == "silent":
            self._later(CONNECT_TIMEOUT_MS, lambda: self._fail("timed out"))
        elif attempt.outcome == "refused":
            node.queue.at(attempt.at_ms, lambda: self._fail("connection refused"))
        else:
            node.queue.at(attempt.at_ms, lambda: self._begin_handshake(host))

    def _begin_handshake(self, host: str) -> None:
        if self._is_closed:
            return
        node = self._node
        hub = node.world.hub_at(host, node.name)
        if hub is None or not hub.is_up:
            self._fail("connection refused")
            return
        self.channel.peer_address = "198.51.100.1"
        identity = node.identity
        flow = node.link.flow(node.queue.now_ms)  # a portal's, where the link is captive
        node.flow_began(flow)
        name = node.name
        self.wire = HubWire(node.queue, node.trace, name, self, flow, lambda: hub.connect(identity, "192.0.2.1"))
        self._timer = node.queue.after(HANDSHAKE_TIMEOUT_MS, self._handshake_timed_out)
        self.wire.begin()

    def _handshake_timed_out(self) -> None:
        if not self.is_open:
            self._drop_wire()
            self._fail("timed out")

    # ---- getting to a device

    def reach_device(self, target: tuple[Any, ...]) -> None:
        self._node.queue.after(LOCAL_MS, lambda: self._begin_device(target))

    def _begin_device(self, target: tuple[Any, ...]) -> None:
        if self._is_closed:
            return
        node = self._node
        device = node.world.device_at(node.name, target)
        if isinstance(device, str):
            self._fail(device)
            return
        self.wire = DeviceWire(node.queue, node.trace, node.name, self, device.peer(node.name), LOCAL_MS)
        device.wired(self.wire)
        if target[0] == "serial":
            self.wire.configure(target[2])
        self.wire.begin()
        self.woken()

    # ---- Near

    def opened(self) -> None:
        if self._is_closed:
            return
        self.is_open = True
        if self._timer is not None:
            self._timer.cancel()
        self._node.guarded(self.channel.opened, self._node.monotonic_ms())

    def received(self, data: bytes) -> None:
        if self._node.hangs:
            self._held.append(data)  # its kernel has it
        else:
            self._take(data)

    def _take(self, data: bytes) -> None:
        node = self._node
        node.guarded(self.channel.received, data, node.monotonic_ms())

    def let_go(self) -> None:
        """The agent reads again."""
        held, self._held = self._held, []
        for data in held:
            self._take(data)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        node = self._node
        if not self.is_open or node.hangs:
            return b""
        if node.in_round:  # nearly always, and guarded as a whole
            return self.channel.data_to_send(size_bytes_max)
        return node.guarded(self.channel.data_to_send, size_bytes_max) or b""

    def ended(self, reason: str) -> None:
        self._finish(reason)

    def woken(self) -> None:
        self._node.round()

    # ---- sending, and the end

    def link_changed(self) -> None:
        if isinstance(self.wire, HubWire):
            self.wire.turn()

    def close(self) -> None:
        """The core asked for it."""
        if self.wire is not None:
            wire, self.wire = self.wire, None
            if self.is_open:
                wire.close()
            else:
                wire.die()
        self._finish("closed")

    def end(self, is_told: bool) -> None:
        """The process is gone; `is_told` where its kernel lives on and says so to the other end."""
        self._is_closed = True
        if self.wire is not None:
            if is_told:
                self.wire.die()
            else:
                self.wire.vanish()

    def _drop_wire(self) -> None:
        if self.wire is not None:
            self.wire.die()
            self.wire = None

    def _later(self, delay_ms: int, call: Callable[[], object]) -> None:
        self._node.queue.after(delay_ms, call)

    def _fail(self, reason: str) -> None:
        if not self._is_closed:
            self._finish(reason)
            self.woken()

    def _finish(self, reason: str) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
        self._owner.forget(self)
        self._node.guarded(self.channel.closed, reason, self._node.monotonic_ms())


class Connections:
    """All channels of one life of an agent."""

    def __init__(self, node: SimNode) -> None:
        self.node = node
        self._open: list[Connection] = []

    def open(self, effect: Open) -> None:
        connection = Connection(self, effect)
        kind = effect.target[0]
        if kind not in ("tls", "tcp", "serial", "driver"):
            effect.channel.closed(f"this port has no transport {kind}", self.node.monotonic_ms())
            self.node.wake()
            return
        self._open.append(connection)
        if kind == "tls":
            connection.reach_hub(str(effect.target[1]))
        else:
            connection.reach_device(effect.target)

    def listen(self, effect: Listen) -> None:
        effect.acceptor.closed("this port cannot listen", self.node.monotonic_ms())
        self.node.wake()

    def close(self, channel: Channel | Acceptor) -> None:
        for connection in list(self._open):
            if connection.channel is channel:
                connection.close()
                self.node.wake()

    def configure(self, channel: Channel, settings: dict[str, Any]) -> None:
        """The other end of a line hears at another rate than its own nothing but noise, if it cares (instrument.py)."""
        for connection in self._open:
            if connection.channel is channel and isinstance(connection.wire, DeviceWire):
                connection.wire.configure(settings)

    def pump(self) -> None:
        for connection in self._open:
            if connection.is_open and connection.wire is not None:
                connection.wire.pump_up()

    def let_go(self) -> None:
        for connection in list(self._open):
            connection.let_go()

    def link_changed(self) -> None:
        """What waits for the line may go on, or has to wait."""
        for connection in list(self._open):
            connection.link_changed()

    def forget(self, connection: Connection) -> None:
        self._open.remove(connection)

    def end(self, is_told: bool) -> None:
        for connection in list(self._open):
            connection.end(is_told)
        self._open.clear()


class Syncs:
    """The flash as the dispatcher sees it: behind each sync that has ended comes a round."""

    def __init__(self, node: SimNode) -> None:
        self._node = node

    def sync_later(self, done: Callable[[object, BaseException | None], None]) -> None:
        def ended(result: object, error: BaseException | None) -> None:
            done(result, error)
            self._node.round()

        self._node.flash.sync_later(ended)


class Worker:
    """What the ports do off the loop; here it is done at once, and told a while later."""

    def __init__(self, node: SimNode) -> None:
        self._node = node
        self._life = node.life

    def submit(
        self, lane: int, work: Callable[[], object], done: Callable[[object, BaseException | None], None]
    ) -> None:
        result: object = None
        failure: BaseException | None = None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is not swallowed: `done` gets it
            failure = error
        self._node.later(WORK_MS, lambda: done(result, failure))
