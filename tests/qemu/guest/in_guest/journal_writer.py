"""Runs in the guest, under CPython and MicroPython: appends numbered changes and reports to a journal, and says each
number on the console once it is synced. What an earlier run has left is said first.

    journal_writer.py DIRECTORY [COUNT]
"""

import os
import sys

from edgelite.effects import Sync
from edgelite.journal import SPACE_META, Journal, JournalLimits
from edgelite_protocol.errors import EdgeliteError, PlatformError
from edgelite_protocol.messages import LANE_TELEMETRY

KEYS = 7  # a change of number N is to key N % KEYS
KEPT = 400  # reports; older ones are acknowledged
PAGE = 50
SYNCS_MAX = 5  # until what was appended is durable


def open_storage(directory):
    if sys.implementation.name == "micropython":
        from edgelite_ports.micropython.file_storage import FileStorage
        from edgelite_ports.micropython.unix import libc

        return FileStorage(directory, libc.sync_directory)
    from edgelite_ports.linux.storage import FileStorage

    return FileStorage(directory)


def say(text):
    sys.stdout.write(text + "\n")
    if hasattr(sys.stdout, "flush"):
        sys.stdout.flush()


def body(number):
    return b"%08d" % number + bytes([(number * 31 + index * 7) & 0xFF for index in range(number % 90)])


def number_of(data):
    number = int(data[:8])
    if data != body(number):
        raise ValueError("the body of %d is not what was written" % number)
    return number


class Writer:
    def __init__(self, directory):
        self.effects = []
        self.storage = open_storage(directory)
        self.journal = Journal(self.storage, JournalLimits(segment_bytes=64 * 1024), os.urandom, self.effects.append)
        self.facts = self.journal.open(0)
        self.synced_name = self.newest_name = None

    def recovered(self):
        """(newest change, first report, newest report, damaged places). What is last in the log is given only after a
        sync of this run."""
        self.commit()
        state = [number_of(self.journal.get(SPACE_META, key)) for key in self.journal.keys(SPACE_META)]
        newest = max(state) if state else 0
        wanted = list(range(max(newest - KEYS + 1, 1), newest + 1))
        if sorted(state) != wanted:
            raise ValueError("changes %r where %r belong" % (sorted(state), wanted))
        first, last = self.reports()
        return newest, first, last, len(self.facts.damaged)

    def reports(self):
        """(first, newest) of those that wait; in between none is missing."""
        first = last = 0
        after = None
        while True:
            page = self.journal.reports(LANE_TELEMETRY, after, PAGE)
            for name, data in page:
                number = number_of(data)
                if last and number != last + 1:
                    raise ValueError("report %d follows %d" % (number, last))
                first, last, after = first or number, number, name
            if len(page) < PAGE:
                self.synced_name = after
                return first, last

    def append(self, number):
        self.change(number)
        self.report(number)

    def change(self, number):
        self.journal.write([("put", SPACE_META, "key-%d" % (number % KEYS), body(number))])

    def report(self, number):
        self.newest_name = self.journal.append_report(LANE_TELEMETRY, body(number))

    def complete(self, newest, last):
        """A cut may part a change from its report, as long as neither was synced: bring them together again."""
        for number in range(newest + 1, last + 1):
            self.change(number)
        for number in range(last + 1, newest + 1):
            self.report(number)

    def acknowledge(self, count):
        page = self.journal.reports(LANE_TELEMETRY, None, min(count, PAGE))
        if page:
            generation, sequence = page[-1][0]
            self.journal.acknowledge(LANE_TELEMETRY, generation, sequence)

    def commit(self):
        """A new segment's headers are synced before what is in it."""
        for _ in range(SYNCS_MAX):
            self.journal.urgent()
            self.journal.step(0)
            while self.effects:
                effect = self.effects.pop(0)
                if not isinstance(effect, Sync):
                    raise ValueError("an effect that is no sync")
                self.storage.sync()
                self.journal.synced(effect.token, 0)
            if self.journal.durable_position == self.journal.position and self.reports_are_synced():
                return
        trouble = self.journal.trouble
        if trouble:
            raise PlatformError(trouble)  # a write failed: the journal keeps what it has, and tries again
        raise ValueError("not durable after %d syncs" % SYNCS_MAX)

    def reports_are_synced(self):
        """`reports` gives those alone that are."""
        if self.newest_name is None:
            return True  # none of this run yet
        page = self.journal.reports(LANE_TELEMETRY, self.synced_name, PAGE)
        self.synced_name = page[-1][0] if page else self.synced_name
        return self.synced_name == self.newest_name


def main(arguments):
    count = int(arguments[1]) if len(arguments) > 1 else 1000000
    writer = Writer(arguments[0])
    newest, first, last, damaged = writer.recovered()
    say("recovered change=%d reports=%d-%d damaged=%d" % (newest, first, last, damaged))
    writer.complete(newest, last)
    number = max(newest, last)
    for _ in range(count):
        for _ in range(number % 3 + 1):
            number += 1
            writer.append(number)
        writer.commit()
        say("synced %d" % number)
        if number % 11 == 0 and writer.journal.backlog(LANE_TELEMETRY)[0] > KEPT:
            writer.acknowledge(PAGE)


try:
    main(sys.argv[1:])
except (EdgeliteError, ValueError, OSError) as error:
    say("writer failed: %s: %s" % (type(error).__name__, error))
    sys.exit(1)
