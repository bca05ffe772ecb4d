"""The node as a whole: what a hub desires runs and is acknowledged; what is reported is stored once; offline."""

from node_fakes import EPOCH, UNIX_MS, FakeHub, NodeBench, workload, workload_key

from edgelite_protocol import messages as m
from edgelite_protocol.errors import CorruptionError


def live_bench():
    return NodeBench().open().run()


def put_workload(hub, name, **options):
    hub.put(m.KIND_WORKLOAD, workload_key(name), workload(name, **options))


def test_hello_says_who_and_how_far():
    bench = live_bench()
    hello = bench.hub.hellos[0]
    assert hello[m.HELLO_NODE] == "kitchen"
    assert hello[m.HELLO_REVISION] == 0
    assert m.HELLO_EPOCH not in hello
    assert hello[m.HELLO_CAPABILITIES]["runtimes"] == ["process"]
    assert len(hello[m.HELLO_BOOT_ID]) == 16
    assert bench.node.link.live


def test_no_hello_before_the_first_sync():
    """It tells this start's generation, and how far the feed was read back: a power cut must not take either back."""
    bench = NodeBench()
    bench.syncs_held = True
    bench.open().run(3000)
    assert bench.hub.hellos == []
    bench.release_syncs()
    put_workload(bench.hub, "one")
    bench.run(100)
    assert len(bench.hub.hellos) == 1

    bench = bench.restarted()
    bench.syncs_held = True
    bench.run(3000)
    assert len(bench.hub.hellos) == 1
    bench.release_syncs()
    bench.run(100)
    assert bench.hub.hellos[-1][m.HELLO_REVISION] == 1


def test_a_medium_that_fails_from_the_start_keeps_no_node_out_of_reach():
    bench = live_bench()
    put_workload(bench.hub, "one")
    bench.run(100)
    bench = bench.restarted()
    bench.syncs_held = True
    bench.run(100)
    for token in bench.held:
        bench.node.sync_failed(token, "input/output error", bench.now_ms)
    bench.run(100)
    assert bench.hub.hellos[-1][m.HELLO_REVISION] == 1 and len(bench.hub.hellos) == 2
    assert bench.node.link.live
    assert any("cannot be written" in text for _, text in bench.lines)


def test_an_entry_is_applied_then_acknowledged():
    bench = live_bench()
    put_workload(bench.hub, "one")
    bench.run(100)
    assert bench.started == ["uid-one/main"]
    assert bench.hub.applied[-1] == (EPOCH, 1, bench.hub.feed[0][4])


def test_an_entry_is_not_acknowledged_before_it_is_durable():
    bench = live_bench()
    before = list(bench.hub.applied)
    bench.syncs_held = True
    put_workload(bench.hub, "one")
    bench.run(3000)
    assert bench.started == ["uid-one/main"], "a card that stalls holds up no start"
    assert bench.hub.applied == before
    bench.release_syncs()
    bench.run(100)
    assert bench.hub.applied[-1][1] == 1


def test_an_entry_that_became_durable_between_two_sessions_is_acknowledged():
    """Its session ended while the card stalled; the next one must not wait for another entry."""
    bench = live_bench()
    bench.syncs_held = True
    put_workload(bench.hub, "one")
    bench.run(100)
    bench.drop_link()
    bench.run(5000)
    bench.release_syncs()
    bench.run(100)
    assert bench.hub.applied[-1][1] == 1


def test_one_sync_acknowledges_many_entries():
    bench = live_bench()
    count = len(bench.hub.applied)
    bench.syncs_held = True
    for number in range(20):
        put_workload(bench.hub, "w%d" % number)
    bench.run(100)
    bench.release_syncs()
    bench.run(100)
    assert bench.hub.applied[-1][1] == 20
    assert len(bench.hub.applied) - count <= 3


def test_everything_runs_again_without_a_link():
    bench = live_bench()
    put_workload(bench.hub, "one")
    bench.run(1100)
    again = bench.restarted(power_cut=True)
    again.reachable = False
    again.run(1000)
    assert not again.node.link.live
    assert "uid-one" in str(again.node.supervisor.summary())
    assert again.node._desired.cursor.revision == 1


def test_a_delta_follows_a_restart():
    bench = live_bench()
    put_workload(bench.hub, "one")
    bench.run(1100)
    again = bench.restarted()
    put_workload(bench.hub, "two")
    again.run(2000)
    hello = bench.hub.hellos[-1]
    assert (hello[m.HELLO_EPOCH], hello[m.HELLO_REVISION]) == (EPOCH, 1)
    assert hello[m.HELLO_GENERATION] == bench.hub.hellos[0][m.HELLO_GENERATION] + 1
    assert hello[m.HELLO_INSTANCE] != bench.hub.hellos[0][m.HELLO_INSTANCE]
    assert again.started == ["uid-two/main"], "the first one is found again, not started"


def test_a_snapshot_changes_only_what_differs():
    bench = live_bench()
    for name in ("stays", "changes", "goes"):
        put_workload(bench.hub, name)
    bench.run(100)
    bench.hub.feed = []
    put_workload(bench.hub, "stays")
    put_workload(bench.hub, "changes", command="/bin/false")
    put_workload(bench.hub, "comes")
    bench.started.clear()
    told = []
    apply = bench.node._desired._apply
    bench.node._desired._apply = lambda kind, key, value, now_ms: (told.append(key), apply(kind, key, value, now_ms))
    with_snapshot(bench)
    assert sorted(told) == sorted([workload_key(name) for name in ("changes", "comes", "goes")])
    assert "uid-stays/main" not in bench.started
    assert bench.node._desired.cursor.revision == 3


def with_snapshot(bench):
    """Reconnect to a hub that has compacted its feed and sends a snapshot of the same epoch."""
    hub = bench.hub
    begin = hub._Hello

    def hello_with_snapshot(event, now_ms):
        saved = event.hello.pop(m.HELLO_EPOCH)
        begin(event, now_ms)
        event.hello[m.HELLO_EPOCH] = saved

    hub._Hello = hello_with_snapshot
    bench.drop_link()
    bench.run(5000)


def test_a_snapshot_that_breaks_off_changes_nothing():
    bench = live_bench()
    put_workload(bench.hub, "one")
    bench.run(100)
    node = bench.node
    session = node.link.session
    desired = node._desired
    from edgelite_protocol.events import SnapshotBegin, SnapshotEntry

    desired.snapshot_begin(session, SnapshotBegin(EPOCH, 9, bytes(8), 2), bench.now_ms)
    desired.snapshot_entry(SnapshotEntry(m.KIND_WORKLOAD, workload_key("two"), workload("two")))
    bench.run(1100)
    again = bench.restarted(power_cut=True)
    again.reachable = False
    again.run(100)
    assert again.node._desired.cursor.revision == 1
    assert again.started + [row for row in again.node.supervisor.summary() if "two" in str(row)] == []


def test_a_foreign_hub_removes_nothing_until_it_is_adopted():
    bench = live_bench()
    put_workload(bench.hub, "one")
    bench.run(1100)
    other = FakeHub()
    other.epoch = b"\x02" * 8
    put_workload(other, "two")
    bench.hub = other
    bench.drop_link()
    bench.run(5000)
    assert other.diverged == [(EPOCH, 1, other.epoch)]
    assert bench.started == ["uid-one/main"]
    assert bench.node._desired.cursor.epoch == EPOCH
    other.adopt()
    bench.run(200)
    assert bench.node._desired.cursor.epoch == other.epoch
    assert bench.started == ["uid-one/main", "uid-two/main"]
    assert other.applied[-1][:2] == (other.epoch, 1)


def test_reports_reach_the_hub_once_across_restarts():
    bench = live_bench()
    for number in range(3):
        bench.reachable = number != 1
        for count in range(40):
            report_sample(bench, number * 100 + count)
        bench.run(2000)
        bench = bench.restarted()
    bench.run(5000)
    values = [row[3][m.TELEMETRY_VALUES]["v"] for row in bench.hub.reports if row[0] == m.LANE_TELEMETRY]
    assert values == [number * 100 + count for number in range(3) for count in range(40)]


def report_sample(bench, value):
    body = {
        m.REPORT: m.REPORT_TELEMETRY,
        m.TELEMETRY_DEVICE: "default/meter",
        m.TELEMETRY_TIME: bench.node.clock.time(bench.now_ms),
        m.TELEMETRY_VALUES: {"v": value},
    }
    bench.node._outbox.report(m.LANE_TELEMETRY, body, None)


def test_nothing_is_sent_before_it_is_synced():
    bench = live_bench()
    bench.syncs_held = True
    report_sample(bench, 7)
    bench.run(3000)
    assert [row for row in bench.hub.reports if row[0] == m.LANE_TELEMETRY] == []
    bench.release_syncs()
    bench.run(100)
    assert [row[3][m.TELEMETRY_VALUES] for row in bench.hub.reports if row[0] == m.LANE_TELEMETRY] == [{"v": 7}]


def test_an_agent_that_is_killed_loses_no_reading():
    """Its storage outlives it, though nothing was synced."""
    bench = live_bench()
    report_sample(bench, 6)
    bench.run(3000)
    bench.syncs_held = True
    report_sample(bench, 7)
    bench.run()
    again = bench.restarted()
    again.run(3000)
    values = [row[3][m.TELEMETRY_VALUES]["v"] for row in again.hub.reports if row[0] == m.LANE_TELEMETRY]
    assert values == [6, 7]


def test_acknowledged_reports_leave_the_journal():
    bench = live_bench()
    for number in range(30):
        report_sample(bench, number)
    bench.run(3000)
    assert bench.node.journal.backlog(m.LANE_TELEMETRY)[0] == 0


def test_what_the_hub_has_stored_is_not_sent_again():
    """The acknowledgement was lost with the link; the welcome says what is stored."""
    bench = live_bench()
    bench.hub.session.acknowledge = lambda *_: None
    report_sample(bench, 1)
    bench.run(2000)
    assert bench.node.journal.backlog(m.LANE_TELEMETRY)[0] == 1
    bench.drop_link()
    bench.run(5000)
    assert bench.node.journal.backlog(m.LANE_TELEMETRY)[0] == 0
    assert len([row for row in bench.hub.reports if row[0] == m.LANE_TELEMETRY]) == 1


def test_an_artifact_comes_in_pieces_and_goes_on_after_a_cut():
    data = bytes([index & 0xFF for index in range(60_000)])
    digest = b"\x07" * 32
    bench = live_bench()
    bench.hub.artifacts[digest] = data
    put_workload(bench.hub, "big", digest=digest, size_bytes=len(data))
    session_turns = 0
    while not bench.artifacts.partial.get(digest) and session_turns < 100:
        bench.node.step(bench.now_ms)
        bench._effects()
        bench._shuttle()
        session_turns += 1
    got = len(bench.artifacts.partial[digest])
    assert 0 < got < len(data)
    bench.drop_link()
    bench.run(5000)
    assert bench.artifacts.partial[digest] == data
    assert digest in bench.artifacts.installed
    assert bench.started == ["uid-big/main"]


def test_an_artifact_that_the_hub_lacks_is_asked_for_again():
    digest = b"\x07" * 32
    bench = live_bench()
    put_workload(bench.hub, "big", digest=digest, size_bytes=10)
    bench.run(1000)
    assert any("not_found" in text for _, text in bench.lines)
    bench.hub.artifacts[digest] = b"0123456789"
    bench.run(30_000, step_ms=500)
    assert bench.started == ["uid-big/main"]


def test_a_missing_artifact_holds_up_no_other():
    good, missing = b"\x09" * 32, b"\x01" * 32
    bench = live_bench()
    bench.hub.artifacts[good] = b"0123456789"
    put_workload(bench.hub, "stuck", digest=missing, size_bytes=10)
    bench.run(100)
    put_workload(bench.hub, "fine", digest=good, size_bytes=10)
    bench.run(500)
    assert bench.started == ["uid-fine/main"]


def test_artifacts_that_nobody_names_are_collected():
    digest = b"\x07" * 32
    bench = live_bench()
    bench.hub.artifacts[digest] = b"0123456789"
    put_workload(bench.hub, "one", digest=digest, size_bytes=10)
    bench.run(500)
    assert digest in bench.artifacts.partial
    bench.hub.put(m.KIND_WORKLOAD, workload_key("one"), None)
    bench.run(5000)
    assert digest not in bench.artifacts.partial


def test_logs_are_streamed_and_followed():
    bench = live_bench()
    put_workload(bench.hub, "one")
    bench.run(100)
    bench.logs.data = b"x" * 50_000
    stream = bench.hub.session.open_log("uid-one", "main", -1, True, False, 0)
    bench.run(200)
    assert bench.hub.logs == b"x" * 50_000
    bench.logs.readers[0].data = b"later"
    bench.run(1100)
    assert bench.hub.logs.endswith(b"later")
    bench.hub.session.close_stream(stream, "", "")
    bench.run(200)
    assert bench.logs.readers[0].is_closed


def test_the_certificate_is_renewed_when_the_hub_says_so():
    bench = NodeBench()
    bench.hub.welcome_extra = {m.WELCOME_RENEW: True}
    bench.open().run()
    assert bench.certificates == [b"a new certificate"]
    assert bench.node.link.live


def test_an_expired_certificate_renews_first():
    bench = NodeBench()
    bench.hub.refusal = "certificate_expired"
    bench.open().run()
    assert bench.certificates == []
    bench.run(1000)
    assert bench.certificates[0] == b"a new certificate"
    bench.hub.refusal = None
    bench.run(20_000, step_ms=100)
    assert bench.node.link.live


def test_a_sample_before_the_first_welcome_carries_the_boot():
    bench = NodeBench()
    bench.reachable = False
    bench.open().run(100)
    assert bench.node.clock.time(bench.now_ms) == [bench.now_ms, m.TIME_MONOTONIC, b"\x42" * 16]
    bench.reachable = True
    bench.run(5000)
    assert bench.node.clock.time(bench.now_ms) == [UNIX_MS + bench.now_ms, m.TIME_UNIX]


def test_the_offset_outlives_the_agent_within_a_boot():
    bench = live_bench()
    bench.run(1100)
    again = bench.restarted()
    assert again.node.clock.time(5000) == [UNIX_MS + 5000, m.TIME_UNIX]
    other_boot = NodeBench(again.storage.reopen(), boot_id=b"\x43" * 16).open()
    assert other_boot.node.clock.offset_ms is None
    assert other_boot.node.clock.floor_ms >= UNIX_MS


def test_stop_syncs_and_says_goodbye():
    bench = live_bench()
    report_sample(bench, 1)
    bench.node.stop(bench.now_ms)
    bench.run(100)
    assert bench.node.stopped
    assert bench.channel is None


def test_an_idle_node_sleeps():
    """At rest nothing but the keepalive wakes it."""
    bench = live_bench()
    put_workload(bench.hub, "one")
    bench.run(400_000, step_ms=1000)
    steps = 0
    now_ms = bench.now_ms
    end_ms = now_ms + 3_600_000
    while now_ms < end_ms:
        deadline_ms = bench.node.step(now_ms)
        bench.now_ms = now_ms
        bench._settle()
        deadline_ms = bench.node.step(now_ms)
        assert deadline_ms > now_ms
        now_ms = deadline_ms
        steps += 1
    assert steps < 40, steps


def test_a_refused_node_keeps_its_workloads():
    bench = live_bench()
    put_workload(bench.hub, "one")
    bench.run(100)
    bench.hub.refusal = "node_revoked"
    bench.drop_link()
    bench.run(20_000, step_ms=200)
    assert bench.started == ["uid-one/main"]
    assert len([line for line in bench.lines if line[0] == "error"]) == 1


def test_an_older_copy_renames_its_reports_and_loses_none():
    """A restored card image: the original has gone on, so names of this generation may be used up."""
    original = live_bench()
    original.run(1100)
    image = original.storage.reopen()
    for number in range(5):
        report_sample(original, number)
    original.run(2000)
    original.node.stop(original.now_ms)
    original.run(100)
    original = original.restarted()
    report_sample(original, 5)
    original.run(2000)
    copy = NodeBench(image, original.hub, original.random)
    copy.random.count += 500
    copy.reachable = False
    copy.open()
    report_sample(copy, 100)
    copy.run(2000)
    copy.hub.welcome_extra = {m.WELCOME_NEW_JOURNAL: True}
    copy.hub.stored_of_hello = copy.hub.stored
    copy.hub.stored = {}
    copy.reachable = True
    old_id = copy.node.journal.journal_id
    copy.run(5000)
    report_sample(copy, 101)
    copy.run(2000)
    new_id = copy.node.journal.journal_id
    assert new_id != old_id
    assert copy.hub.hellos[-1][m.HELLO_JOURNAL_ID] == old_id
    values = [row[3][m.TELEMETRY_VALUES]["v"] for row in copy.hub.reports if row[0] == m.LANE_TELEMETRY]
    assert values == [0, 1, 2, 3, 4, 5, 100, 101]
    assert copy.hub.journals[-1] == new_id


def test_after_damage_the_hub_is_asked_for_the_whole_feed():
    bench = live_bench()
    for name in ("one", "two"):
        put_workload(bench.hub, name)
    bench.run(1100)
    again = bench.restarted()
    again.started.clear()
    told = []
    apply = again.node._desired._apply
    again.node._desired._apply = lambda kind, key, value, now_ms: (told.append(key), apply(kind, key, value, now_ms))
    again.node._desired.restore(True, again.now_ms)
    told.clear()
    again.node.journal.write([("delete", 1, "1/" + workload_key("two"))])
    again.run(5000)
    assert bench.hub.hellos[-1][m.HELLO_REVISION] == 0
    assert bench.hub.hellos[-1][m.HELLO_EPOCH] == EPOCH
    assert told == [workload_key("two")], "what is the same is not touched"
    assert again.node._desired.cursor.revision == 2


def test_a_damaged_cursor_costs_a_snapshot_and_no_workload():
    bench = live_bench()
    put_workload(bench.hub, "one")
    bench.run(1100)
    again = bench.restarted()
    read = again.node.journal.get

    def damaged(space, key):
        if key == "cursor":
            raise CorruptionError("segment 1", "does not validate")
        return read(space, key)

    again.node.journal.get = damaged
    lost = again.node._desired.__class__(again.node.journal, lambda *_: None).restore(False, again.now_ms)
    assert lost == ["segment 1: does not validate"]
    assert again.node.supervisor.summary()


def test_damage_is_asked_about_until_the_hub_has_answered():
    """The second start finds nothing damaged any more: what was is cleaned away."""
    bench = live_bench()
    for name in ("one", "two"):
        put_workload(bench.hub, name)
    bench.run(1100)
    again = bench.restarted()
    again.node._desired.restore(True, again.now_ms)
    again.node.journal.write([("delete", 1, "1/" + workload_key("one"))])
    again.node.journal.urgent()
    again.node.journal.step(again.now_ms)
    again._effects()
    third = again.restarted()
    assert third.node._desired.is_incomplete and third.node.supervisor.keeps_unknown
    third.run(5000)
    assert bench.hub.hellos[-1][m.HELLO_REVISION] == 0
    assert third.node._desired.cursor.revision == 2
    assert sorted(third.node.journal.keys(1)) == ["1/" + workload_key("one"), "1/" + workload_key("two")]


def test_hello_tells_no_acknowledgement_of_another_journal_id():
    bench = live_bench()
    put_workload(bench.hub, "one")
    bench.run(5000)
    assert bench.node._hello(0)[m.HELLO_ACKNOWLEDGED]
    bench.node.journal.new_journal_id()
    assert bench.node._hello(0)[m.HELLO_ACKNOWLEDGED] == []
