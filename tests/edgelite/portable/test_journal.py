"""What the journal promises its callers, on both runtimes."""

from journal_world import SEGMENT_BYTES, STATE, TELEMETRY, World, power_cycled, refused, restarted, rows, workload

from edgelite_protocol.errors import MisuseError

# ---- keys


def test_what_is_written_is_there_at_once_and_after_a_power_cut() -> None:
    world = World()
    world.write([("put", 1, "a", b"1"), ("put", 1, "b", b""), ("put", 2, "a", b"other")])
    assert world.journal.get(1, "a") == b"1"
    world.settle()
    power_cycled(world)
    assert not world.facts.fresh
    assert world.facts.damaged == []
    assert world.journal.get(1, "a") == b"1"
    assert world.journal.get(1, "b") == b""
    assert world.journal.get(2, "a") == b"other"
    assert world.journal.get(1, "c") is None
    assert world.journal.keys(1) == ["a", "b"]
    assert world.journal.keys(4) == []


def test_the_newest_value_counts_and_a_deleted_key_is_gone() -> None:
    world = World()
    world.write([("put", 1, "a", b"1"), ("put", 1, "b", b"1")])
    world.write([("put", 1, "a", b"2"), ("delete", 1, "b"), ("delete", 1, "never there")])
    world.settle()
    power_cycled(world)
    assert world.journal.get(1, "a") == b"2"
    assert world.journal.keys(1) == ["a"]


def test_promote_replaces_a_space_with_another_and_empties_that() -> None:
    world = World()
    world.write([("put", 1, "old", b"1"), ("put", 1, "both", b"1")])
    world.write([("put", 2, "new", b"2"), ("put", 2, "both", b"2")])
    world.write([("promote", 2, 1), ("put", 0, "cursor", b"7")])
    world.settle()
    for _ in range(2):
        assert world.journal.keys(1) == ["both", "new"]
        assert world.journal.get(1, "both") == b"2"
        assert world.journal.keys(2) == []
        power_cycled(world)
    world.write([("promote", 2, 1)])
    assert world.journal.keys(1) == [], "promoting an empty space empties the other"


def test_nothing_to_write_is_no_change() -> None:
    world = World()
    world.settle()
    assert world.journal.write([]) == world.journal.position
    assert world.journal.step(world.now_ms) is None


def test_misuse_is_named_and_changes_nothing() -> None:
    world = World()
    for changes in (
        [("put", 1, "a")],
        [("put", 255, "a", b"")],
        [("put", -1, "a", b"")],
        [("put", 1, b"a", b"")],
        [("put", 1, "a", "text")],
        [("put", 1, "a", None)],
        [("delete", 1)],
        [("promote", 1, 256)],
        [("move", 1, 2)],
        [()],
        [("put", 1, "good", b"1"), ("put", 1, "a", "text")],
        [("put", 1, "a", bytes(SEGMENT_BYTES))],
        [("put", 1, "a", bytes(3000)), ("put", 1, "b", bytes(3000))],
    ):
        refused(MisuseError, lambda changes=changes: world.journal.write(changes))
    refused(MisuseError, lambda: world.journal.append_report(2, b""))
    assert world.journal.keys(1) == []


def test_a_key_and_a_value_of_almost_a_segment_fit() -> None:
    world = World()
    world.write([("put", 1, "k" * 500, bytes(3300))])
    world.settle()
    power_cycled(world)
    assert world.journal.get(1, "k" * 500) == bytes(3300)


# ---- durability


def test_a_position_is_durable_when_its_sync_has_completed() -> None:
    world = World()
    world.settle()
    position = world.journal.write([("put", 1, "a", b"1")])
    assert world.journal.durable_position < position
    assert world.journal.step(world.now_ms) == world.now_ms + 1000, "it waits for company"
    world.now_ms += 1000
    world.journal.step(world.now_ms)
    token = world.effects.pop(0).token  # type: ignore[attr-defined]
    assert world.journal.durable_position < position
    world.storage.sync()
    world.journal.synced(token, world.now_ms)
    assert world.journal.durable_position >= position


def test_what_is_urgent_is_synced_at_the_next_step() -> None:
    world = World()
    world.settle()
    world.journal.write([("put", 1, "a", b"1")])
    world.journal.step(world.now_ms)
    assert world.effects == []
    world.journal.urgent()
    world.journal.step(world.now_ms)
    assert len(world.effects) == 1


def test_one_sync_is_in_flight_and_what_came_later_waits_for_the_next() -> None:
    world = World()
    world.settle()
    first = world.journal.write([("put", 1, "a", b"1")])
    world.journal.urgent()
    world.journal.step(world.now_ms)
    second = world.journal.write([("put", 1, "a", b"2")])
    world.journal.urgent()
    assert world.journal.step(world.now_ms) is None
    assert len(world.effects) == 1
    world.complete()
    assert first <= world.journal.durable_position < second
    world.settle()
    assert world.journal.durable_position >= second


def test_a_token_that_is_not_in_flight_makes_nothing_durable() -> None:
    world = World()
    position = world.journal.position
    for token in (0, 1, 99):
        world.journal.synced(token, 0)
        world.journal.sync_failed(token, "late", 0)
    assert world.journal.durable_position < position
    assert world.journal.trouble is None


def test_a_failed_sync_is_tried_again_ever_more_patiently() -> None:
    world = World()
    world.settle()
    position = world.journal.write([("put", 1, "a", b"1")])
    world.journal.urgent()
    delays = []
    for _ in range(8):
        world.sync_results = ["input/output error"]
        deadline_ms = world.journal.step(world.now_ms)
        while not world.effects:
            assert deadline_ms is not None and deadline_ms > world.now_ms
            delays.append(deadline_ms - world.now_ms)
            world.now_ms = deadline_ms
            deadline_ms = world.journal.step(world.now_ms)
        world.complete()
        assert world.journal.durable_position < position
        assert world.journal.trouble == "input/output error"
    assert delays == [1000, 2000, 4000, 8000, 16000, 32000, 60000]
    assert world.journal.get(1, "a") == b"1"
    world.settle()
    assert world.journal.trouble is None
    assert world.journal.durable_position >= position
    assert world.journal.statistics()["sync_failures"] == 8


def test_a_failed_sync_writes_its_pages_again() -> None:
    """After an error a system may hold pages for clean that never got to the medium."""
    world = World()
    world.settle()
    world.write([("put", 1, "a", b"1")])
    world.sync_results = ["input/output error"]
    world.journal.urgent()
    world.step()
    written = [-1 if operation[0] == "create" else -2 for operation in world.storage._unsynced]
    world.now_ms += 60000
    world.journal.step(world.now_ms)
    again = world.storage.unsynced_count() - len(written)
    assert again >= 3, "the record, and both headers of the segment that was made ahead"
    world.storage = world.storage.cut(written + [-1] * again)
    assert b"ELJ1" in world.storage.read("s00000002.new", 0, 4)
    world.start()
    assert world.journal.get(1, "a") == b"1"


def test_a_failing_write_is_tried_again_and_stops_nothing() -> None:
    world = World()
    world.settle()
    position = world.write([("put", 1, "a", b"1")])
    world.storage.writes_fail = "input/output error"
    world.step()
    world.step()
    assert "input/output error" in (world.journal.trouble or "")
    assert world.journal.durable_position < position
    world.storage.writes_fail = None
    world.settle()
    assert world.journal.durable_position >= position
    power_cycled(world)
    assert world.journal.get(1, "a") == b"1"


def test_an_idle_journal_writes_nothing_and_wants_nothing() -> None:
    world = World()
    workload(world, 60)
    world.settle()
    written = world.storage.bytes_written
    operations = world.storage.operations
    for _ in range(100):
        world.now_ms += 100000
        assert world.journal.step(world.now_ms) is None
    assert world.effects == []
    assert (world.storage.bytes_written, world.storage.operations) == (written, operations)


# ---- identity


def test_a_first_start_is_fresh_and_a_second_is_not() -> None:
    world = World()
    assert world.facts.fresh
    world.settle()
    journal_id, generation, instance = world.journal.journal_id, world.journal.generation, world.journal.instance
    assert (len(journal_id), len(instance), generation) == (8, 8, 1)
    power_cycled(world)
    assert not world.facts.fresh
    assert world.journal.journal_id == journal_id
    assert world.journal.generation == 2
    assert world.journal.instance != instance


def test_a_generation_is_never_used_twice_once_a_report_of_it_could_be_sent() -> None:
    world = World()
    seen = set()
    for _ in range(20):
        assert world.journal.generation not in seen
        world.sample(b"x")
        world.step()
        world.step()
        if rows(world.journal, TELEMETRY):
            seen.add(world.journal.generation)
        power_cycled(world)
    assert len(seen) >= 10


def test_a_new_journal_id_names_what_comes_after_it() -> None:
    world = World()
    old = world.journal.journal_id
    world.report(b"one")
    world.sample(b"two")
    world.journal.new_journal_id()
    new = world.journal.journal_id
    assert new != old
    world.report(b"three")
    world.sample(b"four")
    world.settle()
    power_cycled(world)
    world.settle()
    assert world.journal.journal_id == new
    for lane, bodies in ((STATE, [b"one", b"three"]), (TELEMETRY, [b"two", b"four"])):
        assert world.journal.reports_journal(lane) == old
        assert [body for _, body in rows(world.journal, lane)] == bodies[:1], "never rows of two ids"
        world.acknowledge(lane, 1)
        assert world.journal.reports_journal(lane) == new
        assert [body for _, body in rows(world.journal, lane)] == bodies[1:]


def test_an_older_copy_renames_what_it_made_since_it_was_opened() -> None:
    world = World()
    old = world.journal.journal_id
    world.report(b"before")
    world.sample(b"before")
    world.settle()
    power_cycled(world)
    world.report(b"since")
    world.sample(b"since")
    generation = world.journal.generation
    world.journal.rename_generation()
    new = world.journal.journal_id
    assert new != old
    assert world.journal.generation == generation
    world.settle()
    power_cycled(world)
    world.settle()
    for lane in (STATE, TELEMETRY):
        assert world.journal.reports_journal(lane) == old
        assert [body for _, body in rows(world.journal, lane)] == [b"before"]
        world.acknowledge(lane, 1)
        assert world.journal.reports_journal(lane) == new
        assert [body for _, body in rows(world.journal, lane)] == [b"since"]


# ---- outbox


def test_reports_come_in_order_once_they_are_synced() -> None:
    world = World()
    world.settle()
    names = [world.sample(b"s%d" % number) for number in range(20)]
    assert world.journal.reports(TELEMETRY, None, 5) == []
    world.settle()
    assert [name for name, _ in world.journal.reports(TELEMETRY, None, 5)] == names[:5]
    assert [name for name, _ in world.journal.reports(TELEMETRY, names[4], 5)] == names[5:10]
    assert world.journal.reports(TELEMETRY, names[19], 5) == []
    assert rows(world.journal, TELEMETRY) == [(name, b"s%d" % number) for number, name in enumerate(names)]
    assert names == sorted(names)


def test_a_report_is_not_given_out_before_its_own_sync_has_completed() -> None:
    world = World()
    for passing in range(2):  # in a new segment, and behind what is durable in it
        for lane, append in ((STATE, world.report), (TELEMETRY, world.sample)):
            world.settle()
            name = append(b"%d" % passing)
            assert name not in [row[0] for row in rows(world.journal, lane)], "it is not even written"
            world.journal.urgent()
            world.journal.step(world.now_ms)
            assert name not in [row[0] for row in rows(world.journal, lane)], "its sync is in flight"
            world.journal.synced(world.effects[0].token + 1, world.now_ms)  # type: ignore[attr-defined]
            assert name not in [row[0] for row in rows(world.journal, lane)], "another sync"
            world.settle()
            assert rows(world.journal, lane)[-1][0] == name


def test_the_sequence_is_one_for_both_lanes() -> None:
    world = World()
    names = [world.report(b"a"), world.sample(b"b"), world.report(b"c")]
    assert names == [(1, 1), (1, 2), (1, 3)]


def test_a_newer_report_supersedes_an_older_one_with_its_key() -> None:
    world = World()
    world.report(b"first", "w/1")
    world.report(b"other", "w/2")
    world.report(b"no key")
    world.report(b"second", "w/1")
    world.settle()
    for _ in range(2):
        assert [body for _, body in rows(world.journal, STATE)] == [b"other", b"no key", b"second"]
        assert world.journal.backlog(STATE)[0] == 3
        power_cycled(world)
        world.settle()


def test_acknowledged_reports_are_gone_and_stay_gone() -> None:
    world = World()
    for number in range(10):
        world.sample(b"t%d" % number)
        world.report(b"s%d" % number, "k/%d" % number)
    world.settle()
    world.acknowledge(TELEMETRY, 4)
    world.acknowledge(STATE, 7)
    world.settle()
    for _ in range(2):
        assert [body for _, body in rows(world.journal, TELEMETRY)] == [b"t%d" % number for number in range(4, 10)]
        assert [body for _, body in rows(world.journal, STATE)] == [b"s%d" % number for number in range(7, 10)]
        assert world.journal.backlog(TELEMETRY)[0] == 6
        assert world.journal.backlog(STATE)[0] == 3
        assert world.journal.acknowledged() == [[STATE, 1, 14], [TELEMETRY, 1, 7]]
        power_cycled(world)
        world.settle()


def test_an_acknowledgement_waits_for_company_and_is_written_in_the_end() -> None:
    world = World()
    world.sample(b"x")
    world.settle()
    syncs = world.storage.syncs
    world.acknowledge(TELEMETRY, 1)
    assert world.journal.step(world.now_ms) == world.now_ms + 5000
    assert world.storage.syncs == syncs
    world.settle()
    assert world.storage.syncs == syncs + 1
    power_cycled(world)
    assert world.journal.acknowledged() == [[TELEMETRY, 1, 1]]


def test_an_acknowledgement_from_the_future_reaches_no_further_than_what_was_sent() -> None:
    world = World()
    world.sample(b"sent")
    world.settle()
    world.sample(b"not synced")
    world.journal.acknowledge(TELEMETRY, 99, 99)
    world.settle()
    assert [body for _, body in rows(world.journal, TELEMETRY)] == [b"not synced"]
    world.sample(b"later")
    world.settle()
    assert [body for _, body in rows(world.journal, TELEMETRY)] == [b"not synced", b"later"]


def test_an_old_acknowledgement_changes_nothing() -> None:
    world = World()
    for number in range(4):
        world.sample(b"%d" % number)
    world.settle()
    world.acknowledge(TELEMETRY, 3)
    world.journal.acknowledge(TELEMETRY, 1, 1)
    world.journal.acknowledge(TELEMETRY, 0, 99)
    assert world.journal.acknowledged() == [[TELEMETRY, 1, 3]]


def test_reading_resumes_anywhere() -> None:
    world = World()
    names = []
    for number in range(60):
        names.append(world.sample(b"%d" % number + bytes(200)))
        world.step()
    world.settle()
    for start in (0, 17, 30, 58, 3):
        found = world.journal.reports(TELEMETRY, names[start], 4)
        assert [name for name, _ in found] == names[start + 1 : start + 5]


def test_a_telemetry_segment_that_never_got_its_file_is_not_called_missing() -> None:
    """Its id was recorded with the generation before anything of it was on the medium."""
    world = World()
    world.settle()
    world.sample(b"x")
    world.journal.urgent()
    world.step(0)  # syncs the headers of the telemetry stream's first segment, and nothing in it
    world.journal.new_journal_id()
    world.journal.step(world.now_ms)
    world.storage = world.storage.cut([-1])  # the state stream's record gets there, the segment does not
    world.start()
    assert world.facts.damaged == []


def test_a_burst_of_telemetry_before_the_first_sync_is_no_lost_journal() -> None:
    """It was written ahead of the state stream's first segment, and then the process died."""
    world = World()
    for _ in range(6):
        world.sample(bytes(1500))
    world.sync_results = ["input/output error"]
    world.step()
    restarted(world)
    assert world.facts.damaged == []
    world.settle()
    assert world.journal.durable_position > 0
