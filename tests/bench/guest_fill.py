"""Runs in the guest while its agent is stopped: puts telemetry that waits for the hub into the node's journal.

guest_fill.py DIRECTORY BACKLOG_BYTES    prints "reports=N backlog=BYTES files=N"; 0 fills all files of the journal
"""

import os
import sys
import time

from edgelite.effects import Sync
from edgelite.journal import SPACE_META, Journal, JournalLimits
from edgelite_ports.linux.storage import FileStorage
from edgelite_protocol import cbor, messages
from edgelite_protocol.messages import LANE_TELEMETRY, TIME_UNIX

GROUP = 50
NUMBERS_MAX = 200_000


def report(number: int) -> bytes:
    return cbor.encode(
        {
            messages.REPORT: messages.REPORT_TELEMETRY,
            messages.TELEMETRY_DEVICE: "default/backlog",
            messages.TELEMETRY_TIME: [int(time.time() * 1000), TIME_UNIX],
            messages.TELEMETRY_VALUES: {"answered_reads": number, "power": 230.5 + number},
        }
    )


def main(directory: str, wanted_bytes: int) -> None:
    effects: list[object] = []
    storage = FileStorage(directory)
    journal = Journal(storage, JournalLimits(), os.urandom, effects.append)
    journal.open(0)
    for number in range(NUMBERS_MAX):
        journal.append_report(LANE_TELEMETRY, report(number))
        if not wanted_bytes:
            journal.write([("put", SPACE_META, "fill-%d" % (number % 200), bytes(1500))])
        if number % GROUP:
            continue
        for _ in range(3):
            journal.urgent()
            journal.step(0)
            while effects:
                effect = effects.pop(0)
                assert isinstance(effect, Sync)
                storage.sync()
                journal.synced(effect.token, 0)
        done = journal.statistics()["files"] >= 16 if not wanted_bytes else False
        if done or (wanted_bytes and journal.backlog(LANE_TELEMETRY)[1] >= wanted_bytes):
            break
    count, size_bytes = journal.backlog(LANE_TELEMETRY)
    sys.stdout.write("reports=%d backlog=%d files=%d\n" % (count, size_bytes, journal.statistics()["files"]))


main(sys.argv[1], int(sys.argv[2]))
