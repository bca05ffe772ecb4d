"""A user's own programs as simulated processes: what they can do, and that they end as processes do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from edgelite.driver import ConfigurationError
from edgelite_protocol.errors import MisuseError
from edgelite_sim.devices.source import device_from
from edgelite_sim.scenario.devices import API
from edgelite_sim.world.hub import SimHub
from edgelite_sim.world.programs import TIMERS_MAX, Program, SimProcess
from edgelite_sim.world.world import World

MODEL = f"""
apiVersion: {API}
kind: DeviceModel
metadata: {{name: meter}}
spec: {{protocol: modbus, properties: [{{name: limit, type: INT, accessMode: ReadWrite}}]}}
---
apiVersion: {API}
kind: Device
metadata: {{name: meter}}
spec:
  deviceModelRef: {{name: meter}}
  nodeName: node-1
  protocol: {{protocolName: modbus, configData: {{ip: 10.0.0.5, port: 502, slaveID: 1}}}}
  properties:
    - name: limit
      collectCycle: 5000
      visitors: {{configData: {{register: HoldingRegister, offset: 0}}}}
"""
METER = """
kind = "modbus"
unit = [{number = 1, range = [{name = "limit", table = "holding", address = 0, values = [100]}]}]
"""


def pod(*command: str, policy: str = "Never", **environment: str) -> dict[str, Any]:
    rows = [{"name": name, "value": value} for name, value in environment.items()]
    container = {"name": "main", "image": "host", "command": list(command), "env": rows}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "work", "namespace": "default"},
        "spec": {
            "nodeName": "node-1",
            "runtimeClassName": "process",
            "restartPolicy": policy,
            "containers": [container],
        },
    }


def world_with(program: Program, *arguments: str, policy: str = "Never", **environment: str) -> tuple[World, SimHub]:
    world = World(seed=3)
    hub = world.add_hub()
    node = world.add_node("node-1", is_on=False)
    node.boot_ms = 0
    world.add_device("node-1", "default/meter", device_from(METER), ("tcp", "10.0.0.5", 502))
    world.programs["python3 -m work"] = program
    hub.apply(MODEL)
    hub.apply(pod("python3", "-m", "work", *arguments, policy=policy, **environment))
    node.power_on()
    return world, hub


def state(hub: SimHub) -> dict[str, Any]:
    found = hub.get("pods", "work")
    assert found is not None
    rows = found["status"].get("containerStatuses") or [{"state": {}}]
    of_main: dict[str, Any] = rows[0]["state"]
    return of_main


def log(world: World) -> str:
    """Of the instance that ran last."""
    logs = world.nodes["node-1"].logs._logs
    return bytes(next(iter(logs.values()))[0].data).decode()


def test_a_coroutine_lives_in_virtual_time_and_ends_with_its_return() -> None:
    times = []

    async def work(process: SimProcess) -> None:
        for _ in range(3):
            times.append(process.now_ms)
            await asyncio.sleep(600)
        process.log(" ".join([*process.arguments, process.environment["TOWN"], process.node]))

    world, hub = world_with(work, "--fast", "2", TOWN="Ulm")
    world.run("30m")
    assert [times[1] - times[0], times[2] - times[1]] == [600_000, 600_000]
    assert "terminated" not in state(hub)
    world.run("1m")
    assert state(hub)["terminated"]["exitCode"] == 0
    assert log(world) == "begun\n--fast 2 Ulm node-1\n"


def test_tasks_queues_and_timeouts_of_asyncio_work() -> None:
    seen: list[str] = []

    async def work(process: SimProcess) -> None:
        queue: asyncio.Queue[str] = asyncio.Queue()
        task = asyncio.create_task(queue.get())
        process.after("2s", lambda: queue.put_nowait("put"))
        seen.append(await task)
        try:
            async with asyncio.timeout(5):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append("timeout")

    world, hub = world_with(work)
    world.run("1m")
    assert seen == ["put", "timeout"]
    assert state(hub)["terminated"]["exitCode"] == 0 and world.programs.errors == []


def test_a_function_ends_when_nothing_is_left_to_do() -> None:
    seen: list[str] = []

    def work(process: SimProcess) -> None:
        process.after("10s", lambda: seen.append("ten"))
        process.after(20_000, lambda: seen.append("twenty"))
        process.after("1h", lambda: seen.append("never")).cancel()

    world, hub = world_with(work)
    world.run("15s")
    assert seen == ["ten"] and "terminated" not in state(hub)
    world.run("10s")
    assert seen == ["ten", "twenty"] and state(hub)["terminated"]["exitCode"] == 0


@pytest.mark.parametrize(("code", "exit_code"), [(0, 0), (3, 3), (None, 0), ("no water", 1)])
def test_an_exit_is_one_wherever_it_comes_from(code: Any, exit_code: int) -> None:
    for ends in (in_a_task, in_a_timer):
        world, hub = world_with(ends(code))
        world.run("1m")
        assert state(hub)["terminated"]["exitCode"] == exit_code
        assert world.programs.errors == []


def in_a_task(code: Any) -> Program:
    async def inner() -> None:
        raise SystemExit(code)

    async def work(process: SimProcess) -> None:
        task = asyncio.create_task(inner())
        await asyncio.sleep(9999)
        await task

    return work


def in_a_timer(code: Any) -> Program:
    def end() -> None:
        raise SystemExit(code)

    def work(process: SimProcess) -> None:
        process.after(5, end)

    return work


def test_what_it_raises_is_in_its_log_and_ends_it_and_it_is_restarted() -> None:
    begun: list[int] = []

    async def work(process: SimProcess) -> None:
        begun.append(process.now_ms)
        await asyncio.sleep(1)
        raise ValueError("no such valve")

    world, _ = world_with(work, policy="Always")
    world.run("10s")
    assert len(begun) > 2
    assert "ValueError: no such valve" in log(world)
    assert len(world.programs.errors) >= len(begun) - 1
    assert "node-1" in world.programs.errors[0] and "no such valve" in world.programs.errors[0]
    assert world.nodes["node-1"].faults == []


def test_sigterm_ends_it_or_calls_its_handler() -> None:
    seen: list[str] = []

    async def deaf(process: SimProcess) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            seen.append("cleaned up")

    world, hub = world_with(deaf)
    world.run("20s")
    hub.delete("pods", "work")
    world.run("20s")
    assert hub.get("pods", "work") is None and seen == []

    async def tidy(process: SimProcess) -> None:
        over = asyncio.Event()
        process.on_terminate = over.set
        await over.wait()
        await asyncio.sleep(2)
        seen.append("tidied up")

    world, hub = world_with(tidy)
    world.run("20s")
    hub.delete("pods", "work")
    world.run("1s")
    assert hub.get("pods", "work") is not None and seen == []
    world.run("20s")
    assert hub.get("pods", "work") is None and seen == ["tidied up"]


def test_a_power_cut_lets_nothing_of_it_run_on() -> None:
    seen: list[str] = []

    async def work(process: SimProcess) -> None:
        seen.append("begun")
        try:
            await asyncio.sleep(3600)
        finally:
            seen.append("finally")

    world, _ = world_with(work, policy="Always")
    world.run("1m")
    world.nodes["node-1"].power_cut()
    world.run("70m")
    assert seen == ["begun"]
    world.nodes["node-1"].power_on()
    world.run("1m")
    assert seen == ["begun", "begun"]


def test_a_machine_that_sleeps_lets_nothing_of_it_run() -> None:
    seen: list[int] = []

    async def work(process: SimProcess) -> None:
        process.after("15s", lambda: seen.append(process.now_ms // 1000))
        while True:
            await asyncio.sleep(10)
            seen.append(process.now_ms // 1000)

    world, _ = world_with(work)
    world.run("12s")
    world.nodes["node-1"].suspend()
    world.run("10m")
    assert seen == [10]
    world.nodes["node-1"].resume()
    world.run("15s")
    assert seen[:3] == [10, 612, 612] and len(seen) == 4


def test_it_reads_and_desires_values_while_there_is_an_agent() -> None:
    seen: list[Any] = []

    async def work(process: SimProcess) -> None:
        seen.append(process.twin("default/nothing", "limit"))
        seen.append(process.twin("default/meter", "nothing"))
        await asyncio.sleep(20)
        seen.append(process.twin("default/meter", "limit"))
        seen.append(process.want("default/meter", "limit", 60))
        with pytest.raises(ConfigurationError, match="no such property"):
            process.want("default/meter", "nothing", 1)
        await asyncio.sleep(20)
        seen.append(process.twin("default/meter", "limit"))
        await asyncio.sleep(20)
        seen.append(process.twin("default/meter", "limit"))
        seen.append(process.want("default/meter", "limit", 50))

    world, hub = world_with(work)
    world.run("50s")
    world.nodes["node-1"].hang()
    world.run("40s")
    assert seen == [None, None, 100, True, 60, None, False]
    twins = (hub.get("devices", "meter") or {})["status"]["twins"]
    assert twins[0]["observedDesired"]["metadata"]["origin"] == "local"
    assert world.programs.errors == [] and world.nodes["node-1"].faults == []


def test_the_longest_name_that_fits_a_command_counts() -> None:
    world = World()
    short, long = in_a_timer(1), in_a_timer(2)
    world.programs["python3"] = short
    world.programs["python3 -m work"] = long
    assert world.programs.find(["python3", "-m", "work", "now"]) == (long, ["now"])
    assert world.programs.find(["python3", "other.py"]) == (short, ["other.py"])
    assert world.programs.find(["sh"]) is None


def test_bounds_and_misuse_are_told() -> None:
    raised: list[str] = []

    def work(process: SimProcess) -> None:
        wrong: tuple[int | str, ...] = ("soon", -1)
        for delay in wrong:
            with pytest.raises(MisuseError) as told:
                process.after(delay, process.exit)
            raised.append(str(told.value))
        for _ in range(TIMERS_MAX):
            process.after(1, lambda: None)
        with pytest.raises(MisuseError, match="at most"):
            process.after(1, lambda: None)

    world, hub = world_with(work)
    world.run("1m")
    assert len(raised) == 2 and "soon" in raised[0] and "90s" in raised[0]
    assert state(hub)["terminated"]["exitCode"] == 0


def test_a_run_with_programs_is_replayed_from_its_seed() -> None:
    async def work(process: SimProcess) -> None:
        while True:
            process.want("default/meter", "limit", 100 + process.now_ms % 50)
            await asyncio.sleep(7)

    digests = set()
    for _ in range(2):
        world, _ = world_with(work)
        world.run("10m")
        digests.add(world.trace.digest)
    assert len(digests) == 1


def test_a_world_says_what_it_lacks() -> None:
    world = World()
    with pytest.raises(MisuseError, match="add_hub"):
        world.add_node("node-1")
    world.add_hub()
    world.add_node("node-1")
    with pytest.raises(MisuseError, match="already"):
        world.add_node("node-1")
    with pytest.raises(MisuseError, match="90s"):
        world.run("a while")


def test_a_node_announces_the_drivers_that_its_settings_name() -> None:
    for driver, refusals in (("pump", []), ("pomp", ["DriverUnavailable"])):
        world = World()
        hub = world.add_hub()
        world.add_node("node-1", settings={"drivers": f"{driver}:pump_driver"})
        world.run("1m")
        hub.apply(MODEL.replace("modbus", "pump"))
        world.run("1m")
        conditions = (hub.get("devices", "meter") or {})["status"]["conditions"]
        assert [one["reason"] for one in conditions if one["type"] == "Compiled"] == refusals
