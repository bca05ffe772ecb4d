"""The runtime `process` keeps the contract of every runtime."""

from unix_bench import Agent, new_directory, workload

from edgelite.effects import SignalUnit
from edgelite_ports.testing import runtime_contract as contract
from edgelite_protocol import messages as m

COMMANDS = {
    contract.RUNS: ("sh", "-c", "echo begun; exec sleep 1000"),
    contract.ENDS_WELL: ("sh", "-c", "echo begun"),
    contract.FAILS: ("sh", "-c", "echo begun; exit 7"),
    contract.RESISTS: ("sh", "-c", "trap '' TERM; echo begun; while :; do sleep 1; done"),
    contract.MISSING: ("no-such-program",),
}


class World:
    def __init__(self):
        self.signals = []
        self._begin(new_directory())

    def _begin(self, directory):
        self.agent = Agent(directory)
        real = self.agent._carry_out[SignalUnit]

        def signal(effect):
            self.signals.append(effect.signal)
            real(effect)

        self.agent._carry_out[SignalUnit] = signal

    def desire(self, behaviour, policy, grace_ms):
        form = None if behaviour is None else workload(*COMMANDS[behaviour], policy=policy, grace_ms=grace_ms)
        self.agent.desire(form)

    def until(self, condition):
        self.agent.run_until(condition)

    def row(self):
        return self.agent.row()

    def status(self):
        return self.agent.status()

    def told_gone(self):
        return {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: "u1"} in self.agent.bodies

    def log(self):
        return self.agent.log()

    def restart(self):
        self._begin(self.agent.directory)  # the first one is never asked again


def test_the_contract_of_runtimes():
    for check in contract.CHECKS:
        world = World()
        try:
            check(world)
        finally:
            world.agent.end()
