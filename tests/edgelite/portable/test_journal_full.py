"""A full medium, and one that cannot be read for a while: nothing that is stored is lost, and nothing stops."""

from journal_world import (
    STATE,
    TELEMETRY,
    Randomness,
    World,
    limits,
    power_cycled,
    refused,
    rows,
)
from node_fakes import NodeBench, workload, workload_key

from edgelite.storage import StorageFullError
from edgelite_ports.testing.storage import KEPT, LOST
from edgelite_protocol import messages as m
from edgelite_protocol.errors import PlatformError


def fill_medium(storage) -> None:
    """Others take all that is free."""
    storage._size_bytes_max -= storage.free_bytes()


def free_medium(storage) -> None:
    storage._size_bytes_max = 1 << 30


class Cuts:
    """Writes, and power cuts that tear what is not synced, on a medium that is full."""

    def __init__(self, seed: int) -> None:
        self.random = Randomness(seed + 77)
        self.world = World(seed)
        self.world.settle()
        self.states = [(0, {})]  # (position, all of it then), from the last durable one on
        self.refused = 0
        for _ in range(20 + self.random.number(60)):
            self.write(True)
        fill_medium(self.world.storage)

    def write(self, with_step: bool) -> None:
        state = dict(self.states[-1][1])
        key, value = "key %d" % self.random.number(9), self.random.bytes(self.random.number(200))
        try:
            position = self.world.journal.write([("put", 1, key, value)])
        except StorageFullError:
            self.refused += 1
        else:
            state[key] = value
            self.states.append((position, state))
        if with_step:
            self.step()

    def step(self, passing_ms: int = 1000) -> None:
        self.world.step(passing_ms)
        durable = [state for state in self.states if state[0] <= self.world.journal.durable_position]
        if durable:
            self.states = self.states[len(durable) - 1 :]

    def cut(self, torn_share: int) -> None:
        self.world.journal.flush(self.world.now_ms)
        storage = self.world.storage
        fates: list[object] = []
        for index in range(storage.unsynced_count()):
            size = storage.unsynced_bytes(index)
            if size > 1 and self.random.number(4) < torn_share:
                fates.append(1 + self.random.number(size - 1))
            else:
                fates.append(KEPT if self.random.number(3) else LOST)
        self.world.storage = storage.cut(fates)
        self.world.start()
        assert self.world.facts.damaged == []
        found = self.found()
        assert found in [state for _, state in self.states], "what was durable is not there"
        self.states = [(0, found)]

    def found(self) -> "dict[str, bytes | None]":
        journal = self.world.journal
        return {key: journal.get(1, key) for key in journal.keys(1)}


def test_no_power_cuts_on_a_full_medium_keep_a_journal_from_opening() -> None:
    refused_writes = 0
    for seed in range(6):
        for steps in (0, 1, 4, 10, 35):
            cuts = Cuts(seed)
            for turn in range(8):
                for _ in range(steps):
                    cuts.step()
                for _ in range(3):
                    cuts.write(False)
                cuts.step(0)
                cuts.write(False)
                cuts.cut(turn % 5)
            free_medium(cuts.world.storage)
            cuts.world.settle()
            cuts.step(60000)
            assert cuts.world.journal.trouble is None and cuts.world.journal.may_be_named()
            refused_writes = cuts.refused
            cuts.write(True)
            cuts.world.settle()
            assert cuts.refused == refused_writes
            power_cycled(cuts.world)
            assert cuts.found() == cuts.states[-1][1]


def full_at_the_end() -> World:
    """No file is free, and the last segment has next to no room; the power is cut."""
    world = World(3)
    world.settle()
    fill_medium(world.storage)
    world.journal._telemetry.make_ready = lambda: None
    world.journal._keep_house = lambda now_ms: None
    log = world.journal._state.log
    world.journal._files.free = []
    log.spare = None
    while log.segments[-1].room_bytes() > 76:
        world.write([("put", 1, "a", bytes(4))])
    world.journal.urgent()
    world.step(0)
    world.write([("put", 1, "a", b"torn")])
    world.journal.flush(world.now_ms)
    storage = world.storage
    for name in [name for name in storage.names() if name.endswith(".new")]:
        storage.remove(name)
    count = storage.unsynced_count()
    world.storage = storage.cut([KEPT if size == 0 else 22 for size in map(storage.unsynced_bytes, range(count))])
    fill_medium(world.storage)
    world.start()
    return world


def test_a_start_without_room_for_its_generation_tells_nobody_of_it() -> None:
    world = full_at_the_end()
    journal = world.journal
    assert world.facts.damaged == [] and journal.get(1, "a") == bytes(4)
    assert "no room" in (journal.trouble or "") and not journal.may_be_named()
    assert "no room" in refused(StorageFullError, lambda: journal.write([("put", 1, "a", b"1")]))
    for number in range(3):
        journal.append_report(TELEMETRY, b"%d" % number)
        world.step(70000)
    assert not journal.may_be_named() and journal.take_dropped() == []
    free_medium(world.storage)
    world.settle()
    assert journal.may_be_named() and journal.trouble is None
    assert [row[1] for row in journal.take_dropped()] == [3]
    generation = journal.generation
    world.settle()
    assert power_cycled(world).journal.generation == generation + 1


def test_what_finds_no_room_for_its_copy_is_copied_later() -> None:
    world = World(5)
    world.settle()
    world.write([("put", 1, "kept", b"value")])
    while len(world.journal._state.log.segments) < 2:
        world.write([("put", 2, "a", bytes(200))])
    world.journal.urgent()
    world.settle()
    cleaner = world.journal._cleaner
    cleaner.damaged_id = world.journal._state.log.segments[0].segment_id  # so that it is cleaned
    copy, cleaner._copy = cleaner._copy, no_room
    for _ in range(12):
        world.step(31000)
    cleaner._copy = copy
    for _ in range(20):
        world.step(31000)
    assert world.journal.statistics()["segments_cleaned"] > 0
    assert world.journal.get(1, "kept") == b"value"


def no_room(place, record) -> None:
    raise StorageFullError("no room")


def test_reports_that_cannot_be_read_are_not_passed_over() -> None:
    world = World(2, limits(files=14, telemetry_files=8))
    for number in range(30):
        world.sample(b"sample %d" % number + bytes(150))
        world.report(b"report %d" % number)
        world.step()
    world.settle()
    journal = world.journal
    expected = rows(journal, TELEMETRY), rows(journal, STATE)
    world.storage.reads_fail = "input/output error"
    for lane in (STATE, TELEMETRY):
        assert "input/output" in refused(PlatformError, lambda lane=lane: journal.reports(lane, None, 7))
    generation, sequence = expected[0][3][0]
    journal.acknowledge(TELEMETRY, generation, sequence)
    for _ in range(5):
        world.step(70000)
    assert journal.take_damage() == []
    world.storage.reads_fail = None
    assert (rows(journal, TELEMETRY), rows(journal, STATE)) == (expected[0][4:], expected[1])
    assert journal.backlog(TELEMETRY)[0] == len(expected[0]) - 4
    assert journal.take_damage() == [] and journal.take_dropped() == []


def test_a_medium_that_cannot_be_read_is_told_once_and_stops_nothing() -> None:
    bench = NodeBench().open().run()
    bench.hub.put(m.KIND_WORKLOAD, workload_key("one"), workload("one"))
    bench.run(100)
    bench.drop_link()
    bench.reachable = False
    for number in range(40):
        body = {
            m.REPORT: m.REPORT_TELEMETRY,
            m.TELEMETRY_DEVICE: "default/meter",
            m.TELEMETRY_TIME: bench.node.clock.time(bench.now_ms),
            m.TELEMETRY_VALUES: {"v": number},
        }
        bench.node._outbox.report(TELEMETRY, body, None)
        bench.run(100)
    stored = len(bench.hub.reports)
    bench.storage.reads_fail = "input/output error"
    bench.reachable = True
    bench.hub.put(m.KIND_WORKLOAD, workload_key("two"), workload("two"))
    bench.hub.put(m.KIND_WORKLOAD, workload_key("one"), None)
    bench.run(60000, 500)
    assert len(bench.started) == 2 and bench.node.link.live
    assert len([text for _, text in bench.lines if "cannot be read" in text]) == 1
    assert len(bench.hub.reports) == stored
    bench.storage.reads_fail = None
    bench.run(10000, 500)
    assert len([row for row in bench.hub.reports if row[0] == TELEMETRY]) == 40
    assert bench.lines[-1][1] == "the journal is read again"
    assert not any("damage" in text for _, text in bench.lines)


def test_a_snapshot_that_cannot_be_read_back_is_told_when_it_can() -> None:
    bench = NodeBench()
    bench.hub.put(m.KIND_WORKLOAD, workload_key("one"), workload("one"))
    bench.open()
    bench.storage.reads_fail = "input/output error"
    bench.node.journal.flush(0)
    held = bench.node._desired.snapshot_end

    def flushed(now_ms):
        bench.node.journal.flush(now_ms)
        bench.node.journal.urgent()
        held(now_ms)

    bench.node._desired.snapshot_end = flushed
    bench.run(1000)
    assert bench.started == [] and bench.node._desired.untold
    bench.storage.reads_fail = None
    bench.run(6000, 500)
    assert len(bench.started) == 1 and bench.node._desired.untold == []
