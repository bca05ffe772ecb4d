"""Whole conversations of both ends, in pieces of any size, with garbage behind them."""

from session_pair import (
    ARTIFACT,
    DIGEST,
    EPOCH,
    JOURNAL,
    OTHER_EPOCH,
    WORKLOAD,
    WORKLOAD_KEY,
    Pair,
    frame,
    make_hello,
    make_welcome,
    names,
    report,
    take_events,
    telemetry,
)

from edgelite_protocol import cbor
from edgelite_protocol import messages as m
from edgelite_protocol.digest import entry_digest
from edgelite_protocol.errors import MisuseError
from edgelite_protocol.hub_session import HubSession
from edgelite_protocol.join_session import JoinClient
from edgelite_protocol.limits import Limits

PIECES_BYTES = (1, 2, 3, 7, 65536)


def expect_misuse(function, *arguments) -> None:  # type: ignore[no-untyped-def]
    try:
        function(*arguments)
    except MisuseError:
        return
    raise AssertionError("taken")


def test_hello_and_welcome() -> None:
    for piece_bytes in PIECES_BYTES:
        pair = Pair(piece_bytes=piece_bytes)
        pair.pump()
        assert names(pair.hub_events) == ["Hello"]
        hello = pair.hub_events[0].hello
        assert (hello[m.HELLO_NODE], hello[m.HELLO_MAJOR], hello[m.HELLO_FRAME_BYTES_MAX]) == ("node-a", 1, 4096)
        pair.hub.welcome(make_welcome())
        pair.pump()
        assert names(pair.node_events) == ["Welcomed"]
        assert pair.node_events[0].welcome[m.WELCOME_KEEPALIVE_REST_MS] == 240_000


def test_entries_and_applied() -> None:
    for piece_bytes in PIECES_BYTES:
        pair = Pair(piece_bytes=piece_bytes).open()
        pair.hub.send_entry(1, m.KIND_WORKLOAD, WORKLOAD_KEY, cbor.encode(WORKLOAD))
        pair.hub.send_entry(2, m.KIND_WORKLOAD, WORKLOAD_KEY, None)
        pair.pump()
        first, second = pair.node_events
        assert (first.revision, first.key, first.value) == (1, WORKLOAD_KEY, WORKLOAD)
        assert first.digest == entry_digest(1, m.KIND_WORKLOAD, WORKLOAD_KEY, cbor.encode(WORKLOAD))
        assert (second.revision, second.value) == (2, None)
        assert second.digest == entry_digest(2, m.KIND_WORKLOAD, WORKLOAD_KEY, None)
        pair.node.applied(EPOCH, 2, second.digest)
        pair.pump()
        applied = pair.hub_events[0]
        assert (applied.epoch, applied.revision, applied.digest) == (EPOCH, 2, second.digest)


def test_snapshot_and_the_delta_behind_it() -> None:
    for piece_bytes in PIECES_BYTES:
        pair = Pair(make_hello(None), piece_bytes=piece_bytes).open(m.MODE_SNAPSHOT)
        pair.hub.snapshot_begin(EPOCH, 9, DIGEST, 1)
        pair.hub.snapshot_entry(m.KIND_WORKLOAD, WORKLOAD_KEY, WORKLOAD)
        pair.pump()
        pair.hub.snapshot_end(9)
        pair.hub.send_entry(10, m.KIND_WORKLOAD, WORKLOAD_KEY, None)
        pair.pump()
        assert names(pair.node_events) == ["SnapshotBegin", "SnapshotEntry", "SnapshotEnd", "Entry"]
        begin, entry, _end, following = pair.node_events
        assert (begin.epoch, begin.revision, begin.digest, begin.count) == (EPOCH, 9, DIGEST, 1)
        assert (entry.kind, entry.key, entry.value) == (m.KIND_WORKLOAD, WORKLOAD_KEY, WORKLOAD)
        assert following.revision == 10


def test_foreign_history_waits_for_a_person() -> None:
    for piece_bytes in PIECES_BYTES:
        pair = Pair(make_hello(OTHER_EPOCH, 41), piece_bytes=piece_bytes).open(m.MODE_DIVERGED)
        expect_misuse(pair.hub.send_entry, 42, m.KIND_WORKLOAD, WORKLOAD_KEY, None)
        expect_misuse(pair.hub.snapshot_begin, EPOCH, 1, DIGEST, 0)
        expect_misuse(pair.hub.adopt, EPOCH)
        pair.hub.snapshot_offer(EPOCH, 7)
        pair.pump()
        assert names(pair.node_events) == ["SnapshotOffer"]
        pair.node.diverged(OTHER_EPOCH, 41, EPOCH)
        pair.node.send_reports(m.LANE_STATE, 3, [(1, report(1))])
        pair.pump()
        assert names(pair.hub_events) == ["Diverged", "Reports"]
        expect_misuse(pair.hub.snapshot_begin, EPOCH, 1, DIGEST, 0)
        pair.hub.adopt(EPOCH)
        pair.hub.snapshot_begin(EPOCH, 7, DIGEST, 0)
        pair.hub.snapshot_end(7)
        pair.pump()
        assert names(pair.node_events) == ["SnapshotOffer", "Adopt", "SnapshotBegin", "SnapshotEnd"]
        pair.node.applied(EPOCH, 7, DIGEST)
        pair.pump()
        assert names(pair.hub_events)[2:] == ["Applied"]


def test_reports_and_acknowledgements() -> None:
    for piece_bytes in PIECES_BYTES:
        pair = Pair(piece_bytes=piece_bytes).open()
        pair.node.send_reports(m.LANE_STATE, 2, [(8, report(8)), (9, cbor.encode(report(9)))])
        pair.node.send_reports(m.LANE_TELEMETRY, 3, [(1, telemetry(1))])
        pair.pump()
        state, samples = pair.hub_events
        assert (state.lane, state.generation, state.journal, state.sequence_last) == (0, 2, JOURNAL, 9)
        assert state.items == [(8, report(8)), (9, report(9))]
        assert (samples.lane, samples.items) == (1, [(1, telemetry(1))])
        pair.hub.acknowledge(0, 2, 9)
        pair.pump()
        event = pair.node_events[0]
        assert (event.lane, event.generation, event.sequence, event.journal) == (0, 2, 9, None)


def test_reports_of_an_older_journal_come_first() -> None:
    pair = Pair().open()
    pair.node.send_reports(m.LANE_STATE, 9, [(5, report(5))], b"journal0")
    pair.pump()
    pair.node.send_reports(m.LANE_STATE, 3, [(1, report(1))], JOURNAL)
    pair.pump()
    assert [event.journal for event in pair.hub_events] == [b"journal0", JOURNAL]
    pair.hub.acknowledge(0, 9, 5, b"journal0")
    pair.hub.acknowledge(0, 3, 1, JOURNAL)
    pair.pump()
    assert [event.journal for event in pair.node_events] == [b"journal0", None]


def test_reports_of_unknown_kinds_are_left_out_and_covered() -> None:
    pair = Pair().open()
    pair.node.send_reports(m.LANE_STATE, 3, [(1, report(1)), (2, {m.REPORT: 900})])
    pair.pump()
    assert (pair.hub_events[0].items, pair.hub_events[0].sequence_last) == ([(1, report(1))], 2)


def test_artifact_from_an_offset() -> None:
    data = bytes(range(256)) * 40
    for piece_bytes in PIECES_BYTES:
        pair = Pair(piece_bytes=piece_bytes).open()
        stream = pair.node.open_artifact(ARTIFACT, 100)
        pair.pump()
        request = pair.hub_events[0]
        assert (request.stream, request.digest, request.offset) == (stream, ARTIFACT, 100)
        offset = request.offset
        while offset < len(data):
            size_bytes = pair.hub.can_send_bulk(stream)
            if size_bytes:
                pair.hub.artifact_data(stream, data[offset : offset + size_bytes])
                offset += size_bytes
            pair.pump()
        pair.hub.close_stream(stream, "", "")
        pair.pump()
        received = b""
        for event in pair.node_events[:-1]:
            assert event.offset == 100 + len(received)
            received += event.data
        assert received == data[100:]
        closed = pair.node_events[-1]
        assert (closed.stream, closed.purpose, closed.code) == (stream, m.PURPOSE_ARTIFACT, "")


def test_log_for_the_hub() -> None:
    for piece_bytes in PIECES_BYTES:
        pair = Pair(piece_bytes=piece_bytes).open()
        stream = pair.hub.open_log("uid", "main", 10, True, False, 5)
        pair.pump()
        request = pair.node_events[0]
        assert (request.uid, request.container, request.tail_lines, request.since_ms) == ("uid", "main", 10, 5)
        assert (request.follow, request.previous) == (True, False)
        pair.node.log_data(stream, b"one\n")
        pair.node.log_data(stream, b"two\n")
        pair.pump()
        pair.node.close_stream(stream, "", "")
        pair.pump()
        assert names(pair.hub_events) == ["LogData", "LogData", "StreamClosed"]
        assert b"".join([event.data for event in pair.hub_events[:2]]) == b"one\ntwo\n"


def test_renewal_inside_a_session() -> None:
    pair = Pair().open()
    pair.node.renew()
    pair.node.renew()  # asks once
    pair.pump()
    assert names(pair.hub_events) == ["RenewRequest"]
    pair.hub.renewed(b"certificate")
    pair.pump()
    assert pair.node_events[0].certificate == b"certificate"


def run_join(client: JoinClient, hub: HubSession, answer) -> "tuple[list[object], list[object]]":  # type: ignore[no-untyped-def]
    """Let the client ask, `answer` act at the hub, and the client end it; what each end saw."""
    hub.receive(client.data_to_send(65536), 0)
    at_hub = take_events(hub)
    answer()
    client.receive(hub.data_to_send(65536), 0)
    at_client = take_events(client)
    client.end("", "", 0)
    hub.receive(client.data_to_send(65536), 0)
    assert client.closed
    assert names(take_events(hub)) == ["Ended"]
    return at_hub, at_client


def test_joining() -> None:
    client, hub = JoinClient(Limits(), 0), HubSession(Limits(), 0)
    client.ask_ca()
    asked, offered = run_join(client, hub, lambda: hub.join_ca(b"ca"))
    assert names(asked) == ["JoinCaRequest"]
    assert offered[0].certificate == b"ca"  # type: ignore[attr-defined]

    client, verified = JoinClient(Limits(), 0), HubSession(Limits(), 0)
    client.join("id.secret", "node-a", b"csr")
    requested, joined = run_join(client, verified, lambda: verified.joined(b"cert", b"ca", "node-a"))
    request, answer = requested[0], joined[0]
    assert (request.token, request.node, request.csr) == ("id.secret", "node-a", b"csr")  # type: ignore[attr-defined]
    assert (answer.certificate, answer.ca, answer.node) == (b"cert", b"ca", "node-a")  # type: ignore[attr-defined]


def test_renewal_with_a_certificate_that_has_ended() -> None:
    client, hub = JoinClient(Limits(), 0), HubSession(Limits(), 0)
    client.renew()
    asked, renewed = run_join(client, hub, lambda: hub.renewed(b"cert"))
    assert names(asked) == ["RenewRequest"]
    assert renewed[0].certificate == b"cert"  # type: ignore[attr-defined]


def test_refusal_to_join() -> None:
    client, hub = JoinClient(Limits(), 0), HubSession(Limits(), 0)
    client.join("id.secret", "node-a", b"csr")
    hub.receive(client.data_to_send(65536), 0)
    take_events(hub)
    hub.end("token_expired", "the token has expired", 0)
    client.receive(hub.data_to_send(65536), 0)
    ended = take_events(client)[0]
    assert (ended.code, ended.by_peer) == ("token_expired", True)  # type: ignore[attr-defined]


def test_goodbye_is_sent_behind_what_control_holds() -> None:
    pair = Pair().open()
    pair.node.send_reports(m.LANE_STATE, 3, [(1, report(1))])
    pair.node.renew()
    pair.node.end("node_stopping", "reboot", 0)
    assert not pair.node.closed
    pair.pump()
    assert names(pair.hub_events) == ["RenewRequest", "Ended"]
    ended = pair.hub_events[1]
    assert (ended.code, ended.text, ended.by_peer) == ("node_stopping", "reboot", True)
    assert names(pair.node_events) == ["Ended"]
    assert not pair.node_events[0].by_peer
    assert pair.node.closed and pair.hub.closed


def test_actions_on_an_ended_session_do_nothing() -> None:
    pair = Pair().open()
    pair.node.send_reports(m.LANE_STATE, 3, [(1, report(1))])
    pair.pump()
    pair.hub.end("", "", 0)
    pair.pump()
    pair.hub.acknowledge(0, 3, 1)
    pair.hub.send_entry(1, m.KIND_WORKLOAD, WORKLOAD_KEY, None)
    pair.hub.renewed(b"late")
    pair.hub.close_stream(5, "", "")
    pair.node.applied(EPOCH, 0, DIGEST)
    pair.node.renew()
    pair.node.diverged(EPOCH, 0, EPOCH)
    assert (pair.node.can_report(0), pair.node.can_send_bulk(5), pair.hub.can_send(0)) == (False, 0, False)
    assert pair.node.data_to_send(100) == b""
    assert pair.hub.data_to_send(100) == b""


def test_end_of_the_link_counts_what_came_before() -> None:
    pair = Pair().open()
    pair.node.send_reports(m.LANE_STATE, 3, [(1, report(1))])
    pair.hub.receive(pair.node.data_to_send(65536) + b"\x00\x05", 0)
    pair.hub.receive_eof(0)
    events = take_events(pair.hub)
    assert names(events) == ["Reports", "Ended"]
    assert (events[1].code, events[1].by_peer) == ("link_lost", True)  # type: ignore[attr-defined]
    assert pair.hub.closed


def test_garbage_behind_a_conversation_ends_it_by_name() -> None:
    cases = (
        (b"\x00\x00", "frame_empty"),
        (b"\xff\xff", "frame_too_long"),
        (b"\x00\x03\x00\xff\xff", "cbor_indefinite_length"),
    )
    for garbage, code in cases:
        pair = Pair().open()
        pair.node.send_reports(m.LANE_STATE, 3, [(1, report(1))])
        data = pair.node.data_to_send(65536) + garbage + frame({m.TYPE: m.PING, 1: 1})
        for start in range(len(data)):
            pair.hub.receive(data[start : start + 1], 0)
            pair.hub_events.extend(take_events(pair.hub))
        assert names(pair.hub_events) == ["Reports", "Ended"]
        assert (pair.hub_events[1].code, pair.hub_events[1].by_peer) == (code, False)
        pair.node.receive(pair.hub.data_to_send(65536), 0)
        told = take_events(pair.node)
        assert (told[0].code, told[0].by_peer) == (code, True)  # type: ignore[attr-defined]
        assert pair.hub.closed
