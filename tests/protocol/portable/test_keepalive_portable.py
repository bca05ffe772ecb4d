"""The keepalive's clocks: rare at rest, soon while an answer is owed; and the timeouts of the handshake and the end."""

from session_pair import (
    ARTIFACT,
    WORKLOAD_KEY,
    Pair,
    ending,
    frame,
    make_hello,
    names,
    report,
    take_events,
)

from edgelite_protocol import messages as m
from edgelite_protocol.frames import encode_frame
from edgelite_protocol.hub_session import HubSession
from edgelite_protocol.keepalive import DEAD, PROBE, WAIT, Keepalive
from edgelite_protocol.limits import HANDSHAKE_MS, LINGER_MS, Limits
from edgelite_protocol.node_session import NodeSession

REST_MS = 240_000
BUSY_MS = 5_000


def test_the_table_of_times() -> None:
    """(pings at rest, an answer is owed, silence in ms): what is due, and the next deadline."""
    for pings, owed, silence_ms, what, deadline_ms in (
        (True, False, 0, WAIT, REST_MS),
        (True, False, REST_MS - 1, WAIT, REST_MS),
        (True, False, REST_MS, PROBE, REST_MS + 3 * BUSY_MS),
        (False, False, REST_MS, WAIT, REST_MS * 5 // 2),
        (False, False, REST_MS * 5 // 2, DEAD, REST_MS * 5 // 2),
        (True, True, 0, WAIT, BUSY_MS),
    ):
        keepalive = Keepalive(pings, 0)
        assert keepalive.step(silence_ms, owed) == what
        assert keepalive.deadline_ms == deadline_ms
    for pings in (True, False):
        keepalive = Keepalive(pings, 0)
        assert keepalive.step(0, True) == WAIT
        assert keepalive.step(BUSY_MS - 1, True) == WAIT
        assert keepalive.step(BUSY_MS, True) == PROBE
        assert keepalive.deadline_ms == 3 * BUSY_MS
        assert keepalive.step(3 * BUSY_MS - 1, True) == WAIT
        assert keepalive.step(3 * BUSY_MS, True) == DEAD


def test_owing_starts_the_clock_not_the_silence_before_it() -> None:
    keepalive = Keepalive(True, 0)
    keepalive.step(100_000, False)
    assert keepalive.step(200_000, True) == WAIT
    assert keepalive.deadline_ms == 200_000 + BUSY_MS


def test_whatever_arrives_counts_as_life() -> None:
    keepalive = Keepalive(True, 0)
    keepalive.step(0, True)
    assert keepalive.step(BUSY_MS, True) == PROBE
    keepalive.received(14_000)
    assert keepalive.step(15_000, True) == WAIT
    keepalive.answered()
    assert keepalive.step(19_000, True) == PROBE


def exchange(pair: Pair) -> int:
    """Deliver; the bytes that went over the link."""
    total = 0
    while True:
        to_hub, to_node = pair.node.data_to_send(65536), pair.hub.data_to_send(65536)
        if not to_hub and not to_node:
            return total
        total += len(to_hub) + len(to_node)
        pair.hub.receive(to_hub, pair.now_ms)
        pair.node.receive(to_node, pair.now_ms)
        pair.hub_events.extend(take_events(pair.hub))
        pair.node_events.extend(take_events(pair.node))


def test_a_day_at_rest_costs_less_than_100_kb_on_the_wire() -> None:
    """Each of a ping and its pong is one TLS record (22 bytes around it) in one TCP segment of its own (52 bytes of
    headers with timestamps), and an acknowledgement without data answers the exchange."""
    pair = Pair().open()
    payload_bytes = exchanges = 0
    now_ms = 0
    while now_ms < 24 * 3600 * 1000:
        deadline_ms = min(pair.node.step(now_ms) or 0, pair.hub.step(now_ms) or 0)
        pair.now_ms = now_ms
        sent = exchange(pair)
        if sent:
            payload_bytes += sent
            exchanges += 1
            deadline_ms = now_ms
        now_ms = max(deadline_ms, now_ms + 1)
    assert not pair.node_events and not pair.hub_events
    assert 355 <= exchanges <= 361
    assert payload_bytes + exchanges * (2 * (22 + 52) + 52) < 100_000


def test_a_silent_link_is_noticed_within_15_s_of_a_report() -> None:
    pair = Pair().open()
    pair.step(100_000)
    pair.node.send_reports(m.LANE_STATE, 3, [(1, report(1))])
    pair.node.data_to_send(65536)  # lost
    pair.step(100_001)
    pair.step(105_001)
    assert pair.node.data_to_send(65536) == frame({m.TYPE: m.PING, 1: 1})
    pair.step(115_000)
    assert pair.node_events == []
    pair.step(115_001)
    assert (pair.node_events[0].code, pair.node_events[0].by_peer) == ("silent", False)
    assert pair.node.closed


def test_each_thing_that_waits_for_an_answer_probes() -> None:
    def report_out(pair: Pair) -> None:
        pair.node.send_reports(m.LANE_TELEMETRY, 3, [(1, {0: 9})])

    def renewal_out(pair: Pair) -> None:
        pair.node.renew()

    def artifact_asked(pair: Pair) -> None:
        pair.node.open_artifact(ARTIFACT, 0)

    for act in (report_out, renewal_out, artifact_asked):
        pair = Pair().open()
        act(pair)
        pair.node.data_to_send(65536)
        assert pair.node.step(10) == 10 + BUSY_MS, act
    pair = Pair().open()
    pair.hub.send_entry(1, m.KIND_WORKLOAD, WORKLOAD_KEY, None)
    assert pair.hub.step(10) == 10 + BUSY_MS
    pair.pump()
    pair.node.applied(b"epoch-01", 1, pair.node_events[0].digest)
    pair.pump()
    assert pair.hub.step(20) == REST_MS * 5 // 2
    pair.node.send_reports(m.LANE_STATE, 3, [(1, report(1))])
    pair.pump()
    pair.hub.acknowledge(m.LANE_STATE, 3, 1)
    pair.pump()
    assert pair.node.step(30) == REST_MS


def test_the_hub_notices_a_node_that_fell_silent() -> None:
    pair = Pair().open()
    pair.step(REST_MS * 5 // 2 - 1)
    assert pair.hub_events == []
    pair.hub.step(REST_MS * 5 // 2)
    assert ending(pair.hub) == "silent"


def test_the_welcome_sets_both_clocks() -> None:
    pair = Pair()
    pair.pump()
    welcome = {m.WELCOME_EPOCH: b"epoch-01", m.WELCOME_TIME_MS: 1, m.WELCOME_MODE: m.MODE_DELTA}
    welcome.update({m.WELCOME_KEEPALIVE_REST_MS: 10_000, m.WELCOME_KEEPALIVE_BUSY_MS: 500})
    pair.hub.welcome(welcome)
    pair.pump()
    assert (pair.node.step(1), pair.hub.step(1)) == (10_000, 25_000)
    pair.node.renew()
    assert pair.node.step(2) == 502


def test_a_welcome_that_does_not_come() -> None:
    node = NodeSession(make_hello(), Limits(), 5)
    assert node.step(5) == 5 + HANDSHAKE_MS
    node.step(5 + HANDSHAKE_MS)
    assert ending(node) == "handshake_timeout"


def test_a_hello_that_does_not_come_or_is_half_there() -> None:
    for data in (b"", frame({m.TYPE: m.HELLO})[:5]):
        hub = HubSession(Limits(), 0)
        hub.receive(data, HANDSHAKE_MS - 1)
        assert take_events(hub) == []
        hub.step(HANDSHAKE_MS)
        assert ending(hub) == "handshake_timeout"


def test_a_goodbye_that_the_link_does_not_take_is_given_up() -> None:
    pair = Pair().open()
    pair.node.end("node_stopping", "", 1000)
    assert pair.node.step(1000) == 1000 + LINGER_MS
    assert not pair.node.closed
    assert pair.node.step(1000 + LINGER_MS) is None
    assert pair.node.closed


def test_an_end_in_the_middle_of_a_frame_finishes_that_frame_first() -> None:
    """The peer must be able to read the goodbye."""
    pair = Pair().open()
    pair.node.renew()
    begun = pair.node.data_to_send(3)
    pair.node.end("node_stopping", "", 0)
    pair.hub.receive(begun, 0)
    pair.pump()
    assert names(pair.hub_events) == ["RenewRequest", "Ended"]
    assert pair.hub_events[1].code == "node_stopping"


def test_a_pong_must_answer_the_ping() -> None:
    pair = Pair().open()
    pair.step(REST_MS)
    pair.node.receive(frame({m.TYPE: m.PONG, 1: 2}), REST_MS)
    assert ending(pair.node) == "unexpected_message"


def test_bytes_of_an_unfinished_frame_hold_no_session_open_for_ever() -> None:
    """Whatever arrives counts as life, so a peer may dawdle; but not before the welcome."""
    hub = HubSession(Limits(), 0)
    data = encode_frame(0, bytes(4000))
    for second in range(30):
        hub.receive(data[second : second + 1], second * 1000)
        take_events(hub)
        hub.step(second * 1000)
    hub.step(HANDSHAKE_MS)
    assert ending(hub) == "handshake_timeout"
