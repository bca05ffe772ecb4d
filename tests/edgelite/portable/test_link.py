"""The link's machine: every cell of its table, and the stories that the cells are for."""

from link_fakes import Bench

from edgelite.effects import Close, Log, Open
from edgelite.journal import SPACE_ADDRESS
from edgelite.link import (
    CLOSING,
    DUE,
    FENCED,
    GREETING,
    LIVE,
    OPENING,
    RESTING,
    STATE_NAMES,
    STOP,
    STOPPED,
    STOPPING,
    TABLE,
    Link,
)
from edgelite_protocol.errors import MisuseError
from edgelite_protocol.events import Ended, Welcomed


def make_live(bench, now_ms):
    """From resting to live, all at `now_ms`."""
    bench.link.step(now_ms)
    bench.link.peer_address = "192.0.2.7"
    bench.link.opened(now_ms)
    bench.session.events.append(Welcomed({}))
    bench.link.received(b"", now_ms)
    assert bench.link.state == LIVE, STATE_NAMES[bench.link.state]
    bench.effects.clear()


def test_table_is_whole():
    assert len(TABLE) == len(STATE_NAMES)
    for row in TABLE:
        assert len(row) == 6
        for action in row:
            assert hasattr(Link, "_do_" + action), action


def test_every_cell_that_is_a_bug_raises():
    for state, row in enumerate(TABLE):
        for event, action in enumerate(row):
            if action != "bug":
                continue
            bench = Bench(Link)
            bench.link.state = state
            try:
                bench.link._fire(event, 0)
            except MisuseError:
                continue
            raise AssertionError((state, event))


def test_first_attempt_is_at_once():
    bench = Bench(Link)
    bench.link.step(1000)
    opens = bench.taken(Open)
    assert len(opens) == 1
    assert opens[0].target == ("tls", "hub.example", 7444)
    assert bench.link.state == OPENING


def test_one_connection_at_a_time():
    bench = Bench(Link)
    for now_ms in range(0, 80_000, 500):
        bench.link.step(now_ms)
    assert len(bench.taken(Open)) == 1


def test_an_attempt_that_hangs_is_given_up():
    bench = Bench(Link)
    bench.link.step(0)
    deadline_ms = bench.link.step(1)
    bench.effects.clear()
    bench.link.step(deadline_ms)
    assert bench.link.state == CLOSING
    assert len(bench.taken(Close)) == 1
    bench.link.closed("closed", deadline_ms + 1)
    assert bench.link.state == RESTING


def test_backoff_doubles_to_the_cap():
    bench = Bench(Link)
    delays = []
    now_ms = 0
    for _ in range(12):
        bench.link.step(now_ms)
        bench.link.closed("refused", now_ms)
        deadline_ms = bench.link.step(now_ms)
        delays.append(deadline_ms - now_ms)
        now_ms = deadline_ms
    assert delays[:5] == [1000, 2000, 4000, 8000, 16000], delays
    assert delays[-1] == 300_000


def test_full_jitter_reaches_down_to_nothing():
    bench = Bench(Link, random=b"\0\0\0\0")
    bench.link.step(0)
    bench.link.closed("refused", 0)
    assert bench.link.step(0) is not None
    assert bench.link.state == OPENING  # the delay drawn was 0


def test_only_a_session_that_lasted_resets_the_backoff():
    bench = Bench(Link)
    now_ms = 0
    for expected_ms in (1000, 2000, 4000):
        make_live(bench, now_ms)
        bench.link.closed("closed by the other end", now_ms + 59_999)
        deadline_ms = bench.link.step(now_ms + 59_999)
        assert deadline_ms - (now_ms + 59_999) == expected_ms
        now_ms = deadline_ms
    make_live(bench, now_ms)
    bench.link.closed("closed by the other end", now_ms + 60_000)
    assert bench.link.step(now_ms + 60_000) - (now_ms + 60_000) == 1000


def test_a_lasting_session_that_says_goodbye_resets_too():
    bench = Bench(Link)
    now_ms = 0
    for _ in range(5):
        bench.link.step(now_ms)
        bench.link.closed("refused", now_ms)
        now_ms = bench.link.step(now_ms)
    make_live(bench, now_ms)
    now_ms += 60_000
    bench.session.events.append(Ended("hub_stopping", "", True))
    bench.link.received(b"", now_ms)
    assert bench.link.state == CLOSING
    bench.link.closed("closed", now_ms)
    assert bench.link.step(now_ms) - now_ms == 1000


def test_a_refusal_slows_down_at_once_and_is_told_once():
    bench = Bench(Link)
    now_ms = 0
    told = 0
    for _ in range(3):
        bench.link.step(now_ms)
        bench.link.opened(now_ms)
        bench.session.events.append(Ended("identity_cloned", "two nodes have this identity", True))
        bench.link.received(b"", now_ms)
        bench.link.closed("closed", now_ms)
        assert bench.link.state == FENCED
        told += len([line for line in bench.taken(Log) if line.level == "error"])
        deadline_ms = bench.link.step(now_ms)
        assert deadline_ms - now_ms == 300_000
        now_ms = deadline_ms
    assert told == 1


def test_what_this_node_cannot_follow_slows_down_too():
    bench = Bench(Link)
    make_live(bench, 0)
    bench.session.end("snapshot_too_large", "no room", 0)
    bench.link.step(0)
    bench.link.closed("closed", 0)
    assert bench.link.state == FENCED
    assert bench.link.step(0) == 300_000


def test_hubs_are_tried_in_turn():
    bench = Bench(Link, hubs=[("one", 1), ("two", 2), ("three", 3)])
    now_ms = 0
    hosts = []
    for _ in range(4):
        bench.link.step(now_ms)
        hosts.append(bench.taken(Open)[0].target[1])
        bench.link.closed("refused", now_ms)
        now_ms = bench.link.step(now_ms)
    assert hosts == ["one", "two", "three", "one"]


def test_a_hub_that_worked_is_tried_first_again():
    bench = Bench(Link, hubs=[("one", 1), ("two", 2)])
    make_live(bench, 0)
    bench.link.closed("closed by the other end", 70_000)
    now_ms = bench.link.step(70_000)
    bench.effects.clear()
    bench.link.step(now_ms)
    assert bench.taken(Open)[0].target[1] == "one"


def test_the_last_good_address_is_kept_and_offered():
    bench = Bench(Link)
    make_live(bench, 0)
    assert bench.journal.values[(SPACE_ADDRESS, "hub.example")] == b"192.0.2.7"
    bench.link.closed("closed by the other end", 70_000)
    bench.link.step(bench.link.step(70_000))
    assert bench.taken(Open)[0].addresses == ["192.0.2.7"]


def test_a_number_is_not_kept_as_an_address():
    bench = Bench(Link, hubs=[("192.0.2.7", 7444)])
    make_live(bench, 0)
    assert bench.journal.values == {}


def test_the_same_reason_is_told_once():
    bench = Bench(Link)
    now_ms = 0
    told = 0
    for _ in range(20):
        bench.link.step(now_ms)
        bench.link.closed("refused", now_ms)
        told += len(bench.taken(Log))
        now_ms = bench.link.step(now_ms)
    assert told == 1


def test_stop_while_live_says_goodbye():
    bench = Bench(Link)
    make_live(bench, 0)
    bench.link.stop(5)
    assert bench.session.ended_by_us == "node_stopping"
    assert len(bench.taken(Close)) == 1
    assert bench.link.state == STOPPING
    bench.link.closed("closed", 6)
    assert bench.link.stopped
    assert bench.link.step(10**9) is None
    assert bench.taken(Open) == []


def test_our_own_stop_is_not_told_as_a_lost_link():
    bench = Bench(Link)
    make_live(bench, 0)
    bench.taken(Log)
    bench.session.events.append(Ended("node_stopping", "", False))
    bench.link.stop(5)
    bench.link.received(b"", 5)
    bench.link.closed("closed", 6)
    assert bench.taken(Log) == []


def test_stop_in_every_state_ends_stopped():
    for state in (RESTING, FENCED, OPENING, GREETING, CLOSING):
        bench = Bench(Link)
        if state in (OPENING, GREETING, CLOSING):
            bench.link.step(0)
        if state == GREETING:
            bench.link.opened(0)
        if state == CLOSING:
            bench.link.step(bench.link.step(1))
        if state == FENCED:
            bench.link.state = FENCED
        bench.link.stop(0)
        if not bench.link.stopped:
            bench.link.closed("closed", 0)
        assert bench.link.state == STOPPED, STATE_NAMES[state]
        bench.link._fire(STOP, 0)
        bench.link._fire(DUE, 0)
        assert bench.link.state == STOPPED


def test_the_owner_hears_of_each_session_that_is_over():
    bench = Bench(Link)
    make_live(bench, 0)
    bench.link.closed("closed by the other end", 1)
    assert bench.owner.over == 1
    assert bench.link.session is None


def test_reconnect_drops_the_session_and_does_not_rest():
    bench = Bench(Link)
    make_live(bench, 0)
    bench.link.reconnect(100)
    bench.link.step(100)
    bench.link.closed("closed", 100)
    bench.effects.clear()
    bench.link.step(100)
    assert len(bench.taken(Open)) == 1
