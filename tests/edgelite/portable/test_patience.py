"""A full medium stops neither supervisor nor devices nor the state lane: what finds no room waits."""

from node_fakes import NodeBench, workload, workload_key

from edgelite.outbox import WAITING_MAX, Outbox
from edgelite.patience import PatientJournal
from edgelite.storage import StorageFullError
from edgelite_protocol import cbor
from edgelite_protocol import messages as m
from edgelite_protocol.errors import CorruptionError


class FullJournal:
    """A journal that has room or not, as the test says."""

    def __init__(self):
        self.full = False
        self.position = 0
        self.generation = 3
        self.values = {}
        self.groups = []
        self.reports = []

    def get(self, space, key):
        return self.values.get((space, key))

    def keys(self, space):
        return [key for place, key in sorted(self.values) if place == space]

    def write(self, changes):
        if self.full:
            raise StorageFullError("no room")
        self.groups.append(changes)
        self.position += 1
        for change in changes:
            self.values.pop((change[1], change[2]), None)
            if change[0] == "put":
                self.values[(change[1], change[2])] = change[3]
        return self.position

    def append_report(self, lane, body, key):
        if self.full:
            raise StorageFullError("no room")
        self.reports.append((key, body))

    def urgent(self):
        pass

    def take_dropped(self):
        return []

    def take_damage(self):
        return []


def test_reads_see_what_waits():
    journal = FullJournal()
    patient = PatientJournal(journal)
    patient.write([("put", 3, "kept", b"1"), ("put", 3, "goes", b"2")])
    journal.full = True
    patient.write([("put", 3, "new", b"3"), ("put", 3, "kept", b"4"), ("delete", 3, "goes")])
    assert patient.keys(3) == ["kept", "new"]
    assert (patient.get(3, "kept"), patient.get(3, "goes"), patient.get(3, "new")) == (b"4", None, b"3")
    assert journal.keys(3) == ["goes", "kept"]


def test_it_is_written_when_there_is_room_again():
    journal = FullJournal()
    patient = PatientJournal(journal)
    journal.full = True
    for number in range(100):
        patient.write([("put", 3, "same", b"%d" % number)])
    patient.step()
    journal.full = False
    patient.step()
    assert journal.groups == [[("put", 3, "same", b"99")]]
    patient.step()
    assert len(journal.groups) == 1


def test_a_damaged_value_counts_as_absent_and_is_told_once():
    journal = FullJournal()
    patient = PatientJournal(journal)
    patient.write([("put", 3, "bad", b"1"), ("put", 3, "good", b"2")])
    read = journal.get

    def damaged(space, key):
        if key == "bad" and (space, key) in journal.values:
            raise CorruptionError("segment 1", "does not validate")
        return read(space, key)

    journal.get = damaged
    assert (patient.get(3, "bad"), patient.get(3, "good")) == (None, b"2")
    assert patient.take_damage() == ["segment 1: does not validate"]
    assert patient.get(3, "bad") is None
    assert patient.take_damage() == []
    assert patient.keys(3) == ["good"]


def test_reports_of_state_wait_and_the_newest_of_a_key_counts():
    journal = FullJournal()
    outbox = Outbox(journal)
    journal.full = True
    for number in range(3):
        outbox.report(m.LANE_STATE, {m.REPORT: m.REPORT_WORKLOAD, 1: number}, "w/one")
        outbox.report(m.LANE_STATE, {m.REPORT: m.REPORT_WORKLOAD, 1: number}, "w/two")
    journal.full = False
    outbox.step()
    assert [(key, cbor.decode(body)[1]) for key, body in journal.reports] == [("w/one", 2), ("w/two", 2)]


def test_what_waits_is_bounded():
    journal = FullJournal()
    outbox = Outbox(journal)
    journal.full = True
    for number in range(WAITING_MAX * 3):
        outbox.report(m.LANE_STATE, {m.REPORT: m.REPORT_DAMAGE, 1: str(number)}, None)
    journal.full = False
    outbox.step()
    assert len(journal.reports) == WAITING_MAX


def test_a_node_whose_journal_is_full_runs_on_and_does_not_acknowledge():
    bench = NodeBench().open().run()
    bench.hub.put(m.KIND_WORKLOAD, workload_key("one"), workload("one"))
    bench.run(1500)
    applied = len(bench.hub.applied)
    write, append = bench.node.journal.write, bench.node.journal.append_report

    def no_room(*_):
        raise StorageFullError("no room")

    bench.node.journal.write = bench.node.journal.append_report = no_room
    bench.hub.put(m.KIND_WORKLOAD, workload_key("two"), workload("two"))
    bench.node.supervisor.exited("uid-one/main", 1, 0, bench.now_ms)
    bench.run(20_000, step_ms=500)
    assert bench.started.count("uid-one/main") >= 2, "restarts go on"
    assert len(bench.hub.applied) == applied, "what is not journaled is not acknowledged"
    assert [line for line in bench.lines if line[0] == "error" and "snapshot_too_large" in line[1]]
    bench.node.journal.write, bench.node.journal.append_report = write, append
    bench.run(400_000, step_ms=2000)
    assert "uid-two/main" in bench.started
    assert bench.hub.applied[-1][1] == 2
