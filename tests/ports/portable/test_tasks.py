"""The runtime `task` under the real supervisor, on both runtimes."""

from task_bench import UNIT, Agent, workload

from edgelite_ports.micropython.tasks import HELD_MS, TaskStopped, register, sleep_ms
from edgelite_protocol import messages as m
from edgelite_protocol.errors import MisuseError


async def forever(task):
    count = 0
    while True:
        count += 1
        task.print("turn", count)
        await sleep_ms(100)


def by_generator(task):
    for word in task.arguments:
        task.print(word)
        yield 10


async def fails(task):
    await sleep_ms(10)
    raise ValueError("no such pin")


async def exits(task):
    await sleep_ms(0)
    raise SystemExit(int(task.arguments[0]))


async def cleans_up(task):
    try:
        while True:
            await sleep_ms(1000)
    except TaskStopped:
        await sleep_ms(200)
        task.print("closed the valve")


async def swallows_errors(task):
    while True:
        try:
            await sleep_ms(50)
        except Exception:  # noqa: BLE001 - what a careless loop does
            task.print("swallowed")


async def resists(task):
    """The stop and the close; after these nobody looks at it any more."""
    for _ in range(2):
        try:
            while True:
                await sleep_ms(50)
        except BaseException:  # noqa: BLE001 - what nobody should do
            task.print("not yet")
    await sleep_ms(50)


def not_a_task(task):
    return 5


def with_agent(test, functions, tasks_max=8):
    agent = Agent(functions, tasks_max)
    try:
        return test(agent)
    finally:
        agent.close()


def test_a_coroutine_runs_by_its_own_waits():
    def run(agent):
        agent.desire(workload("forever"))
        assert agent.row()["table_state"] == "running"
        assert agent.turn() == 100
        agent.run_for(250)
        assert agent.log() == "turn 1\nturn 2\nturn 3\n"
        assert m.STATUS_CONTAINER_PID not in agent.status()

    with_agent(run, {"forever": forever})


def test_a_generator_runs_with_its_arguments_and_completes():
    def run(agent):
        agent.desire(workload("words", "a", "$(EDGELITE_POD_NAME)", "ü $(X)", policy="OnFailure"))
        agent.run_for(100)
        assert agent.row()["table_state"] == "completed"
        assert agent.status()[m.STATUS_CONTAINER_EXIT_CODE] == 0
        assert agent.log() == "a\nwork\nü $(X)\n"

    with_agent(run, {"words": by_generator})


def test_environment_and_files_are_passed():
    seen = []

    def look(task):
        seen.append((task.name, task.unit, task.environment, task.files))
        yield 0

    def run(agent):
        variables = {"RATE": "2", "WHO": "$(EDGELITE_NODE)!"}
        agent.desire(workload("look", policy="Never", environment=variables, files=[("etc/a", b"x", 0o644)]))
        agent.run_for(1)

    with_agent(run, {"look": look})
    environment = {
        "EDGELITE_NODE": "node-1",
        "EDGELITE_POD_NAME": "work",
        "EDGELITE_POD_NAMESPACE": "default",
        "EDGELITE_POD_UID": "u1",
        "RATE": "2",
        "WHO": "node-1!",
    }
    assert seen == [("look", UNIT, environment, {"etc/a": b"x"})]


def test_an_exception_is_an_end_with_the_last_line_as_message_and_the_traceback_in_the_log():
    def run(agent):
        agent.desire(workload("fails", policy="Never"))
        agent.run_for(100)
        assert agent.row()["table_state"] == "failed"
        assert agent.status()[m.STATUS_CONTAINER_EXIT_CODE] == 1
        assert agent.status()[m.STATUS_CONTAINER_MESSAGE] == "ValueError: no such pin"
        assert agent.log().endswith("ValueError: no such pin\n")
        assert "test_tasks.py" in agent.log()

    with_agent(run, {"fails": fails})


def test_exit_codes():
    def run(agent):
        for text, code in (("0", 0), ("7", 7), ("256", 0)):
            agent.desire(workload("exits", text, policy="Never"))
            agent.run_for(10)
            assert agent.status()[m.STATUS_CONTAINER_EXIT_CODE] == code
            agent.desire(None)

    with_agent(run, {"exits": exits})


def test_what_fails_is_started_again_with_the_backoff_of_every_runtime():
    def run(agent):
        agent.desire(workload("fails"))
        agent.run_for(900)  # it fails at 10 ms, at once again, and then waits a second
        assert agent.row()["table_state"] == "backoff" and agent.row()["restarts"] == 2
        assert agent.status()[m.STATUS_CONTAINER_REASON] == "CrashLoopBackOff"
        agent.run_for(200)
        assert agent.row()["restarts"] == 3
        assert agent.log(previous=True).endswith("no such pin\n")

    with_agent(run, {"fails": fails})


def test_a_task_is_told_to_stop_and_may_wait_while_it_does():
    def run(agent):
        agent.desire(workload("valve"))
        agent.run_for(500)
        agent.desire(None)
        assert agent.row()["table_state"] == "stopping"
        log = agent.logs.open("u1", "main", -1, False, 0)
        agent.run_for(300)
        assert agent.row() == {}
        assert log.read(100) == b"closed the valve\n"
        assert {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: "u1"} in agent.bodies
        assert agent.tasks.units() == []

    with_agent(run, {"valve": cleans_up})


def test_a_stop_passes_a_loop_that_swallows_errors():
    def run(agent):
        agent.desire(workload("loop", policy="Never"))
        agent.run_for(120)
        agent.desire(stopped("loop"))
        agent.run_for(10)
        assert agent.row() == {} and agent.warnings == []

    with_agent(run, {"loop": swallows_errors})


def stopped(*command):
    form = workload(*command, policy="Never")
    form[m.WORKLOAD_TERMINATING] = True
    return form


def test_what_resists_is_dropped_when_the_grace_period_has_passed():
    def run(agent):
        agent.desire(workload("resists", grace_ms=300))
        agent.run_for(100)
        agent.desire(None)
        agent.run_for(200)
        assert agent.row()["table_state"] == "stopping"
        agent.run_for(200)
        assert agent.row() == {} and agent.tasks.units() == []

    with_agent(run, {"resists": resists})


def test_what_is_dropped_is_closed_first():
    ended = []

    def stays(task):
        try:
            while True:
                try:
                    yield 10
                except TaskStopped:
                    task.print("not yet")
        finally:
            ended.append(task.unit)

    def run(agent):
        agent.desire(workload("stays", grace_ms=100))
        agent.run_for(50)
        agent.desire(None)
        agent.run_for(50)
        assert ended == []
        body = agent.tasks._running[UNIT].body  # so that no collector closes it
        agent.run_for(100)
        assert ended == [UNIT] and agent.row() == {}
        body.close()

    with_agent(run, {"stays": stays})


def test_what_cannot_be_started_says_why():
    def run(agent):
        for command, digest, reason, text in (
            ("blink", None, "CommandNotFound", 'no task "blink" in this firmware (it has: number)'),
            ("no_such_module:run", None, "CommandNotFound", "no_such_module"),
            ("task_bench:nothing", None, "CommandNotFound", "has no nothing"),
            ("number", None, "NotATask", "number is no coroutine function"),
            ("task_bench:workload", None, "NotATask", "no generator function"),
            ("number", b"d" * 32, "InvalidImage", "part of the firmware"),
        ):
            agent.desire(workload(command, policy="Never", digest=None))
            if digest is not None:
                agent.desire(workload(command, policy="Never", digest=digest))
                agent.supervisor.artifact_ready(digest, agent.now_ms)
                agent.turn()
            assert agent.status()[m.STATUS_CONTAINER_REASON] == reason, agent.status()
            assert text in agent.status()[m.STATUS_CONTAINER_MESSAGE], agent.status()
            agent.desire(None)

    with_agent(run, {"number": not_a_task})


def test_a_function_of_a_module_needs_no_registration():
    def run(agent):
        agent.desire(workload("test_tasks:by_generator", "x", policy="Never"))
        agent.run_for(50)
        assert agent.log() == "x\n"

    with_agent(run, {})


def test_there_are_so_many_tasks_and_no_more():
    def run(agent):
        for uid in ("u1", "u2", "u3"):
            agent.desire(workload("forever", uid=uid), uid)
        assert agent.tasks.units() == ["u1/main", "u2/main"]
        assert agent.row("u3/main")["reason"] == "TaskLimit"
        agent.desire(None, "u1")
        agent.run_for(5000)
        assert agent.tasks.units() == ["u2/main", "u3/main"]

    with_agent(run, {"forever": forever}, 2)


def test_one_task_that_fails_leaves_the_others_alone():
    def run(agent):
        agent.desire(workload("forever"))
        agent.desire(workload("fails", uid="u2", policy="Never"), "u2")
        agent.run_for(350)
        assert agent.log().endswith("turn 4\n")

    with_agent(run, {"forever": forever, "fails": fails})


def test_a_wait_for_something_else_than_time_is_refused():
    def waits_for_text(task):
        yield "soon"

    def run(agent):
        agent.desire(workload("text", policy="Never"))
        agent.run_for(10)
        assert "not for str" in agent.status()[m.STATUS_CONTAINER_MESSAGE]

    with_agent(run, {"text": waits_for_text})


def test_a_task_that_holds_the_node_is_told_once():
    agent = Agent()

    def holds(task):
        while True:
            agent.now_ms += HELD_MS + 1
            yield 10

    register("holds", holds)
    agent._functions = {"holds": holds}
    try:
        agent.desire(workload("holds"))
        agent.run_for(5000)
        assert agent.warnings == ["task holds of u1/main held the node for %d ms" % (HELD_MS + 1)]
    finally:
        agent.close()


def test_nothing_of_it_outlives_its_agent():
    def run(agent):
        agent.desire(workload("forever"))
        agent.run_for(10)
        agent.restart()
        agent.desire(workload("forever"))
        agent.run_for(10)
        assert agent.row()["table_state"] == "running" and agent.row()["restarts"] == 1

    with_agent(run, {"forever": forever})


def test_closing_ends_all_of_them():
    ended = []

    def notes(task):
        try:
            while True:
                yield 10
        finally:
            ended.append(task.unit)

    def run(agent):
        agent.desire(workload("notes"))
        agent.run_for(20)
        agent.tasks.close()
        assert ended == [UNIT]

    with_agent(run, {"notes": notes})


def test_names_of_tasks_are_unique():
    def run(agent):
        for name in ("forever", "", "a:b"):
            try:
                register(name, forever)
            except MisuseError:
                continue
            raise AssertionError("registered " + name)

    with_agent(run, {"forever": forever})


def test_beside_asyncio():
    """An asyncio firmware runs the agent as one of its tasks; the agent steps its own."""
    import asyncio

    turns = []

    async def other():
        for number in range(5):
            turns.append(number)
            await asyncio.sleep(0.001)

    async def agent_in_asyncio(agent):
        for _ in range(5):
            agent.run_for(100)
            await asyncio.sleep(0.001)

    async def both(agent):
        await asyncio.gather(other(), agent_in_asyncio(agent))

    def run(agent):
        agent.desire(workload("forever"))
        asyncio.run(both(agent))
        assert turns == [0, 1, 2, 3, 4]
        assert agent.log().endswith("turn 6\n")

    with_agent(run, {"forever": forever})
