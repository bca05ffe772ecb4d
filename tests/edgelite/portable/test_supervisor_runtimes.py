"""The supervisor among several runtimes: each unit is one's, and a node says which it lacks."""

from supervisor_bench import IDENTITY, KEY, UNIT, Bench, workload

from edgelite_protocol.messages import (
    STATUS_CONTAINER_MESSAGE,
    STATUS_CONTAINER_REASON,
)


def test_a_runtime_that_is_not_here_is_said_with_the_ports_own_words():
    for cannot, expected in (
        ({}, "no runtime container here, but process"),
        ({"runtime-container": "needs Linux"}, "no runtime container here, but process: needs Linux"),
        ({"runtime-container": "x" * 500}, "no runtime container here, but process: " + "x" * 120),
    ):
        bench = Bench(cannot=cannot)
        bench.supervisor.set_desired(KEY, workload(runtime="container"), 0)
        bench.supervisor.step(0)
        assert bench.take_effects() == []
        assert bench.status()[0][STATUS_CONTAINER_REASON] == "RuntimeUnavailable"
        assert bench.status()[0][STATUS_CONTAINER_MESSAGE][:159] == expected[:159]
        bench.supervisor.set_desired(KEY, None, 1)  # and it goes like any other
        assert bench.take_effects() == [("RemoveWorkload", "u1")]


def test_a_node_without_any_runtime_says_so():
    bench = Bench(runtimes=())
    bench.supervisor.set_desired(KEY, workload(), 0)
    bench.supervisor.step(0)
    assert bench.status()[0][STATUS_CONTAINER_MESSAGE] == "no runtime process here, but none"


def test_every_effect_names_the_runtime_of_its_unit():
    bench = Bench(runtimes=("process", "task"))
    bench.run(workload(runtime="task"))
    bench.restart()
    bench.supervisor.set_desired(KEY, workload(runtime="task"), 0)
    bench.supervisor.restore(0)
    assert [(type(effect).__name__, effect.runtime) for effect in bench.effects] == [("AdoptUnit", "task")]
    bench.supervisor.started(UNIT, {}, 0)
    bench.supervisor.set_desired(KEY, None, 1)
    bench.supervisor.step(60000)
    assert [effect.runtime for effect in bench.effects] == ["task"] * 3  # adopt, terminate, kill


def test_a_workload_that_changes_its_runtime_ends_in_the_one_and_starts_in_the_other():
    bench = Bench(runtimes=("process", "task"))
    bench.run()
    bench.supervisor.set_desired(KEY, workload(runtime="task"), 1)
    assert [(type(effect).__name__, effect.runtime) for effect in bench.effects] == [("SignalUnit", "process")]
    bench.take_effects()
    bench.supervisor.exited(UNIT, 143, 15, 2)
    assert [(type(effect).__name__, effect.runtime) for effect in bench.effects] == [("StartUnit", "task")]


def test_a_record_of_an_earlier_agent_is_of_a_process():
    from edgelite_protocol import cbor

    bench = Bench(runtimes=("process", "task"))
    bench.run()
    for place in list(bench.journal.values):
        fields = cbor.decode(bench.journal.values[place])
        bench.journal.values[place] = cbor.encode(fields[:8])
    bench.restart()
    bench.supervisor.restore(0)
    assert [(effect.runtime, effect.identity) for effect in bench.effects] == [("process", IDENTITY)]


def test_what_ran_in_a_runtime_that_this_port_lacks_is_forgotten_and_told():
    bench = Bench(runtimes=("process", "task"))
    bench.run(workload(runtime="task"))
    bench.runtimes = ("process",)
    bench.restart()
    bench.supervisor.restore(0)
    bench.supervisor.set_desired(KEY, workload(runtime="task"), 0)
    bench.supervisor.step(0)
    assert bench.take_effects() == [] and bench.journal.values == {}
    assert bench.status()[0][STATUS_CONTAINER_REASON] == "RuntimeUnavailable"


def test_what_a_runtime_knows_of_an_end_is_told():
    bench = Bench()
    bench.run(workload("Never"))
    bench.supervisor.exited(UNIT, 1, 0, 5, "ValueError: no such pin")
    bench.supervisor.step(5)
    assert bench.status()[0][STATUS_CONTAINER_MESSAGE] == "ValueError: no such pin"
