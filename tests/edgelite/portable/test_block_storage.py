"""A journal on a raw block device, its power cut at every change; and what the device may hold at a start."""

from journal_world import SPACES, World, check_recovered, contents, limits, rows, workload

from edgelite.effects import Sync
from edgelite.journal import KEEP_NEWEST, Journal
from edgelite.storage import StorageFullError
from edgelite_ports.common.block_storage import BlockStorage
from edgelite_ports.testing.block_device import MemoryDevice
from edgelite_protocol.errors import CorruptionError, PlatformError

BLOCKS = 2 * 8 + 12 * 8  # two slots and ten segments, of 512-byte blocks: files are made from blocks given back


class BlockWorld(World):
    """A world whose medium is a block device."""

    def __init__(self, seed: int, erased: int) -> None:
        self.device = MemoryDevice(512, BLOCKS, erased)
        super().__init__(seed, limits(KEEP_NEWEST, 4, 8))

    def start(self) -> None:
        self.storage = BlockStorage(self.device)  # type: ignore[assignment]
        super().start()


def fates_to_try(world: BlockWorld) -> "list[list[int]]":
    count = world.device.unsynced_count()
    random = world.random
    kept = [-1] * count
    torn, alone = list(kept), [0] * count
    torn[-1], alone[-1] = 1 + random.number(40), -1
    all_fates = [kept, kept[:-1], torn, alone]
    all_fates.append([-1 if random.number(2) else 0 for _ in range(count)])
    all_fates.append([random.number(200) for _ in range(count)])
    return all_fates


class Cutter:
    """Tries cuts at every `stride`th change."""

    def __init__(self, world: BlockWorld, stride: int) -> None:
        self.world = world
        self.stride = stride
        self.changes = 0
        self.cuts = 0
        self.rewrites = 0
        world.device.after_change = self.changed

    def changed(self) -> None:
        self.changes += 1
        storage = self.world.storage
        rewriting = isinstance(storage, BlockStorage) and storage.is_rewriting
        if self.changes % self.stride or rewriting:  # flash may lose a block then, as its storage says
            return
        for fates in fates_to_try(self.world):
            self.cuts += 1
            self.recover(self.world.device.cut(fates))

    def recover(self, device: MemoryDevice) -> None:
        world = self.world
        durable_position = world.journal.durable_position
        effects: list[object] = []
        storage = BlockStorage(device)
        journal = Journal(storage, world.limits, world.random.bytes, effects.append)
        recovery = journal.open(0)
        assert recovery.damaged == [], recovery.damaged
        assert not (recovery.fresh and durable_position > 0)
        for _ in range(6):
            journal.step(0)
            while effects:
                effect = effects.pop(0)
                assert isinstance(effect, Sync)
                storage.sync()
                journal.synced(effect.token, 0)
        check_recovered(world, journal, durable_position, SPACES)


def cut_everywhere(erased: int) -> "tuple[Cutter, BlockWorld]":
    world = BlockWorld(5, erased)
    workload(world, 110, offline=True)  # so that blocks are given away again
    cutter = Cutter(world, 5)
    workload(world, 24, offline=True)
    workload(world, 80)
    return cutter, world


def test_every_cut_recovers_all_that_was_durable_where_bytes_are_written_over() -> None:
    cutter, world = cut_everywhere(0)
    assert cutter.cuts > 60
    assert world.journal.statistics()["segments_cleaned"] > 0


def test_every_cut_recovers_all_that_was_durable_on_flash() -> None:
    cutter, world = cut_everywhere(0xFF)
    assert cutter.cuts > 60
    assert isinstance(world.storage, BlockStorage)
    assert world.storage.rewrites == 0, "the journal only appends: nothing that is durable is ever erased"


def test_a_life_on_a_block_device_is_the_same_as_in_memory() -> None:
    for erased in (0, 0xFF):
        world, memory = BlockWorld(9, erased), World(9, limits(KEEP_NEWEST, 4, 8))
        for rounds in (30, 60, 40):
            for one in (world, memory):
                workload(one, rounds)
                one.settle()
            memory.storage = memory.storage.reopen()
            found = []
            for one in (world, memory):
                one.start()
                found.append((contents(one.journal, SPACES), rows(one.journal, 0), rows(one.journal, 1)))
            assert found[0] == found[1] and found[0][0]


def test_what_is_being_removed_is_not_given_away_before_that_is_durable() -> None:
    device = MemoryDevice(512, 2 * 8 + 8, 0)
    storage = BlockStorage(device)
    storage.create("old", 4096)
    storage.write("old", 0, b"still needed")
    storage.sync()
    storage.remove("old")
    before = device.cut([])
    assert BlockStorage(before).read("old", 0, 12) == b"still needed"
    storage.create("new", 4096)  # there is no other room: the removal becomes durable first
    assert BlockStorage(device.cut([])).names() == []


def test_a_full_device_says_so_and_keeps_what_it_has() -> None:
    storage = BlockStorage(MemoryDevice(512, 2 * 8 + 8, 0))
    storage.create("one", 4096)
    try:
        storage.create("two", 512)
    except StorageFullError as error:
        assert "two" in error.text
    else:
        raise AssertionError("there is no room for it")
    assert storage.names() == ["one"] and storage.free_bytes() == 0


def test_a_start_that_was_cut_while_making_the_device_ready() -> None:
    for erased in (0, 0xFF):
        blank = MemoryDevice(512, 64, erased)
        cuts: list[MemoryDevice] = []
        blank.after_change = lambda device=blank, cuts=cuts: cuts.extend(
            [device.cut([-1] * (device.unsynced_count() - 1) + [size]) for size in (0, 1, 21, 30, -1)]
        )
        BlockStorage(blank)
        assert len(cuts) > 80
        for device in cuts:
            storage = BlockStorage(device)
            assert storage.names() == []
            storage.create("a", 512)


def test_something_else_on_the_device_is_never_taken_for_nothing() -> None:
    device = MemoryDevice(512, 64, 0)
    device.data[5000] = 7
    for damage in (None, 0, 4096):
        if damage is not None:
            device = MemoryDevice(512, 64, 0)
            storage = BlockStorage(device)
            storage.create("a", 512)
            storage.sync()
            device.data[6] ^= 1
            device.data[4096 + 6] ^= 1
        try:
            BlockStorage(device)
        except CorruptionError:
            BlockStorage.wipe(device)
            assert BlockStorage(device).names() == []
        else:
            raise AssertionError("it was taken for a blank device")


def test_one_damaged_slot_is_mended_by_the_other() -> None:
    device = MemoryDevice(512, 64, 0)
    storage = BlockStorage(device)
    storage.create("a", 512)
    storage.sync()  # the third version: slot 0
    storage.rename("a", "b")
    storage.sync()  # the fourth: slot 1
    device.data[4096 + 24] ^= 1
    assert BlockStorage(device).names() == ["a"]


def test_a_device_of_another_size_is_refused() -> None:
    device = MemoryDevice(512, 64, 0)
    BlockStorage(device)
    smaller = MemoryDevice(512, 48, 0)
    smaller.data[:] = device.data[: len(smaller.data)]
    for bad in (smaller, MemoryDevice(512, 20, 0)):
        try:
            BlockStorage(bad)
        except (CorruptionError, PlatformError) as error:
            assert "blocks" in str(error)
        else:
            raise AssertionError("it was taken")


def test_flash_is_erased_again_where_bits_must_go_back() -> None:
    storage = BlockStorage(MemoryDevice(4096, 64, 0xFF))
    storage.create("a", 8192)
    storage.write("a", 4090, b"across two blocks")
    assert storage.rewrites == 0
    storage.write("a", 4090, b"ACROSS TWO BLOCKS")
    assert storage.rewrites == 2
    assert storage.read("a", 4080, 40) == bytes(10) + b"ACROSS TWO BLOCKS" + bytes(13)
