"""Any sequence of uses, restarts, failing syncs and power cuts, against a model of dicts and lists."""

from contextlib import suppress

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from journal_world import SPACES, STATE, TELEMETRY, Model, World, check_recovered, contents, limits, rows

from edgelite.journal import KEEP_NEWEST, KEEP_OLDEST, THIN_OUT
from edgelite.storage import StorageFullError
from edgelite_ports.testing.storage import KEPT, LOST

keys = st.sampled_from(["a", "b", "c", "key with a longer name"])
spaces = st.sampled_from(SPACES)
values = st.builds(lambda size, mark: bytes([mark]) * size, st.sampled_from([0, 3, 40, 700]), st.integers(0, 255))
puts = st.tuples(st.just("put"), spaces, keys, values)
deletes = st.tuples(st.just("delete"), spaces, keys)
promotes = st.sampled_from([("promote", 2, 1), ("promote", 3, 0)])
changes = st.lists(st.one_of(puts, puts, deletes, promotes), min_size=1, max_size=4)
fates = st.one_of(
    st.just(KEPT), st.just(LOST), st.integers(0, 600), st.tuples(st.integers(0, 300), st.integers(1, 900))
)


class JournalMachine(RuleBasedStateMachine):
    @initialize(seed=st.integers(0, 1000), policy=st.sampled_from([KEEP_NEWEST, KEEP_OLDEST, THIN_OUT]))
    def begin(self, seed: int, policy: int) -> None:
        self.world = World(seed, limits(policy, 4, 12))
        self.generations = {self.world.journal.generation}

    @rule(what=changes)
    def write(self, what: list[tuple]) -> None:  # type: ignore[type-arg]
        with suppress(StorageFullError):  # then nothing has changed, which the invariant sees
            self.world.write(what)

    @rule(size=st.sampled_from([0, 30, 900]), key=st.sampled_from([None, "w/1", "w/2"]))
    def report(self, size: int, key: str | None) -> None:
        with suppress(StorageFullError):
            self.world.report(bytes([len(self.world.model.bodies) & 255]) * size, key)

    @rule(size=st.sampled_from([10, 120, 1500]), count=st.integers(1, 8))
    def sample(self, size: int, count: int) -> None:
        for _ in range(count):
            self.world.sample(bytes([len(self.world.model.bodies) & 255]) * size)

    @rule(lane=st.sampled_from([STATE, TELEMETRY]), count=st.integers(1, 20))
    def acknowledge(self, lane: int, count: int) -> None:
        self.world.acknowledge(lane, count)
        acknowledged = {lane: (g, s) for lane, g, s in self.world.journal.acknowledged()}
        gone = acknowledged.get(STATE, (0, 0))
        for name in [name for name in self.world.model.state_rows if name <= gone]:
            del self.world.model.state_rows[name]

    @rule()
    def urgent(self) -> None:
        self.world.journal.urgent()

    @rule()
    def new_journal_id(self) -> None:
        before = self.world.journal.journal_id
        self.world.journal.new_journal_id()
        assert self.world.journal.journal_id != before

    @rule(passing_ms=st.sampled_from([0, 500, 1000, 70000]))
    def step(self, passing_ms: int) -> None:
        self.world.step(passing_ms)

    @rule(passing_ms=st.sampled_from([0, 1000, 70000]))
    def step_and_let_the_sync_take_its_time(self, passing_ms: int) -> None:
        self.world.now_ms += passing_ms
        self.world.journal.step(self.world.now_ms)

    @rule()
    def fail_the_sync(self) -> None:
        self.world.sync_results = ["input/output error"]
        self.world.step(70000)
        self.world.sync_results = []

    @rule()
    def come_to_rest(self) -> None:
        self.world.settle()
        assert self.world.journal.durable_position == self.world.journal.position
        live = sorted((name, body) for name, (_, body) in self.world.model.state_rows.items())
        first_id = [row for row in live if self.id_of(row[0]) == self.world.journal.reports_journal(STATE)]
        assert rows(self.world.journal, STATE) == first_id

    def id_of(self, name: tuple[int, int]) -> bytes:
        return self.world.journal._names.journal_id_of(name[0])

    @rule()
    def restart(self) -> None:
        """The process dies; the system goes on, and what was written is there."""
        self.recover(self.world.storage.reopen())

    @rule(drawn=st.lists(fates, max_size=12))
    def cut_the_power(self, drawn: list[int | tuple[int, int]]) -> None:
        self.recover(self.world.storage.cut(drawn))

    def recover(self, storage) -> None:  # type: ignore[no-untyped-def]
        world, before = self.world, self.world.journal
        durable_position = before.durable_position
        world.storage = storage
        world.start()
        assert world.facts.damaged == []
        for _ in range(6):
            world.step(0)
            world.journal.urgent()
        self.acknowledge_all_ids(durable_position)
        if durable_position:
            assert not world.facts.fresh
        self.forget_what_was_lost()

    def acknowledge_all_ids(self, durable_position: int) -> None:
        """Rows of a later journal id are not given out before those of an earlier one are acknowledged; the check
        wants all of them."""
        world = self.world
        world.journal._names.next_id_generation = lambda generation: None  # type: ignore[method-assign]
        check_recovered(world, world.journal, durable_position, SPACES)

    def forget_what_was_lost(self) -> None:
        """From here on what was recovered is what counts."""
        world, old = self.world, self.world.model
        model = world.model = Model()
        model.spaces = {space: dict(pairs) for space, pairs in contents(world.journal, SPACES)}
        model.bodies, model.values = old.bodies, old.values
        keys_by_name = {name: key for name, (key, _) in self.all_rows(old).items()}
        for name, body in rows(world.journal, STATE):
            model.state_rows[name] = (keys_by_name[name], body)
        model.telemetry = [(0, name, body) for name, body in rows(world.journal, TELEMETRY)]
        model.states = [(0, model.frozen())]
        del world.journal._names.next_id_generation

    def all_rows(self, model: Model) -> dict[tuple[int, int], tuple[str, bytes]]:
        return self.seen_rows | model.state_rows if hasattr(self, "seen_rows") else model.state_rows

    @invariant()
    def what_was_written_is_read(self) -> None:
        if not hasattr(self, "world"):
            return
        self.seen_rows = self.all_rows(self.world.model) | self.world.model.state_rows
        assert contents(self.world.journal, SPACES) == self.world.model.frozen()[0]
        assert self.world.journal.trouble in (None, "input/output error")
        assert len(self.world.storage.names()) <= 14


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(
    max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
