"""An agent without a link on a real loop, with real processes, for both runtimes."""

import os
import sys

from unix_forms import process_form

from edgelite.clock import Clock
from edgelite.context import Context
from edgelite.effects import AdoptUnit, RemoveWorkload, SignalUnit, StartUnit
from edgelite.supervisor import Supervisor
from edgelite_ports.posix import files, proc
from edgelite_ports.posix.artifacts import ArtifactStore
from edgelite_ports.posix.logs import LogStore
from edgelite_ports.posix.places import Places
from edgelite_ports.posix.processes import Processes
from edgelite_protocol import cbor
from edgelite_protocol import messages as m

if sys.implementation.name == "micropython":
    from edgelite_ports.micropython.loop import Loop as _Loop
    from edgelite_ports.micropython.unix.clock import monotonic_ms

    def make_loop():
        return _Loop(monotonic_ms)

else:
    from edgelite_ports.linux.clock import monotonic_ms
    from edgelite_ports.linux.loop import Loop as make_loop

BOOT = b"boot-boot-boot-1"
KEY = "default/job/u1"
UNIT = "u1/main"
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


class Agent:
    def __init__(self, directory):
        files.make_directories(directory)
        self.directory = directory
        self.places = Places(directory + "/state", directory + "/run", BOOT)
        self.places.make()
        self.effects = []
        self.bodies = []
        self.loop = make_loop()
        self.artifacts = ArtifactStore(directory + "/state/artifacts")
        self.logs = LogStore(directory + "/state/logs", lambda text: sys.stderr.write(text + "\n"))
        journal = FileJournal(directory + "/journal")
        context = Context(journal, self.effects.append, self._report, Clock(BOOT), os.urandom, BOOT)
        self.supervisor = Supervisor(context)
        self.processes = Processes(
            self.supervisor, self.loop, self.places, self.artifacts, self.logs, "node-1", monotonic_ms
        )
        self._carry_out = {
            StartUnit: self.processes.start,
            AdoptUnit: self.processes.adopt,
            SignalUnit: self.processes.signal,
            RemoveWorkload: self.processes.remove,
        }
        self.supervisor.restore(monotonic_ms())

    def _report(self, lane, body, coalesce_key):
        self.bodies.append(body)

    def desire(self, form, uid="u1"):
        self.supervisor.set_desired("default/job/" + uid, form, monotonic_ms())

    def turn(self):
        """One round of a port's loop."""
        now_ms = monotonic_ms()
        deadlines = [self.processes.step(now_ms), self.supervisor.step(now_ms), self.logs.step(now_ms)]
        while self.effects:
            effect = self.effects.pop(0)
            self._carry_out[type(effect)](effect)
            deadlines.append(now_ms)
        due = [deadline_ms for deadline_ms in deadlines if deadline_ms is not None]
        due.append(now_ms + TURN_MS)
        self.loop.wait(min(due))
        self.processes.reap(monotonic_ms())

    def run_until(self, condition, timeout_ms=20000):
        end_ms = monotonic_ms() + timeout_ms
        while not condition():
            assert monotonic_ms() < end_ms, (self.supervisor.summary(), self.log()[-200:])
            self.turn()
        self.turn()  # so that it is reported too

    def row(self, unit=UNIT):
        rows = [row for row in self.supervisor.summary() if row["unit"] == unit]
        return rows[0] if rows else {}

    def state(self, unit=UNIT):
        return self.row(unit).get("table_state")

    def pid(self, unit=UNIT):
        """Of the running workload, once it runs."""
        self.run_until(lambda: self.state(unit) == "running" and self.row(unit)["pid"])
        return self.row(unit)["pid"]

    def log(self, unit=UNIT):
        return files.text_of(files.read_whole(self.places.log(unit)))

    def status(self):
        """The first container's, in the last report that has one."""
        return [body for body in self.bodies if m.STATUS_CONTAINERS in body][-1][m.STATUS_CONTAINERS][0]

    def run(self, form, state="completed"):
        """Until it is in that state; its log."""
        self.desire(form)
        self.run_until(lambda: self.state() == state)
        return self.log()

    def end(self):
        """End all that runs, then the keeper; remove everything."""
        for unit in self.processes.units():
            self.desire(None, unit.partition("/")[0])
        self.run_until(lambda: not self.processes.units())
        self.processes.dismiss_keeper()
        self.processes.close()
        files.remove_tree(self.directory)


def with_agent(test):
    """A plain test of a function that takes an agent: the runner knows no fixtures."""

    def run():
        agent = Agent(new_directory())
        try:
            test(agent)
        finally:
            agent.end()

    return run


def new_directory():
    return "/tmp/edgelite-test-%s" % "".join(["%02x" % byte for byte in os.urandom(8)])


def lives(pid):
    stat = proc.read_stat(pid)
    return stat is not None and not stat.is_dead


def workload(*command, policy="Never", grace_ms=5000, uid="u1", **more):
    """`more`: environment, files, directory, digest."""
    return process_form(command, policy, grace_ms, uid, more)
