"""The runtime `task` keeps the contract of every runtime."""

from task_bench import Agent, workload

from edgelite_ports.micropython.tasks import sleep_ms
from edgelite_ports.testing import runtime_contract as contract
from edgelite_protocol import messages as m


async def runs(task):
    task.print("begun")
    while True:
        await sleep_ms(1000)


async def ends_well(task):
    task.print("begun")
    await sleep_ms(1)


async def fails(task):
    task.print("begun")
    await sleep_ms(1)
    raise SystemExit(7)


def resists(task):
    task.print("begun")
    for _ in range(2):  # the stop and the close; then nobody looks any more
        try:
            while True:
                yield 10
        except BaseException:  # noqa: BLE001 - what nobody should do
            yield 10


FUNCTIONS = {contract.RUNS: runs, contract.ENDS_WELL: ends_well, contract.FAILS: fails, contract.RESISTS: resists}


class World:
    def __init__(self):
        self.agent = Agent(FUNCTIONS)
        self.signals = []
        self._note_signals()

    def _note_signals(self):
        tasks = self.agent.tasks
        real = tasks.signal

        def signal(effect):
            self.signals.append(effect.signal)
            real(effect)

        for kind in list(self.agent._carry_out):
            if kind.__name__ == "SignalUnit":
                self.agent._carry_out[kind] = signal

    def desire(self, behaviour, policy, grace_ms):
        form = None if behaviour is None else workload(behaviour, policy=policy, grace_ms=grace_ms)
        self.agent.desire(form)

    def until(self, condition):
        for _ in range(1000):
            if condition():
                return
            self.agent.run_for(10)
        raise AssertionError(self.agent.supervisor.summary())

    def row(self):
        return self.agent.row()

    def status(self):
        return self.agent.status()

    def told_gone(self):
        return {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: "u1"} in self.agent.bodies

    def log(self):
        return self.agent.log()

    def restart(self):
        self.agent.tasks.close()
        self.agent.restart()
        self._note_signals()


def test_the_contract_of_runtimes():
    for check in contract.CHECKS:
        world = World()
        try:
            check(world)
        finally:
            world.agent.close()
