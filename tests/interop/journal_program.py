"""A journal written or read by one runtime, for comparing it with what another one finds. Runs under both:

    ... journal_program.py write FOLDER SEED     make changes and reports that depend on SEED, sync them
    ... journal_program.py read FOLDER

Both print what the journal then holds, in lines that are the same for the same content. `write` goes on in a journal
that is there, and compacts on the way: the limits are small.
"""

import sys

from edgelite.journal import KEEP_NEWEST, Journal, JournalLimits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.storage import Storage

STATE, TELEMETRY = 0, 1
SEGMENT_BYTES = 4096
SEGMENTS = 24
SPACES = (0, 1, 3, 4)
ROUNDS = 600
KEYS = 23


def file_storage(folder: str) -> "Storage":
    if sys.implementation.name == "micropython":
        from edgelite_ports.micropython.file_storage import FileStorage
        from edgelite_ports.micropython.unix import libc

        return FileStorage(folder, libc.sync_directory)
    from edgelite_ports.linux.storage import FileStorage as LinuxStorage

    return LinuxStorage(folder)


class Writer:
    def __init__(self, folder: str, seed: int) -> None:
        self.value = seed * 7919 + 1
        self.storage = file_storage(folder)
        self.effects: list[object] = []
        limits = JournalLimits(SEGMENT_BYTES, SEGMENT_BYTES * SEGMENTS, SEGMENT_BYTES * 8, KEEP_NEWEST, 1000, 5000)
        self.journal = Journal(self.storage, limits, self.bytes, self.effects.append)
        self.now_ms = 0
        recovery = self.journal.open(0)
        if recovery.damaged:
            raise ValueError("damaged: " + ", ".join(recovery.damaged))
        self.settle()  # what was recovered counts as stored after a sync

    def number(self, below: int) -> int:
        self.value = (self.value * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.value >> 8) % below

    def bytes(self, count: int) -> bytes:
        return bytes([self.number(256) for _ in range(count)])

    def settle(self) -> None:
        """Let the time pass in which whatever is due is synced."""
        for _ in range(10):
            self.now_ms += 1000
            self.journal.step(self.now_ms)
            while self.effects:
                effect = self.effects.pop(0)
                self.storage.sync()
                self.journal.synced(effect.token, self.now_ms)  # type: ignore[attr-defined]

    def write(self) -> None:
        for turn in range(ROUNDS):
            space, key = SPACES[turn % len(SPACES)], "key-%d" % self.number(KEYS)
            if self.number(4):
                self.journal.write([("put", space, key, self.bytes(1 + self.number(300)))])
            elif self.journal.get(space, key) is not None:
                self.journal.write([("delete", space, key)])
            self.journal.append_report(TELEMETRY, self.bytes(20))
            if turn % 5 == 0:
                self.journal.append_report(STATE, self.bytes(10), "report-%d" % self.number(3))
            if turn % 20 == 0:
                self.settle()
        rows = self.journal.reports(TELEMETRY, None, 10)
        self.journal.acknowledge(TELEMETRY, rows[-1][0][0], rows[-1][0][1])
        self.journal.urgent()
        self.settle()

    def show(self) -> None:
        for space in SPACES:
            for key in sorted(self.journal.keys(space)):
                tell("%d %s %s" % (space, key, bytes(self.journal.get(space, key) or b"")))
        for lane in (STATE, TELEMETRY):
            after = None
            while True:
                rows = self.journal.reports(lane, after, 16)
                if not rows:
                    break
                for name, body in rows:
                    tell("lane %d %d.%d %s" % (lane, name[0], name[1], bytes(body)))
                after = rows[-1][0]
        tell("acknowledged %s" % sorted([tuple(row) for row in self.journal.acknowledged()]))


def tell(text: str) -> None:
    sys.stdout.write(text + "\n")


def main(arguments: "list[str]") -> int:
    what, folder = arguments[:2]
    writer = Writer(folder, int(arguments[2]) if what == "write" else 0)
    if what == "write":
        writer.write()
    writer.show()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
