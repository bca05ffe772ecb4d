"""Faults of programs that run on nodes. A target is "workload@node"."""

from __future__ import annotations

from edgelite_sim.faults.kind import Ending, Kind, Parameters, Scene, lasting, object_name
from edgelite_sim.world.processes import SimProcesses
from edgelite_sim.written.fields import Field

# What a simulated process does then (edgelite_sim.world.behaviour).
MISBEHAVIOURS = {
    "crash": "crashes --every 10s",
    "exit": "exits --after 10s --code 1",
    "loop": "loops",
    "fork": "forks --children 50",
    "ignore-sigterm": "ignores-sigterm",
    "missing": "missing",
}


def _of(scene: Scene, target: str) -> tuple[SimProcesses, str]:
    processes = scene.world.nodes[target.rpartition("@")[2]].processes
    return processes, object_name(target, [one.workload for one in processes.running()])


def misbehave(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    processes, name = _of(scene, target)
    processes.misbehave(name, MISBEHAVIOURS[parameters["how"]])
    return lambda: processes.behave(name)


def kill(scene: Scene, target: str, parameters: Parameters) -> Ending | None:
    processes, name = _of(scene, target)
    for running in processes.running():
        if running.workload == name:
            processes.kill(running.unit)
    return None


KINDS = (
    Kind(
        "misbehave",
        "workload",
        "The program does what programs do: crashes after each start, spins, forks, ignores SIGTERM, is gone.",
        (Field("how", "text", "what it does", "crash", choices=tuple(MISBEHAVIOURS)), lasting()),
        misbehave,
        "program",
    ),
    Kind("kill", "workload", "Somebody kills the program's process (SIGKILL).", (), kill),
)
