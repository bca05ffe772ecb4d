"""An agent without a link, as a program that a test may kill, for both runtimes:

    PYTHON process_program.py DIRECTORY FORM

keeps the workload of the CBOR file FORM running in the directory, and prints "STATE PID RESTARTS MESSAGE" after each
turn of its loop. Both runtimes keep the same directory, so a test may begin with the one and go on with the other.
"""

import os
import sys

from edgelite.clock import Clock
from edgelite.context import Context
from edgelite.effects import AdoptUnit, RemoveWorkload, SignalUnit, StartUnit
from edgelite.supervisor import Supervisor
from edgelite_ports.posix import files
from edgelite_ports.posix.artifacts import ArtifactStore
from edgelite_ports.posix.logs import LogStore
from edgelite_ports.posix.places import Places
from edgelite_ports.posix.processes import Processes
from edgelite_protocol import cbor

if sys.implementation.name == "micropython":
    from edgelite_ports.micropython.loop import Loop
    from edgelite_ports.micropython.unix.clock import monotonic_ms
else:
    from edgelite_ports.linux.clock import monotonic_ms
    from edgelite_ports.linux.loop import Loop

BOOT = b"boot-boot-boot-1"
KEY = "default/job/u1"
TURN_MS = 50


class FileJournal:
    """What the supervisor uses of a journal, kept in one file that is whole at any time."""

    def __init__(self, path):
        self._path = path
        data = files.read_whole(path)
        self.values = cbor.decode(data) if data else {}

    def get(self, space, key):
        return self.values.get("%d:%s" % (space, key))

    def keys(self, space):
        return [key.partition(":")[2] for key in self.values if key.startswith("%d:" % space)]

    def write(self, changes):
        for change in changes:
            name = "%d:%s" % (change[1], change[2])
            if change[0] == "put":
                self.values[name] = change[3]
            else:
                del self.values[name]
        files.write_private(self._path + ".new", cbor.encode(self.values))
        os.rename(self._path + ".new", self._path)


def make_loop():
    return Loop(monotonic_ms) if sys.implementation.name == "micropython" else Loop()


def run(directory, form):
    files.make_directories(directory)
    places = Places(directory + "/state", directory + "/run", BOOT)
    places.make()
    effects = []
    loop = make_loop()
    journal = FileJournal(directory + "/journal")
    context = Context(journal, effects.append, lambda lane, body, key: None, Clock(BOOT), os.urandom, BOOT)
    supervisor = Supervisor(context)
    artifacts = ArtifactStore(directory + "/state/artifacts")
    logs = LogStore(directory + "/state/logs", lambda text: sys.stderr.write(text + "\n"))
    processes = Processes(supervisor, loop, places, artifacts, logs, "node-1", monotonic_ms)
    carry_out = {
        StartUnit: processes.start,
        AdoptUnit: processes.adopt,
        SignalUnit: processes.signal,
        RemoveWorkload: processes.remove,
    }
    supervisor.restore(monotonic_ms())
    supervisor.set_desired(KEY, form, monotonic_ms())
    while True:
        now_ms = monotonic_ms()
        deadlines = [processes.step(now_ms), supervisor.step(now_ms), logs.step(now_ms), now_ms + TURN_MS]
        while effects:
            effect = effects.pop(0)
            carry_out[type(effect)](effect)
            deadlines.append(now_ms)
        loop.wait(min([deadline_ms for deadline_ms in deadlines if deadline_ms is not None]))
        processes.reap(monotonic_ms())
        tell(supervisor.summary())


def tell(rows):
    for row in rows:
        text = "%s %s %s %s" % (row["table_state"], row["pid"], row["restarts"], row["message"].replace(" ", "-"))
        files.write_all(1, (text + "\n").encode())


if __name__ == "__main__":
    run(sys.argv[1], cbor.decode(files.read_whole(sys.argv[2])))
