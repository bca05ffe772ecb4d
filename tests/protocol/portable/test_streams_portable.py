"""Credit, priorities, bulk streams: who may send what, what waits for what, and when an id is free again."""

from session_pair import (
    ARTIFACT,
    EPOCH,
    WORKLOAD_KEY,
    Pair,
    ending,
    frame,
    make_hello,
    names,
    report,
    take_events,
    telemetry,
)

from edgelite_protocol import cbor
from edgelite_protocol import messages as m
from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.frames import FrameReader
from edgelite_protocol.hub_session import BATCHES_MAX
from edgelite_protocol.limits import CREDIT_BYTES_MAX, REPORT_BYTES_MAX, STREAMS_MAX, WINDOW_FRAMES, Limits
from edgelite_protocol.outgoing import Outgoing
from edgelite_protocol.streams import Streams, Window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def frames_in(data: bytes) -> "list[tuple[int, bytes]]":
    reader = FrameReader(65534)
    reader.feed(data)
    frames = []
    frame = reader.next_frame()
    while frame is not None:
        frames.append(frame)
        frame = reader.next_frame()
    assert not reader.buffered_bytes
    return frames


def refused(function, *arguments) -> str:  # type: ignore[no-untyped-def]
    try:
        function(*arguments)
    except ProtocolError as error:
        return error.code
    return ""


# ---- the send queue


def test_the_highest_priority_goes_first() -> None:
    outgoing = Outgoing()
    for stream in (4, m.STREAM_TELEMETRY, m.STREAM_STATE, m.STREAM_CONTROL):
        outgoing.put(stream, b"x", False)
    assert [stream for stream, _ in frames_in(outgoing.take(1000))] == [0, 1, 2, 4]
    assert outgoing.is_empty()


def test_one_call_gives_at_most_one_bulk_frame_and_nothing_behind_it() -> None:
    outgoing = Outgoing()
    outgoing.put(4, b"bulk-1", False)
    outgoing.put(5, b"bulk-2", False)
    assert frames_in(outgoing.take(1000)) == [(4, b"bulk-1")]
    outgoing.put(0, b"control", False)
    assert frames_in(outgoing.take(1000)) == [(0, b"control"), (5, b"bulk-2")]


def test_a_frame_that_has_begun_is_finished_first() -> None:
    outgoing = Outgoing()
    outgoing.put(4, b"bulk", False)
    begun = outgoing.take(3)
    outgoing.put(0, b"control", False)
    rest = b""
    while not outgoing.is_empty():
        part = outgoing.take(3)
        assert 0 < len(part) <= 3
        rest += part
    assert frames_in(begun + rest) == [(4, b"bulk"), (0, b"control")]


def test_what_waits_for_credit_lets_other_streams_pass_but_not_its_own() -> None:
    outgoing = Outgoing()
    outgoing.put(4, b"abc", True)
    outgoing.put(4, b"close", False)
    outgoing.put(6, b"def", True)
    outgoing.grant(6, 3)
    assert frames_in(outgoing.take(1000)) == [(6, b"def")]
    assert outgoing.take(1000) == b""
    outgoing.grant(4, 2)
    assert outgoing.take(1000) == b""
    outgoing.grant(4, 1)
    assert frames_in(outgoing.take(1000)) == [(4, b"abc")]
    assert frames_in(outgoing.take(1000)) == [(4, b"close")]


def test_credit_has_a_bound() -> None:
    outgoing = Outgoing()
    outgoing.grant(1, CREDIT_BYTES_MAX)
    assert refused(outgoing.grant, 1, 1) == "flow_control"


# ---- windows


def test_a_window_is_given_back_by_halves() -> None:
    window = Window(100)
    window.spend(60, 1)
    assert refused(window.spend, 41, 1) == "flow_control"
    window.consumed(49)
    assert window.take_credit() == 0
    window.consumed(1)
    assert (window.take_credit(), window.left_bytes, window.take_credit()) == (50, 90, 0)
    window.consumed(10)
    window.consumed(50)
    window.paused = True
    assert window.take_credit() == 0


def test_a_peer_that_overruns_its_credit_is_ended() -> None:
    pair = Pair().open()
    body = cbor.encode({m.TYPE: m.REPORTS, 1: 0, 2: 1, 3: [[1, {0: 7, 1: "x" * 1000}]]})
    fits = WINDOW_FRAMES * 4096 // len(body)
    for number in range(fits + 1):
        message = {m.TYPE: m.REPORTS, 1: 0, 2: 1, 3: [[number, {0: 7, 1: "x" * 1000}]]}
        pair.hub.receive(frame(message, m.STREAM_STATE), 0)
        pair.hub_events.extend(take_events(pair.hub))
    assert names(pair.hub_events) == ["Reports"] * fits + ["Ended"]
    assert pair.hub_events[-1].code == "flow_control"


def test_reports_wait_for_acknowledgements_and_go_on() -> None:
    """The store's pace is the node's: without `acknowledge` the window closes, with it every report gets through."""
    pair = Pair().open()
    sent = 0
    while pair.node.can_report(m.LANE_TELEMETRY):
        sent += 1
        pair.node.send_reports(m.LANE_TELEMETRY, 3, [(sent, {0: 3, 1: "d/m", 2: [1, 1], 3: {"v": "x" * 1000}})])
        pair.pump()
    assert 8 < sent < 20
    assert pair.node.can_report(m.LANE_STATE)  # lanes do not hold each other up
    pair.hub.acknowledge(m.LANE_TELEMETRY, 3, 1)
    pair.pump()
    assert not pair.node.can_report(m.LANE_TELEMETRY)  # not half of the window yet
    pair.hub.acknowledge(m.LANE_TELEMETRY, 3, sent)
    pair.pump()
    assert pair.node.can_report(m.LANE_TELEMETRY)


def test_a_report_of_the_largest_size_always_finds_room() -> None:
    """However large the reports before it were: no size may leave a window that never opens again."""
    for size_bytes in (1, 500, 1999, 2048, 3000):
        pair = Pair(node_limits=Limits(1024)).open()
        sequence = 0
        for _ in range(3):
            pair.hub_events = []
            while pair.node.can_report(m.LANE_STATE):
                sequence += 1
                pair.node.send_reports(m.LANE_STATE, 3, [(sequence, {0: 9, 1: bytes(size_bytes)})])
                pair.pump()
                assert len(pair.hub._batches[0]) <= BATCHES_MAX
            pair.hub.acknowledge(m.LANE_STATE, 3, sequence)
            pair.pump()
            assert pair.node.report_room(m.LANE_STATE) >= REPORT_BYTES_MAX
    assert REPORT_BYTES_MAX < m.FRAME_BYTES_MAX_DEFAULT


def test_room_is_exact_enough() -> None:
    """What report_room allows always fits a frame; one byte more is refused."""
    pair = Pair().open()
    room = pair.node.report_room(m.LANE_STATE)
    body = {0: 9, 1: bytes(room - 40)}
    overhead = room - 40 - len(b"") + 0
    while len(cbor.encode([2**60, body])) < room:
        overhead += 1
        body = {0: 9, 1: bytes(overhead)}
    assert len(cbor.encode([2**60, body])) == room
    try:
        pair.node.send_reports(m.LANE_STATE, 2**60, [(2**60, {0: 9, 1: bytes(overhead + 1)})], b"journal0")
    except MisuseError:
        pass
    else:
        raise AssertionError("taken")
    pair.node.send_reports(m.LANE_STATE, 2**60, [(2**60, body)], b"journal0")
    pair.pump()
    assert names(pair.hub_events) == ["Reports"]


def test_desired_state_waits_for_the_node() -> None:
    """Credit for entries returns as the node takes its events, and once the hub hears of it."""
    pair = Pair(node_limits=Limits(1024)).open()
    sent = 0
    while pair.hub.can_send(m.PRIORITY_STATE):
        sent += 1
        pair.hub.send_entry(sent, m.KIND_WORKLOAD, "k" * 500, None)
        pair.node.receive(pair.hub.data_to_send(65536), 0)
        pair.node_events.extend(take_events(pair.node))
    assert 8 <= sent <= 12  # four frames of 1024 and what is queued
    pair.pump()
    assert len(pair.node_events) == sent
    assert pair.hub.can_send(m.PRIORITY_STATE)


def test_an_entry_above_the_nodes_bound_is_misuse() -> None:
    pair = Pair(node_limits=Limits(1024)).open()
    assert pair.hub.entry_room() == 1024
    value = {1: "u", 2: "d", 3: "n", 4: "x", 5: {"a": "x" * 1024}, 6: [], 7: 1}
    try:
        pair.hub.send_entry(1, m.KIND_DEVICE, "d/n", value)
    except MisuseError:
        return
    raise AssertionError("sent")


# ---- bulk streams


def test_bulk_never_delays_control_by_more_than_one_frame() -> None:
    """A port that keeps one call's bytes in flight: behind them the stop command is next."""
    pair = Pair(node_limits=Limits(bulk_window_bytes=65536), hub_limits=Limits(bulk_bytes_max=1024)).open()
    stream = pair.node.open_artifact(ARTIFACT, 0)
    pair.pump()
    for round_number in range(20):
        while pair.hub.can_send_bulk(stream):
            pair.hub.artifact_data(stream, bytes(pair.hub.can_send_bulk(stream)))
        in_flight = pair.hub.data_to_send(100_000)
        pair.hub.send_entry(round_number + 1, m.KIND_WORKLOAD, WORKLOAD_KEY, None)
        assert len(in_flight) <= 3 + 1024
        next_frames = frames_in(pair.hub.data_to_send(100_000))
        assert next_frames[0][0] == m.STREAM_STATE
        pair.node.receive(in_flight, 0)
        for number, payload in next_frames:
            pair.node.receive(frame_bytes(number, payload), 0)
        take_events(pair.node)
        pair.hub.receive(pair.node.data_to_send(65536), 0)
        take_events(pair.hub)


def frame_bytes(stream: int, payload: bytes) -> bytes:
    return frame(cbor.decode(payload), stream)  # type: ignore[arg-type]


def open_artifact(pair: Pair) -> int:
    stream = pair.node.open_artifact(ARTIFACT, 0)
    pair.pump()
    return stream


def test_bulk_stops_without_credit_and_goes_on_with_it() -> None:
    pair = Pair(node_limits=Limits(bulk_window_bytes=5000)).open()
    stream = open_artifact(pair)
    sent = 0
    while pair.hub.can_send_bulk(stream):
        size_bytes = pair.hub.can_send_bulk(stream)
        pair.hub.artifact_data(stream, bytes(size_bytes))
        sent += size_bytes
        pair.node.receive(pair.hub.data_to_send(65536), 0)
        take_events(pair.node)
    assert 4900 < sent <= 5000
    pair.pump()
    assert pair.hub.can_send_bulk(stream) == 2048 - 7


def test_a_paused_stream_gets_no_credit() -> None:
    pair = Pair(hub_limits=Limits(bulk_window_bytes=5000)).open()
    stream = pair.hub.open_log("u", "c", -1, True, False, 0)
    pair.hub.pause(stream, True)
    pair.pump()
    sent = 0
    while pair.node.can_send_bulk(stream):
        sent += pair.node.can_send_bulk(stream)
        pair.node.log_data(stream, bytes(pair.node.can_send_bulk(stream)))
        pair.pump()
    assert sent <= 5000
    pair.hub.pause(stream, False)
    pair.pump()
    assert pair.node.can_send_bulk(stream) > 0


def test_the_receiver_cancels_and_what_was_on_its_way_is_dropped() -> None:
    pair = Pair().open()
    stream = open_artifact(pair)
    pair.hub.artifact_data(stream, b"one")
    late = pair.hub.data_to_send(65536)
    pair.hub.artifact_data(stream, b"two")  # still queued when the cancel comes
    pair.node.close_stream(stream, "not_wanted", "replaced")
    pair.node.receive(late, 0)
    pair.pump()
    assert names(pair.node_events) == []
    assert names(pair.hub_events) == ["ArtifactRequest", "StreamClosed"]
    closed = pair.hub_events[1]
    assert (closed.stream, closed.purpose, closed.code, closed.text) == (stream, 1, "not_wanted", "replaced")
    assert pair.hub.can_send_bulk(stream) == 0
    assert pair.node.can_open_stream()


def test_both_close_at_once() -> None:
    pair = Pair().open()
    stream = open_artifact(pair)
    pair.node.close_stream(stream, "not_wanted", "")
    pair.hub.close_stream(stream, "not_found", "")
    pair.pump()
    assert names(pair.node_events) == []
    assert names(pair.hub_events) == ["ArtifactRequest"]
    for _ in range(STREAMS_MAX):
        open_artifact(pair)


def test_a_refused_request() -> None:
    pair = Pair().open()
    stream = open_artifact(pair)
    pair.hub.close_stream(stream, "not_found", "no such artifact")
    pair.pump()
    closed = pair.node_events[0]
    assert (closed.stream, closed.purpose, closed.code) == (stream, m.PURPOSE_ARTIFACT, "not_found")


def test_ids_go_round_and_are_never_used_twice_at_once() -> None:
    pair = Pair().open()
    seen: list[int] = []
    kept = open_artifact(pair)
    for _ in range(300):
        stream = open_artifact(pair)
        assert stream != kept
        assert stream % 2 == 1 and m.STREAM_FIRST_DYNAMIC < stream <= 255
        seen.append(stream)
        pair.hub.close_stream(stream, "", "")
        pair.pump()
    assert len(set(seen)) == 125


def test_each_end_opens_a_bounded_number() -> None:
    pair = Pair().open()
    for _ in range(STREAMS_MAX):
        open_artifact(pair)
    assert not pair.node.can_open_stream()
    try:
        pair.node.open_artifact(ARTIFACT, 0)
    except MisuseError:
        pass
    else:
        raise AssertionError("opened")
    message = {m.TYPE: m.OPEN, 1: 101, 2: m.PURPOSE_ARTIFACT, 3: {1: ARTIFACT, 2: 0}, 4: 100}
    pair.hub.receive(frame(message), 0)
    assert ending(pair.hub) == "too_many_streams"


def test_streams_that_a_peer_may_not_open() -> None:
    parameters = {1: ARTIFACT, 2: 0}
    for number, code in ((6, "invalid_stream"), (7, "")):
        pair = Pair().open()
        pair.hub.receive(frame({m.TYPE: m.OPEN, 1: number, 2: 1, 3: parameters, 4: 100}), 0)
        events = take_events(pair.hub)
        assert names(events) == (["Ended"] if code else ["ArtifactRequest"])
    pair.hub.receive(frame({m.TYPE: m.OPEN, 1: 7, 2: 1, 3: parameters, 4: 100}), 0)
    assert ending(pair.hub) == "invalid_stream"


def test_an_unknown_purpose_is_closed_and_the_session_goes_on() -> None:
    for purpose in (m.PURPOSE_LOG, 77):
        pair = Pair().open()
        parameters: dict[int, Any] = {1: "u", 2: "c", 3: 0, 4: True, 5: True, 6: 0}
        pair.hub.receive(frame({m.TYPE: m.OPEN, 1: 5, 2: purpose, 3: parameters, 4: 100}), 0)
        assert take_events(pair.hub) == []
        number, payload = frames_in(pair.hub.data_to_send(65536))[0]
        answer = cbor.decode(payload)
        assert isinstance(answer, dict)
        assert (number, answer[m.TYPE], answer[1], answer[2]) == (5, m.CLOSE, 5, "unknown_purpose")
        close = {m.TYPE: m.CLOSE, 1: 5, 2: "", 3: ""}
        pair.hub.receive(frame(close) + frame({m.TYPE: m.PING, 1: 1}), 0)
        assert take_events(pair.hub) == []
        assert pair.hub.data_to_send(65536)


def test_what_names_no_stream() -> None:
    for message, number in (
        ({m.TYPE: m.DATA, 1: b"x"}, 5),
        ({m.TYPE: m.CLOSE, 1: 5, 2: "", 3: ""}, 0),
        ({m.TYPE: m.CREDIT, 1: 5, 2: 1}, 0),
    ):
        pair = Pair().open()
        pair.hub.receive(frame(message, number), 0)
        assert ending(pair.hub) == "unknown_stream", message


def test_data_against_the_direction() -> None:
    pair = Pair().open()
    stream = open_artifact(pair)
    pair.hub.receive(frame({m.TYPE: m.DATA, 1: b"x"}, stream), 0)
    assert ending(pair.hub) == "wrong_stream"


def test_data_beyond_credit() -> None:
    pair = Pair(node_limits=Limits(bulk_window_bytes=1000)).open()
    stream = open_artifact(pair)
    pair.node.receive(frame({m.TYPE: m.DATA, 1: bytes(1001)}, stream), 0)
    assert ending(pair.node) == "flow_control"


def test_streams_are_forgotten_once_both_have_closed() -> None:
    streams = Streams(1)
    streams.open_own(1, Window(10))
    assert len(streams.all()) == 1
    streams.forget(streams.all()[0].number)
    assert streams.all() == []
    assert refused(streams.get, 5) == "unknown_stream"


def test_nothing_piles_up_while_the_link_takes_nothing() -> None:
    """A peer that floods with pings and credit is answered when there is room, once."""
    pair = Pair(make_hello(EPOCH)).open()
    pair.node.send_reports(m.LANE_STATE, 3, [(1, report(1))])
    pair.node.send_reports(m.LANE_TELEMETRY, 3, [(1, telemetry(1))])
    for number in range(1000):
        pair.hub.receive(frame({m.TYPE: m.PING, 1: number}), 0)
        assert take_events(pair.hub) == []
    answers = frames_in(pair.hub.data_to_send(65536))
    assert [cbor.decode(payload) for _, payload in answers] == [{m.TYPE: m.PONG, 1: 999}]
