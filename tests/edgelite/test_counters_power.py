"""The power is cut at every write while sessions open: no key meets a nonce twice, although the random numbers are
always the same and the hub's nonces are recordings, the worst that a gateway and a bad generator can do together."""

from collections.abc import Callable

from journal_world import Randomness, limits
from test_journal_power import fates_to_try

from edgelite.counters import BLOCK, Counters
from edgelite.effects import Sync
from edgelite.journal import Journal
from edgelite_ports.testing.storage import MemoryStorage
from edgelite_protocol.oscore.ccm import Ccm
from edgelite_protocol.oscore.ciphers import aes
from edgelite_protocol.oscore.context import Keys
from edgelite_protocol.oscore.ends import CHALLENGE, NodeEnd

KEYS = Keys(bytes(range(16)), b"salt", b"node", b"")
SAME_CHALLENGE = bytes([CHALLENGE]) + bytes(16)
SAME_RANDOM = bytes(8)

Used = frozenset[tuple[bytes, bytes]]


class RecordingCcm(Ccm):
    """Notes each (key, nonce) that it seals with."""

    def __init__(self, key: bytes, note: Callable[[tuple[bytes, bytes]], None]) -> None:
        super().__init__(aes(key))
        self._key = key
        self._note = note

    def seal(self, nonce: bytes, plaintext: bytes, additional: bytes) -> bytes:
        self._note((self._key, nonce))
        return super().seal(nonce, plaintext, additional)


class Life:
    """One start of a node, on what an earlier one left behind. `used` is what all of its ancestors have used."""

    def __init__(self, storage: MemoryStorage, used: Used, depth: int, tally: "Tally") -> None:
        self.storage = storage
        self.used = used
        self.depth = depth
        self.tally = tally
        self.effects: list[object] = []
        if depth:
            storage.after_change = self.cut
        self.journal = Journal(storage, limits(), Randomness(depth + 1).bytes, self.effects.append)
        self.journal.open(0)
        self.counters = Counters(self.journal, lambda count: bytes(count))

    def note(self, pair: tuple[bytes, bytes]) -> None:
        assert pair not in self.used, "a nonce came twice under one key"
        self.used |= {pair}
        self.tally.sealed += 1

    def session(self) -> None:
        """Take a number as the link does, and seal two messages with its keys."""
        for _ in range(6):
            counter = self.counters.take()
            if counter is not None:
                node = NodeEnd(KEYS, counter, SAME_RANDOM, lambda key: RecordingCcm(key, self.note))
                node.receive(SAME_CHALLENGE)
                node.protect(b"hello")
                node.protect(b"again")
            self.run_journal()
            if counter is not None:
                return

    def run_journal(self) -> None:
        self.journal.flush(0)
        self.journal.step(0)
        effects, self.effects[:] = list(self.effects), []
        for effect in effects:
            assert isinstance(effect, Sync)
            self.storage.sync()
            self.journal.synced(effect.token, 0)

    def cut(self) -> None:
        """What the next start may find here, in each of the ways that it may have come to the medium."""
        for fates in fates_to_try(self.storage, self.tally.random)[:: self.tally.stride[self.depth]]:
            self.tally.cuts += 1
            life = Life(self.storage.cut(fates), self.used, self.depth - 1, self.tally)
            life.session()
            life.session()


class Tally:
    def __init__(self, *stride: int) -> None:
        self.random = Randomness(5)
        self.stride = stride
        self.cuts = 0
        self.sealed = 0


def test_no_key_meets_a_nonce_twice_over_every_cut() -> None:
    tally = Tally(0, 1)
    life = Life(MemoryStorage(), frozenset(), 1, tally)
    for _ in range(BLOCK * 3 + 5):
        life.session()
    assert tally.cuts > 50 and len(life.used) == 2 * (BLOCK * 3 + 5)


def test_nor_where_the_next_start_is_cut_as_well() -> None:
    """Depth 2, each 5th of the second cuts: they are alike where the first ones are."""
    tally = Tally(0, 5, 2)
    life = Life(MemoryStorage(), frozenset(), 2, tally)
    for _ in range(BLOCK + 3):
        life.session()
    assert tally.cuts > 200
