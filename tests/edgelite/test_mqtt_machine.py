"""The bridge through whatever a port, a broker, a person and time may do, in any order. A model of the port stands
beside it: it opens what it is asked to, and ends each opening once."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from mqtt_world import World, message, packet

from edgelite.effects import Close, Open
from edgelite.mqtt import session
from edgelite.mqtt.bridge import LIVE, OPENING, STOPPED, STOPPING, incoming

RESULT = "$hw/events/device/default/meter/twin/update/result"
TOPICS = [one.replace("+", "x").replace("#", "y") for one in incoming("kitchen")]


class BridgeMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.port = "closed"  # then "opening", "open", and from either back
        self.unanswered: list[tuple[int, int, bytes]] = []  # kind, number and payload of what the broker owes
        self.count = 0
        self.confirmed: set[int] = set()
        self.stopped = False

    def carry_out(self) -> None:
        for effect in [*self.world.effects]:
            if isinstance(effect, Open):
                assert self.port == "closed", "one connection at a time"
                self.port = "opening"
            elif isinstance(effect, Close):
                assert self.port in ("opening", "open")
                self.world.sent()  # what is left is offered once
                self.close("closed")
        self.world.effects.clear()

    def close(self, reason: str) -> None:
        self.port = "closed"
        self.unanswered = []
        self.world.lose(reason)

    @rule(time_ms=some.sampled_from([0, 1, 100, 1000, 15_000, 30_000, 100_000]))
    def time_goes_on(self, time_ms: int) -> None:
        self.world.wait(time_ms)
        self.carry_out()

    @precondition(lambda self: self.port == "closed" and not self.stopped)
    @rule()
    def a_good_broker_is_there(self) -> None:
        self.world.now_ms += 100_000
        self.world.step()
        self.carry_out()
        self.the_port_connects()
        self.the_port_sends()
        while self.unanswered:
            self.the_broker_answers(0)
            self.the_port_sends()

    @precondition(lambda self: self.port == "opening")
    @rule()
    def the_port_connects(self) -> None:
        self.port = "open"
        self.world.bridge.opened(self.world.now_ms)

    @precondition(lambda self: self.port != "closed")
    @rule()
    def the_connection_breaks(self) -> None:
        self.close("broken")
        self.carry_out()

    @rule(size_bytes=some.sampled_from([0, 10, 9000]))
    def something_is_to_be_said(self, size_bytes: int) -> None:
        self.count += 1
        self.world.bus.publish(RESULT, b"%d " % self.count + bytes(size_bytes))

    @precondition(lambda self: self.port == "open")
    @rule()
    def the_port_sends(self) -> None:
        for one in self.world.sent():
            if one.kind == 1:
                self.unanswered.append((2, 0, b""))
            elif one.kind == 8:
                self.unanswered.append((9, one.number, b""))
            elif one.kind == 12:
                self.unanswered.append((13, 0, b""))
            elif one.kind == 3 and one.qos:
                self.unanswered.append((4, one.number, one.payload))

    @precondition(lambda self: self.unanswered)
    @rule(code=some.sampled_from([0, 0, 0, 1, 5]))
    def the_broker_answers(self, code: int) -> None:
        kind, number, payload = self.unanswered.pop(0)
        if payload and payload[:1] != b"{":
            self.confirmed.add(int(payload.split()[0]))
        identifier = number.to_bytes(2, "big")
        bodies = {2: bytes([0, code]), 9: identifier + (b"\x80" if code else b"\1"), 13: b"", 4: identifier}
        self.hear(packet(kind << 4, bodies[kind]))

    @precondition(lambda self: self.port == "open")
    @rule(topic=some.sampled_from(TOPICS), qos=some.integers(0, 1), count=some.sampled_from([1, 3, 30]))
    def the_broker_says(self, topic: str, qos: int, count: int) -> None:
        self.hear(message(topic, b"{}", qos) * count)

    @precondition(lambda self: self.port == "open")
    @rule(data=some.binary(min_size=1, max_size=8))
    def the_broker_says_anything(self, data: bytes) -> None:
        self.hear(data)

    def hear(self, data: bytes) -> None:
        self.world.bridge.received(data, self.world.now_ms)
        self.world.step()
        self.carry_out()

    @rule(has_hub=some.booleans())
    def the_hub(self, has_hub: bool) -> None:
        self.world.has_hub = has_hub

    @precondition(lambda self: not self.stopped)
    @rule(really=some.sampled_from([False] * 9 + [True]))
    def the_agent_stops(self, really: bool) -> None:
        if really:
            self.stopped = True
            self.world.bridge.stop(self.world.now_ms)
            self.carry_out()

    @invariant()
    def port_and_bridge_agree(self) -> None:
        bridge = self.world.bridge
        if self.port == "closed":
            assert bridge.state not in (OPENING, LIVE)
            assert not bridge.is_full
        if self.stopped:
            assert bridge.state in (STOPPING, STOPPED)

    @invariant()
    def what_it_keeps_is_bounded(self) -> None:
        bridge = self.world.bridge
        kept = bridge._again + (bridge._session.in_flight if bridge._session is not None else [])
        assert len(kept) <= 2 * session.IN_FLIGHT_MAX + 2
        if bridge._session is not None:
            assert len(bridge._session._output) <= session.OUTPUT_BYTES_MAX + 10_000

    def teardown(self) -> None:
        """With a broker that is well, everything is as it should be again."""
        if self.stopped:
            return
        if self.port != "closed":
            self.close("broken")
            self.carry_out()
        self.world.now_ms += 100_000
        packets = self.world.live()
        assert self.world.bridge.state == LIVE
        got = []
        while packets:
            got += [int(one.payload.split()[0]) for one in packets if one.topic == RESULT]
            self.world.acknowledge(packets)
            packets = self.world.sent()
        assert got == sorted(got), "in order"
        assert self.count in (0, *got, *self.confirmed), "the newest is never lost"


BridgeMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestBridge = BridgeMachine.TestCase
