"""Every state with every message, and what a peer may get wrong inside a message that the state admits."""

from protocol_vectors import from_hex, load
from session_pair import (
    DIGEST,
    EPOCH,
    JOURNAL,
    OTHER_EPOCH,
    WORKLOAD_KEY,
    Pair,
    ending,
    frame,
    make_hello,
    make_welcome,
    names,
    report,
    take_events,
)

from edgelite_protocol import cbor, hub_session, join_session, node_session
from edgelite_protocol import messages as m
from edgelite_protocol.errors import MisuseError
from edgelite_protocol.events import Ended
from edgelite_protocol.frames import encode_frame
from edgelite_protocol.hub_session import HUB_TABLE, HubSession
from edgelite_protocol.join_session import JOIN_TABLE, JoinClient
from edgelite_protocol.limits import Limits
from edgelite_protocol.message_tables import MESSAGES, ON_BULK, ON_LANE, ON_STATE
from edgelite_protocol.node_session import NODE_TABLE, NodeSession

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite_protocol.session import Session


def sample_messages() -> "list[tuple[int, bytes]]":
    """(type, frame on the stream where it belongs) of one vector for each type."""
    samples: dict[int, bytes] = {}
    for row in load("messages_valid.json"):
        payload = from_hex(row["hex"])
        message = cbor.decode(payload)
        assert isinstance(message, dict)
        number = message[m.TYPE]
        place = MESSAGES[number][1]
        stream = m.STREAM_CONTROL
        if place in (ON_STATE, ON_LANE):
            stream = m.STREAM_STATE
        elif place == ON_BULK:
            stream = m.STREAM_FIRST_DYNAMIC
        samples.setdefault(number, encode_frame(stream, payload))
    return sorted(samples.items())


def node_in(state: int) -> NodeSession:
    if state == node_session.OPENING:
        return NodeSession(make_hello(), Limits(), 0)
    modes = {node_session.FOLLOWING: m.MODE_DELTA, node_session.FOREIGN: m.MODE_DIVERGED}
    modes[node_session.DIVERGED] = m.MODE_DIVERGED
    pair = Pair().open(modes.get(state, m.MODE_SNAPSHOT))
    if state == node_session.SNAPSHOT:
        pair.hub.snapshot_begin(EPOCH, 9, DIGEST, 1)
    elif state == node_session.DIVERGED:
        pair.hub.snapshot_offer(EPOCH, 7)
    pair.pump()
    return pair.node


def hub_before_welcome(state: int) -> HubSession:
    hub = HubSession(Limits(), 0)
    client = JoinClient(Limits(), 0)
    if state == hub_session.CA_GIVEN:
        client.ask_ca()
    elif state in (hub_session.JOINING, hub_session.LEAVING):
        client.join("id.secret", "node-a", b"csr")
    elif state == hub_session.RENEWING:
        client.renew()
    elif state == hub_session.HELD:
        hub.receive(NodeSession(make_hello(), Limits(), 0).data_to_send(65536), 0)
    hub.receive(client.data_to_send(65536), 0)
    take_events(hub)
    if state == hub_session.LEAVING:
        hub.joined(b"cert", b"ca", "node-a")
    return hub


def hub_in(state: int) -> HubSession:
    if state in HubSession.handshake_states:
        return hub_before_welcome(state)
    modes = {hub_session.FOLLOWING: m.MODE_DELTA}
    for foreign in (hub_session.FOREIGN, hub_session.OFFERED, hub_session.DIVERGED):
        modes[foreign] = m.MODE_DIVERGED
    pair = Pair().open(modes.get(state, m.MODE_SNAPSHOT))
    if state == hub_session.SNAPSHOT:
        pair.hub.snapshot_begin(EPOCH, 9, DIGEST, 1)
    if state in (hub_session.OFFERED, hub_session.DIVERGED):
        pair.hub.snapshot_offer(EPOCH, 7)
    pair.pump()
    if state == hub_session.DIVERGED:
        pair.node.diverged(EPOCH, 0, EPOCH)
    pair.pump()
    return pair.hub


def join_in(state: int) -> JoinClient:
    client = JoinClient(Limits(), 0)
    if state == join_session.CA_ASKED:
        client.ask_ca()
    elif state == join_session.JOIN_ASKED:
        client.join("id.secret", "node-a", b"csr")
    elif state == join_session.RENEW_ASKED:
        client.renew()
    return client


def check_cells(table: "dict[int, dict[int, str]]", make, answers: "tuple[int, ...]") -> None:  # type: ignore[no-untyped-def]
    """`answers` are admitted, yet refused by the same name where nothing asked for them."""
    samples = sample_messages()
    for state in table:
        for number, data in samples:
            session: Session = make(state)
            assert session.state == state
            session.receive(data, 0)
            ends = [event.code for event in take_events(session) if isinstance(event, Ended)]
            refused = ends == ["unexpected_message"]
            assert refused == (number not in table[state] or number in answers), (state, number, ends)


def test_every_cell_of_the_node() -> None:
    check_cells(NODE_TABLE, node_in, (m.PONG, m.RENEWED))


def test_every_cell_of_the_hub() -> None:
    check_cells(HUB_TABLE, hub_in, (m.PONG,))


def test_every_cell_of_joining() -> None:
    check_cells(JOIN_TABLE, join_in, ())


def test_malformed_vectors_end_a_session_by_name() -> None:
    makers: list[Any] = [(node_in, state) for state in NODE_TABLE] + [(hub_in, state) for state in HUB_TABLE]
    makers += [(join_in, state) for state in JOIN_TABLE]
    for row in load("messages_malformed.json"):
        data = encode_frame(m.STREAM_CONTROL, from_hex(row["hex"]))
        ends = set()
        for make, state in makers:
            session = make(state)
            session.receive(data, 0)
            ends.add(ending(session))
            assert session.data_to_send(65536)  # a goodbye says why
            assert session.closed
        assert row["error"] in ends, (row, ends)
        assert ends <= {row["error"], "unexpected_message"}, (row, ends)


# ---- inside messages that the state admits


def hub_gets(message: "dict[int, Any]", stream: int = m.STREAM_CONTROL, state: int = hub_session.FOLLOWING) -> str:
    hub = hub_in(state)
    hub.receive(frame(message, stream), 0)
    return ending(hub)


def node_gets(message: "dict[int, Any]", stream: int = m.STREAM_CONTROL, state: int = node_session.FOLLOWING) -> str:
    node = node_in(state)
    node.receive(frame(message, stream), 0)
    return ending(node)


def test_unsupported_versions() -> None:
    hello = make_hello()
    hello.update({m.TYPE: m.HELLO, m.HELLO_MAJOR: 2, m.HELLO_MINOR: 0, m.HELLO_FRAME_BYTES_MAX: 4096})
    assert hub_gets(hello, state=hub_session.WAITING) == "unsupported_version"
    welcome = make_welcome()
    welcome.update({m.TYPE: m.WELCOME, m.WELCOME_MAJOR: 2, m.WELCOME_MINOR: 0, m.WELCOME_FRAME_BYTES_MAX: 4096})
    welcome.update({m.WELCOME_STORED: [], m.WELCOME_KEEPALIVE_REST_MS: 1000, m.WELCOME_KEEPALIVE_BUSY_MS: 1000})
    assert node_gets(welcome, state=node_session.OPENING) == "unsupported_version"


def test_a_newer_minor_version_is_served() -> None:
    hello = make_hello()
    hello.update({m.TYPE: m.HELLO, m.HELLO_MAJOR: 1, m.HELLO_MINOR: 9, m.HELLO_FRAME_BYTES_MAX: 4096, 77: "new"})
    hub = HubSession(Limits(), 0)
    hub.receive(frame(hello), 0)
    assert names(take_events(hub)) == ["Hello"]


def test_wrong_streams() -> None:
    assert node_gets({m.TYPE: m.PING, 1: 1}, m.STREAM_STATE) == "wrong_stream"
    assert node_gets({m.TYPE: m.PING, 1: 1}, m.STREAM_TELEMETRY) == "wrong_stream"
    assert node_gets({m.TYPE: m.PING, 1: 1}, 3) == "wrong_stream"
    assert node_gets({m.TYPE: m.ENTRY, 1: 1, 2: 1, 3: "k"}, m.STREAM_CONTROL) == "wrong_stream"
    reports = {m.TYPE: m.REPORTS, 1: m.LANE_STATE, 2: 1, 3: [[1, report(1)]]}
    assert hub_gets(reports, m.STREAM_TELEMETRY) == "wrong_stream"
    assert hub_gets({m.TYPE: m.DATA, 1: b"x"}, m.STREAM_CONTROL) == "wrong_stream"


def test_modes_that_do_not_fit_the_epoch_held() -> None:
    """A hub that got this wrong would remove what runs."""
    for held, mode, code in (
        (None, m.MODE_DELTA, "foreign_epoch"),
        (None, m.MODE_DIVERGED, "foreign_epoch"),
        (OTHER_EPOCH, m.MODE_DELTA, "foreign_epoch"),
        (OTHER_EPOCH, m.MODE_SNAPSHOT, "foreign_epoch"),
        (None, m.MODE_SNAPSHOT, ""),
        (EPOCH, m.MODE_DELTA, ""),
        (EPOCH, m.MODE_SNAPSHOT, ""),
        (EPOCH, m.MODE_DIVERGED, ""),  # the same epoch, yet ahead of the hub's history
        (OTHER_EPOCH, m.MODE_DIVERGED, ""),
    ):
        pair = Pair(make_hello(held))
        pair.pump()
        pair.hub.welcome(make_welcome(mode))
        pair.pump()
        ends = [event.code for event in pair.node_events if isinstance(event, Ended)]
        assert ends == ([code] if code else []), (held, mode)


def test_entries_out_of_order() -> None:
    for revision in (2, 7):
        assert node_gets({m.TYPE: m.ENTRY, 1: revision, 2: 1, 3: "k"}, m.STREAM_STATE) == "out_of_order"
    node = Pair(make_hello(EPOCH, 5)).open().node
    node.receive(frame({m.TYPE: m.ENTRY, 1: 5, 2: 1, 3: "k"}, m.STREAM_STATE), 0)
    assert ending(node) == "out_of_order"


def test_snapshots_that_do_not_add_up() -> None:
    end = {m.TYPE: m.SNAPSHOT_END, 1: 9}
    deleted = {m.TYPE: m.SNAPSHOT_BEGIN, 1: OTHER_EPOCH, 2: 9, 3: DIGEST, 4: 1}
    assert node_gets(end, m.STREAM_STATE, node_session.SNAPSHOT) == "snapshot_count"
    assert node_gets(deleted, m.STREAM_STATE, node_session.AWAITING) == "foreign_epoch"
    assert node_gets({m.TYPE: m.ADOPT, 1: OTHER_EPOCH}, state=node_session.DIVERGED) == "foreign_epoch"
    empty = {m.TYPE: m.SNAPSHOT_BEGIN, 1: EPOCH, 2: 9, 3: DIGEST, 4: 0}
    for message, code in (
        ({m.TYPE: m.SNAPSHOT_END, 1: 8}, "snapshot_count"),
        (
            {m.TYPE: m.SNAPSHOT_ENTRY, 1: 2, 2: "k", 3: {1: "u", 2: "n", 3: "n", 4: "d", 5: {}, 6: [], 7: 1}},
            "snapshot_count",
        ),
    ):
        node = node_in(node_session.AWAITING)
        node.receive(frame(empty, m.STREAM_STATE) + frame(message, m.STREAM_STATE), 0)
        assert ending(node) == code
    old = Pair(make_hello(EPOCH, 12)).open().node
    old.receive(frame(empty, m.STREAM_STATE), 0)
    assert ending(old) == "out_of_order"


def test_reports_out_of_order() -> None:
    hub = hub_in(hub_session.FOLLOWING)
    second = {m.TYPE: m.REPORTS, 1: 0, 2: 2, 3: [[2, report(2)]]}
    hub.receive(frame(second, m.STREAM_STATE), 0)
    assert names(take_events(hub)) == ["Reports"]
    hub.receive(frame(second, m.STREAM_STATE), 0)
    assert ending(hub) == "out_of_order"
    earlier = {m.TYPE: m.REPORTS, 1: 0, 2: 1, 3: [[9, report(9)]]}
    hub = hub_in(hub_session.FOLLOWING)
    hub.receive(frame(second, m.STREAM_STATE) + frame(earlier, m.STREAM_STATE), 0)
    assert ending(hub) == "out_of_order"
    later = {m.TYPE: m.REPORTS, 1: 0, 2: 4, 3: [[1, report(1)]]}
    assert hub_gets(later, m.STREAM_STATE) == "out_of_order"  # the hello said generation 3


def test_applied_out_of_order() -> None:
    assert hub_gets({m.TYPE: m.APPLIED, 1: EPOCH, 2: 1, 3: DIGEST}) == "out_of_order"
    assert hub_gets({m.TYPE: m.APPLIED, 1: OTHER_EPOCH, 2: 0, 3: DIGEST}) == "foreign_epoch"
    pair = Pair(make_hello(EPOCH, 5)).open()
    pair.hub.receive(frame({m.TYPE: m.APPLIED, 1: EPOCH, 2: 4, 3: DIGEST}), 0)
    assert ending(pair.hub) == "out_of_order"


def test_acknowledgements_out_of_order() -> None:
    assert node_gets({m.TYPE: m.ACKNOWLEDGE, 1: 0, 2: 3, 3: 1}) == "out_of_order"
    for generation, sequence, code in ((3, 6, "out_of_order"), (4, 1, "out_of_order"), (3, 5, ""), (2, 99, "")):
        pair = Pair().open()
        pair.node.send_reports(m.LANE_STATE, 3, [(4, report(4)), (5, report(5))])
        pair.node.receive(frame({m.TYPE: m.ACKNOWLEDGE, 1: 0, 2: generation, 3: sequence}), 0)
        ends = [event.code for event in take_events(pair.node) if isinstance(event, Ended)]
        assert ends == ([code] if code else []), (generation, sequence)
    pair = Pair().open()
    pair.node.send_reports(m.LANE_STATE, 3, [(4, report(4)), (5, report(5))])
    fifth, fourth = ({m.TYPE: m.ACKNOWLEDGE, 1: 0, 2: 3, 3: sequence} for sequence in (5, 4))
    pair.node.receive(frame(fifth) * 2 + frame(fourth), 0)
    events = take_events(pair.node)
    assert names(events) == ["Acknowledged", "Acknowledged", "Ended"]
    assert events[2].code == "out_of_order"  # type: ignore[attr-defined]


def test_diverged_answers_the_offer() -> None:
    message = {m.TYPE: m.DIVERGED, 1: OTHER_EPOCH, 2: 1, 3: OTHER_EPOCH}
    assert hub_gets(message, state=hub_session.OFFERED) == "foreign_epoch"


def test_a_second_renewal_waits_for_the_first() -> None:
    hub = hub_in(hub_session.FOLLOWING)
    hub.receive(frame({m.TYPE: m.RENEW}) * 2, 0)
    events = take_events(hub)
    assert names(events) == ["RenewRequest", "Ended"]
    assert events[1].code == "unexpected_message"  # type: ignore[attr-defined]


def test_the_callers_own_faults() -> None:
    pair = Pair().open()
    hub, node = pair.hub, pair.node
    for action, arguments in (
        (hub.send_entry, (2, 1, WORKLOAD_KEY, None)),
        (hub.snapshot_begin, (OTHER_EPOCH, 1, DIGEST, 0)),
        (hub.snapshot_entry, (1, WORKLOAD_KEY, {})),
        (hub.snapshot_end, (1,)),
        (hub.snapshot_offer, (EPOCH, 1)),
        (hub.adopt, (EPOCH,)),
        (hub.welcome, (make_welcome(),)),
        (hub.join_ca, (b"ca",)),
        (hub.joined, (b"c", b"ca", "n")),
        (hub.renewed, (b"c",)),
        (hub.artifact_data, (5, b"x")),
        (node.log_data, (4, b"x")),
        (node.diverged, (EPOCH, 0, EPOCH)),
        (node.send_reports, (0, 3, [])),
        (node.send_reports, (0, 3, [(1, {0: 7, 1: "x" * 5000})])),
    ):
        try:
            action(*arguments)
        except MisuseError:
            continue
        raise AssertionError(action)


def test_journal_of_the_hello_is_not_named_again() -> None:
    pair = Pair().open()
    pair.node.send_reports(m.LANE_STATE, 3, [(1, report(1))], JOURNAL)
    sent = pair.node.data_to_send(65536)
    assert cbor.decode(sent[3:]) == {0: m.REPORTS, 1: 0, 2: 3, 3: [[1, report(1)]]}
