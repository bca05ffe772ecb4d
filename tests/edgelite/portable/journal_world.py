"""A journal beside a model of it, so that whatever is recovered can be compared with what it was told."""

from edgelite.effects import Sync
from edgelite.journal import KEEP_NEWEST, Journal, JournalLimits
from edgelite_ports.testing import MemoryStorage

STATE = 0
TELEMETRY = 1
SEGMENT_BYTES = 4096


class Randomness:
    """Bytes that differ from call to call and not from run to run."""

    def __init__(self, seed: int) -> None:
        self.value = seed * 7919 + 1

    def number(self, below: int) -> int:
        self.value = (self.value * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.value >> 8) % below

    def bytes(self, count: int) -> bytes:
        return bytes([self.number(256) for _ in range(count)])


def limits(policy: int = KEEP_NEWEST, telemetry_files: int = 5, files: int = 12) -> JournalLimits:
    return JournalLimits(SEGMENT_BYTES, SEGMENT_BYTES * files, SEGMENT_BYTES * telemetry_files, policy, 1000, 5000)


class Model:
    """What the journal was told, and what it must still hold after any of its positions."""

    def __init__(self) -> None:
        self.spaces: dict[int, dict[str, bytes]] = {}
        self.state_rows: dict[tuple[int, int], tuple[str, bytes]] = {}
        self.states: list[tuple[int, object]] = [(0, self.frozen())]  # (position, all of it then)
        self.telemetry: list[tuple[int, tuple[int, int], bytes]] = []  # (position, name, body)
        self.bodies: dict[tuple[int, int], bytes] = {}
        self.values: dict[str, set[bytes]] = {}  # all that a key ever had

    def frozen(self) -> "tuple[object, object]":
        spaces = [(space, sorted(values.items())) for space, values in sorted(self.spaces.items()) if values]
        return spaces, sorted([(name, body) for name, (_, body) in self.state_rows.items()])

    def note(self, position: int) -> None:
        self.states.append((position, self.frozen()))

    def apply(self, changes: "list[tuple]") -> None:  # type: ignore[type-arg]
        for change in changes:
            if change[0] == "put":
                self.spaces.setdefault(change[1], {})[change[2]] = change[3]
                self.values.setdefault(change[2], set()).add(change[3])
            elif change[0] == "delete":
                self.spaces.get(change[1], {}).pop(change[2], None)
            else:
                self.spaces[change[2]] = self.spaces.pop(change[1], {})

    def add_state_row(self, name: "tuple[int, int]", key: "str | None", body: bytes) -> None:
        for other, (other_key, _) in list(self.state_rows.items()):
            if key and other_key == key:
                del self.state_rows[other]
        self.state_rows[name] = (key or "", body)


class World:
    """One life of the node after another, over storage that may be cut in between."""

    def __init__(self, seed: int = 1, journal_limits: "JournalLimits | None" = None) -> None:
        self.random = Randomness(seed)
        self.limits = journal_limits if journal_limits is not None else limits()
        self.storage = MemoryStorage()
        self.model = Model()
        self.effects: list[object] = []
        self.now_ms = 0
        self.sync_results: list[str | None] = []  # text to fail the next syncs with
        self.telemetry_told = (0, 0)  # the last that a hub acknowledged, on record here or not
        self.start()

    def start(self) -> None:
        self.effects = []
        self.journal = Journal(self.storage, self.limits, self.random.bytes, self.effects.append)
        self.facts = self.journal.open(self.now_ms)

    # ---- what the node does

    def write(self, changes: "list[tuple]") -> int:  # type: ignore[type-arg]
        position = self.journal.write(changes)
        self.model.apply(changes)
        self.model.note(position)
        return position

    def report(self, body: bytes, key: "str | None" = None) -> "tuple[int, int]":
        name = self.journal.append_report(STATE, body, key)
        self.model.bodies[name] = body
        self.model.add_state_row(name, key, body)
        self.model.note(self.journal.position)
        return name

    def sample(self, body: bytes) -> "tuple[int, int]":
        count = self.journal.backlog(TELEMETRY)[0]
        name = self.journal.append_report(TELEMETRY, body)
        self.model.bodies[name] = body
        if self.journal.backlog(TELEMETRY)[0] > count:
            self.model.telemetry.append((self.journal.position, name, body))
        return name

    def acknowledge(self, lane: int, count: int) -> None:
        rows = self.journal.reports(lane, None, count)
        if rows:
            generation, sequence = rows[-1][0]
            self.journal.acknowledge(lane, generation, sequence)
            if lane == TELEMETRY:
                self.telemetry_told = max(self.telemetry_told, (generation, sequence))

    def step(self, passing_ms: int = 1000) -> None:
        """Let time pass, and a sync that comes due complete."""
        self.now_ms += passing_ms
        self.journal.step(self.now_ms)
        self.complete()

    def complete(self) -> None:
        while self.effects:
            effect = self.effects.pop(0)
            assert isinstance(effect, Sync)
            text = self.sync_results.pop(0) if self.sync_results else None
            if text is None:
                self.storage.sync()
                self.journal.synced(effect.token, self.now_ms)
            else:
                self.journal.sync_failed(effect.token, text, self.now_ms)

    def settle(self, steps_max: int = 200) -> None:
        """Step until nothing is left to do."""
        for _ in range(steps_max):
            deadline_ms = self.journal.step(self.now_ms)
            if deadline_ms is None and not self.effects:
                return
            self.complete()
            if deadline_ms is not None:
                self.now_ms = max(self.now_ms, deadline_ms)
        raise AssertionError("the journal never comes to rest")


def contents(journal: Journal, spaces: "list[int]") -> "list[tuple[int, list[tuple[str, bytes]]]]":
    """Everything in the key spaces, read back."""
    found = []
    for space in spaces:
        values = [(key, journal.get(space, key) or b"") for key in journal.keys(space)]
        if values:
            found.append((space, values))
    return found


def rows(journal: Journal, lane: int) -> "list[tuple[tuple[int, int], bytes]]":
    """All that the outbox would send, by way of small readings as a session makes them."""
    found: list[tuple[tuple[int, int], bytes]] = []
    while True:
        more = journal.reports(lane, found[-1][0] if found else None, 7)
        if not more:
            return found
        found.extend(more)


def check_recovered(world: World, journal: Journal, durable_position: int, spaces: "list[int]") -> None:
    """`journal` was recovered, and synced since, from what a power cut left of `world`: all that was durable is
    there, and what else is there is a whole beginning of what followed."""
    acknowledged = {lane: (generation, sequence) for lane, generation, sequence in journal.acknowledged()}
    check_state(world, journal, durable_position, spaces, acknowledged.get(STATE, (0, 0)))
    check_telemetry(world, journal, durable_position, acknowledged.get(TELEMETRY, (0, 0)))


def check_state(
    world: World, journal: Journal, durable_position: int, spaces: "list[int]", acknowledged: "tuple[int, int]"
) -> None:
    found = (contents(journal, spaces), rows(journal, STATE))
    candidates = 0
    last_durable = 0
    for index, (position, _) in enumerate(world.model.states):
        if position <= durable_position:
            last_durable = index
    for _, state in world.model.states[last_durable:]:
        expected = (state[0], [row for row in state[1] if row[0] > acknowledged])  # type: ignore[index]
        candidates += 1
        if found == expected:
            return
    raise AssertionError("what was recovered is none of the %d states since the durable one: %r" % (candidates, found))


def check_telemetry(world: World, journal: Journal, durable_position: int, acknowledged: "tuple[int, int]") -> None:
    found = rows(journal, TELEMETRY)
    told = [(name, body) for _, name, body in world.model.telemetry]
    durable = [name for position, name, _ in world.model.telemetry if position <= durable_position]
    gone = max(acknowledged, world.telemetry_told)
    for _, _, _, last in journal.take_dropped():
        gone = max(gone, last)
    for name in durable:
        assert name <= gone or (found and name <= found[-1][0]), "row %r was durable and is gone" % (name,)
    if found:
        first = told.index(found[0])
        assert told[first : first + len(found)] == found, "rows were lost between others, or have changed"
        left_out = [name for name, _ in told[:first] if name > gone]
        assert not left_out, "rows %r are gone and were not counted" % (left_out,)


SPACES = [0, 1, 2, 3]


def workload(world: World, rounds: int, offline: bool = False) -> None:
    """Something of everything that the node does with its journal, enough to go through all of its segments.
    Offline nothing is acknowledged, and telemetry's quota fills."""
    random = world.random
    for number in range(rounds):
        choice = number % 8
        key = "key-%d" % random.number(6)
        if choice in (0, 1):
            world.write([("put", 3, key, random.bytes(20 + random.number(180)))])
        elif choice == 2:
            world.write([("put", 1, "a", random.bytes(30)), ("delete", 3, key), ("put", 0, "cursor", random.bytes(8))])
        elif choice == 3:
            world.write([("put", 2, "a", random.bytes(40)), ("put", 2, key, b"staged %d" % number)])
            if random.number(3) == 0:
                world.write([("promote", 2, 1), ("put", 0, "cursor", random.bytes(8))])
        elif choice == 4:
            world.report(b"report %d" % number, "w/%d" % random.number(3) if random.number(4) else None)
        elif choice == 5:
            for _ in range(3):
                world.sample(b"sample %d " % number + random.bytes(random.number(150)))
        elif choice == 6 and offline:
            for _ in range(4):
                world.sample(b"sample %d " % number + random.bytes(150))
        elif choice == 6:
            world.acknowledge(random.number(2), 1 + random.number(6))
        else:
            world.journal.urgent()
        if random.number(3):
            world.step(300)
        else:  # a sync that is due stays in flight while more happens
            world.now_ms += 300
            world.journal.step(world.now_ms)


def restarted(world: World) -> World:
    """The process ends and starts again; the medium keeps everything."""
    world.storage = world.storage.reopen()
    world.start()
    return world


def power_cycled(world: World) -> World:
    world.storage = world.storage.cut()
    world.start()
    return world


def refused(kind: type, action: object) -> str:
    """The text of the error of that kind that `action()` raises."""
    try:
        action()  # type: ignore[operator]
    except kind as error:
        return str(error)
    raise AssertionError("nothing was raised")
