"""The bus beside a model of lists and sets: any order of subscribing, publishing, retaining and taking."""

from __future__ import annotations

import re

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edgelite.bus.bus import MessageBus, Subscriber

QUEUE_MAX = 4
TOPICS = st.sampled_from(["a", "a/b", "a/c", "b", "$s/x"])
FILTERS = st.sampled_from(["a", "a/+", "a/#", "#", "+", "$s/#", "b"])
WHO = st.integers(0, 2)
PATTERNS = {
    "a": "a",
    "a/+": "a/[^/]*",
    "a/#": "a(/.*)?",
    "#": r"[^$].*",
    "+": r"[^$/][^/]*",
    "$s/#": r"\$s(/.*)?",
    "b": "b",
}

Row = tuple[str, bytes, bool]


class BusMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bus = MessageBus()
        self.real = [Subscriber(QUEUE_MAX) for _ in range(3)]
        self.filters: list[set[str]] = [set(), set(), set()]
        self.queues: list[list[Row]] = [[], [], []]
        self.dropped = [0, 0, 0]
        self.retained: dict[str, bytes] = {}
        self.count = 0

    def put(self, who: int, row: Row) -> None:
        self.queues[who].append(row)
        if len(self.queues[who]) > QUEUE_MAX:
            self.queues[who].pop(0)
            self.dropped[who] += 1

    @rule(who=WHO, wanted=FILTERS)
    def subscribe(self, who: int, wanted: str) -> None:
        self.bus.subscribe(self.real[who], wanted)
        self.filters[who].add(wanted)
        for topic in sorted(self.retained):
            if re.fullmatch(PATTERNS[wanted], topic):
                self.put(who, (topic, self.retained[topic], True))

    @rule(who=WHO, wanted=FILTERS)
    def unsubscribe(self, who: int, wanted: str) -> None:
        self.bus.unsubscribe(self.real[who], wanted)
        self.filters[who].discard(wanted)

    @rule(who=WHO)
    def leave(self, who: int) -> None:
        self.bus.leave(self.real[who])
        self.filters[who].clear()

    @rule(topic=TOPICS, retain=st.booleans(), is_empty=st.booleans(), besides=st.none() | WHO)
    def publish(self, topic: str, retain: bool, is_empty: bool, besides: int | None) -> None:
        self.count += 1
        payload = b"" if is_empty else b"%d" % self.count
        own = None if besides is None else self.real[besides]
        reached = self.bus.publish(topic, payload, retain, own)
        if retain and payload:
            self.retained[topic] = payload
        elif retain:
            self.retained.pop(topic, None)
        wants = [any(re.fullmatch(PATTERNS[one], topic) for one in self.filters[who]) for who in range(3)]
        told = [who for who in range(3) if wants[who] and who != besides]
        for who in told:
            self.put(who, (topic, payload, False))
        assert reached == len(told)
        assert self.bus.is_wanted(topic) == any(wants)

    @rule(who=WHO)
    def take(self, who: int) -> None:
        assert self.real[who].take_dropped() == self.dropped[who]
        self.dropped[who] = 0
        message = self.real[who].take()
        found = None if message is None else (message.topic, message.payload, message.is_retained)
        assert found == (self.queues[who].pop(0) if self.queues[who] else None)

    @invariant()
    def what_waits_is_what_should(self) -> None:
        for who in range(3):
            assert self.real[who].has_messages == bool(self.queues[who] or self.dropped[who])
            assert self.real[who].queued_bytes == sum(len(topic) + len(data) for topic, data, _ in self.queues[who])


TestBusMachine = BusMachine.TestCase
TestBusMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
