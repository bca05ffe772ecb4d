"""The pytest plugin: its fixtures, what fails a test, what a failing test prints, and the example that stands on it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import edgelite_sim.pytest_plugin
from edgelite.driver import ConfigurationError
from edgelite_sim.faults.causing import cause
from edgelite_sim.faults.kind import Scene
from edgelite_sim.world.programs import SimProcess
from edgelite_sim.world.world import World

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "testing-your-application.md"
EXAMPLE = ROOT / "examples" / "simulated"
WITHOUT = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")  # which takes a second to load
METER = '''
import pytest
from edgelite_sim.devices.source import device_from

MANIFEST = """
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: meter}
spec: {protocol: modbus, properties: [{name: count, type: INT}]}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: meter}
spec:
  deviceModelRef: {name: meter}
  nodeName: node-1
  protocol: {protocolName: modbus, configData: {ip: 10.0.0.5, port: 502, slaveID: 1}}
  properties:
    - name: count
      collectCycle: 10000
      visitors: {configData: {register: InputRegister, offset: 0, limit: 2, type: uint32}}
"""
REGISTERS = """
kind = "modbus"
unit = [{number = 1, range = [
  {name = "count", table = "input", address = 0, type = "uint32", value = {counter = "reads"}},
]}]
"""
POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "work"}, "spec": {
    "nodeName": "node-1", "runtimeClassName": "process", "restartPolicy": "Never",
    "containers": [{"name": "work", "image": "host", "command": ["work"]}]}}

@pytest.fixture
def meter(world, hub, node):
    world.add_device("node-1", "default/meter", device_from(REGISTERS), ("tcp", "10.0.0.5", 502))
    hub.apply(MANIFEST)

def counted(hub):
    return [sample.value for sample in hub.samples("default/meter", "count")]
'''


def run(pytester: pytest.Pytester, test: str, *arguments: str, early: bool = True) -> pytest.RunResult:
    pytester.makepyfile(METER + test)
    plugin = ["-p", "edgelite_sim.pytest_plugin"] if early else []
    return pytester.runpytest_inprocess(*plugin, "--strict-markers", *WITHOUT, *arguments)


def text_of(result: pytest.RunResult) -> str:
    return "\n".join(result.outlines + result.errlines)


def test_outages_and_faults_come_and_go_and_nothing_is_lost(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
from dataclasses import replace
from edgelite_sim.network.profile import builtin

def test_outage(world, hub, node, outage, fault, meter):
    world.run("1m")
    with outage(node, "silent"):
        assert node.link.state == "silent"
        world.run("10m")
        before = len(counted(hub))
    assert node.link.state == "up" and before < 10
    other = outage("node-1", "refused", for_="30s")
    world.run(31_000)
    assert node.link.state == "up"
    other.end()
    with outage.profile(node, "gprs"):
        assert node.link.profile.name == "gprs"
    with outage.profile(node, replace(builtin("lte"), name="mine", nat_idle_ms=5000)):
        assert node.link.profile.nat_idle_ms == 5000
    assert node.link.profile.name == "lan"
    with fault("device-dead", "meter@node-1"), fault("slow-sync", node, takes="5s"):
        world.run("1m")
    with fault("power-cut", node, for_="1h"):
        assert not node.is_on
        world.run("1m")
    assert node.is_on
    fault("hub-crash", hub)
    assert not hub.is_up
    world.run("10m")
    found = counted(hub)
    assert hub.is_up and len(found) > 100 and found == sorted(set(found))
    assert [line for line in world.trace.tail if " fault heal meter@node-1 device-dead" in line]
""",
    )
    result.assert_outcomes(passed=1)


def test_seeds_come_from_the_command_line_the_marker_or_are_1(pytester: pytest.Pytester) -> None:
    test = """
seeds = []
def test_plain(world): seeds.append(world.seed)
@pytest.mark.edgelite(seed=7)
def test_marked(world): seeds.append(world.seed)
def test_no_world(): print("seeds", sorted(seeds))
"""
    for arguments, expected in (
        ((), "[1, 7]"),
        (("--edgelite-seed", "9"), "[9, 9]"),
        (("--edgelite-seeds", "3"), "[1, 1, 2, 2, 3, 3]"),
    ):
        assert "seeds " + expected in text_of(run(pytester, test, "-s", *arguments))


def test_the_marker_says_what_the_node_and_the_calendar_are(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
pytestmark = pytest.mark.edgelite(profile="satellite", start="2030-06-01T12:00:00Z")

@pytest.mark.edgelite(settings={"group_window_ms": 500})
def test_node(world, node):
    assert node.link.profile.name == "satellite" and world.unix_ms == 1906545600000
    assert "group_window_ms = 500" in node.config_text
""",
    )
    result.assert_outcomes(passed=1)


def test_a_failing_test_tells_how_to_see_it_again(pytester: pytest.Pytester) -> None:
    test = """
@pytest.mark.edgelite(seed=5, profile="flaky-lte")
def test_wrong(world, hub, meter):
    world.run("5m")
    assert len(counted(hub)) == 1000
"""
    first = text_of(run(pytester, test))
    command = re.search(r"the same again: pytest (.*)", first)
    assert command is not None and "seed 5, 300000 ms simulated" in first
    assert command[1].endswith('::test_wrong" --edgelite-seed 5') and "-p edgelite_sim.pytest_plugin" in command[1]
    digest = re.search(r"^trace (\w{64})$", first, re.MULTILINE)
    assert digest is not None and "node-1 up" in first
    assert digest[1] in text_of(run(pytester, test, "--edgelite-seed", "5"))
    assert digest[1] not in text_of(run(pytester, test, "--edgelite-seed", "6"))
    many = text_of(run(pytester, test, "--edgelite-seeds", "2"))
    assert '::test_wrong" --edgelite-seed 1' in many and '::test_wrong" --edgelite-seed 2' in many


RAISING = """
from edgelite.supervisor import Supervisor

def test_sees_nothing(world, hub, node, meter, monkeypatch):
    world.run("1m")
    def raises(supervisor, now_ms):
        raise KeyError("planted")
    with monkeypatch.context() as patch:
        patch.setattr(Supervisor, "step", raises)
        world.run("1m")
    world.run("2m")
"""


def test_an_agent_that_raised_fails_a_test_that_has_not_noticed(pytester: pytest.Pytester) -> None:
    result = run(pytester, RAISING)
    result.assert_outcomes(failed=1)
    text = text_of(result)
    assert "nothing-raises does not hold: No agent ends because its own code raised" in text
    assert "KeyError: 'planted'" in text and "seed 1" in text


def test_a_violated_invariant_fails_a_test_that_has_not_noticed(pytester: pytest.Pytester) -> None:
    """An agent whose supervisor takes every end for the last one."""
    test = """
from edgelite.supervisor import supervisor, table

@pytest.mark.edgelite(invariants=SWITCH)
def test_sees_nothing(world, hub, node, monkeypatch):
    monkeypatch.setattr(supervisor, "ending", lambda restart_policy, well: table.BADLY)
    POD["spec"]["restartPolicy"] = "Always"
    POD["spec"]["containers"][0]["command"] = ["sim", "exits", "--after", "20m", "--code", "1"]
    hub.apply(POD)
    world.run("30m")
"""
    result = run(pytester, test.replace("SWITCH", "True"))
    result.assert_outcomes(failed=1)
    text = text_of(result)
    assert "what-should-run-runs does not hold: A workload that shall always run runs once, and again" in text
    assert "node-1: default/work does not run: it had to by" in text
    others = "'desired-state-is-reached': {'bound_ms': 10**9}"
    run(pytester, test.replace("SWITCH", "{'what-should-run-runs': False, %s}" % others)).assert_outcomes(passed=1)
    run(pytester, test.replace("SWITCH", "False")).assert_outcomes(passed=1)


def test_what_a_program_raises_fails_the_test_unless_it_may(pytester: pytest.Pytester) -> None:
    test = """
def work(process):
    assert process.arguments, "no arguments"

@pytest.mark.edgelite(may_raise=MAY)
def test_work(world, hub, node):
    world.programs["work"] = work
    hub.apply(POD)
    world.run("1m")
"""
    result = run(pytester, test.replace("MAY", "False"))
    result.assert_outcomes(failed=1)
    assert "AssertionError: no arguments" in text_of(result)
    run(pytester, test.replace("MAY", "True")).assert_outcomes(passed=1)


def test_a_test_that_fails_by_itself_is_told_what_did_not_hold_either(pytester: pytest.Pytester) -> None:
    result = run(pytester, RAISING + "    assert counted(hub) == []\n")
    result.assert_outcomes(failed=1)
    text = text_of(result)
    assert "this did not hold either" in text and "KeyError: 'planted'" in text


WRONG_MARKERS = {
    "sead=3": "takes by name: seed, start",
    "seed='x'": "give a number",
    "start='noon'": "write a date such as 2026-06-01T12:00:00Z",
    "invariants={'no-storm': False}": "no-reconnect-storm",
    "invariants={'no-reconnect-storm': {'bound': 1}}": "is no bound of no-reconnect-storm, which has:",
    "profile='lt'": "lte",
}


def test_a_marker_that_is_wrong_says_what_is_allowed(pytester: pytest.Pytester) -> None:
    tests = [
        f"@pytest.mark.edgelite({marker})\ndef test_{at}(world, node): pass\n"
        for at, marker in enumerate(WRONG_MARKERS)
    ]
    result = run(pytester, "".join(tests))
    result.assert_outcomes(errors=len(WRONG_MARKERS))
    for part, says in zip(text_of(result).split("ERROR at setup of")[1:], WRONG_MARKERS.values(), strict=True):
        assert says in part


@pytest.mark.parametrize(
    ("kind", "target", "parameters", "says"),
    [
        ("powercut", "node-1", {}, "there is no fault 'powercut'; did you mean 'power-cut'?"),
        ("outage", "node-2", {}, "there is no link 'node-2'; did you mean 'node-1'? allowed: node-1"),
        ("outage", "node-1", {"how": "silence"}, "there is no 'silence'; did you mean 'silent'?"),
        ("outage", "node-1", {"for_": "soon"}, "'soon' is no duration"),
        ("slow-sync", "node-1", {"take": "1s"}, "take: is no parameter of slow-sync; did you mean 'takes'?"),
        ("slow-sync", "node-1", {"takes": "1h"}, "1h is out of bounds; allowed: 1ms to 2m"),
        ("profile", "node-1", {}, "profile: needs profile"),
        ("clock-jump", "node-1", {"to": "noon"}, "'noon' is no date; write a date such as"),
        ("device-dead", "pump@node-1", {}, "there is no device 'pump@node-1'; there is none to name"),
        ("hub-crash", "hub-2", {}, "there is no hub 'hub-2'; did you mean 'hub'?"),
    ],
)
def test_a_fault_that_is_wrong_says_what_is_allowed(
    kind: str, target: str, parameters: dict[str, str], says: str
) -> None:
    world = World()
    world.add_hub()
    world.add_node("node-1")
    with pytest.raises(ConfigurationError) as told:
        cause(Scene(world), kind, target, **parameters)
    assert says in str(told.value)
    assert not [line for line in world.trace.tail if " fault " in line]


def test_a_test_module_may_name_the_plugin_itself(pytester: pytest.Pytester) -> None:
    test = """
pytest_plugins = ["edgelite_sim.pytest_plugin"]

@pytest.mark.edgelite(seed=4)
def test_it(world, node, outage_proxy):
    assert callable(outage_proxy) and world.seed == 4
    world.run("1m")
    assert False
"""
    result = run(pytester, test, early=False)
    result.assert_outcomes(failed=1)
    assert re.search(r'the same again: pytest "[^"]*::test_it"\n', text_of(result))


def test_it_is_not_loaded_for_whoever_has_not_asked(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(world): pass")
    result = pytester.runpytest_inprocess(*WITHOUT)
    result.assert_outcomes(errors=1)
    assert "fixture 'world' not found" in text_of(result)


# ---- the example


def run_example(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", *WITHOUT, str(folder)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


def test_the_example_is_short() -> None:
    def lines(name: str) -> int:
        return len([line for line in (EXAMPLE / name).read_text().splitlines() if line.strip()])

    assert lines("test_pump_station.py") < 40
    assert lines("pump_driver.py") < 60


def test_the_example_passes_and_sees_a_driver_and_a_workload_that_are_wrong(tmp_path: Path) -> None:
    told = run_example(EXAMPLE)
    assert told.returncode == 0 and "3 passed" in told.stdout, told.stdout
    shutil.copytree(EXAMPLE, tmp_path / "broken")
    replace(tmp_path / "broken" / "pump_driver.py", "(words[0], request.value)", "(words[0], 900)")
    told = run_example(tmp_path / "broken")
    assert told.returncode == 1 and "assert 900 == 0" in told.stdout and "assert 900 == 300" in told.stdout, told.stdout


def replace(file: Path, what: str, by: str) -> None:
    text = file.read_text()
    assert text.count(what) == 1
    file.write_text(text.replace(what, by))


# ---- the page


def blocks() -> dict[str, str]:
    """By the file that the first line names; "" for a program that stands alone."""
    found = re.findall(r"```(?:python|toml|yaml)\n(?:# (\S+\.\w+)\n)?(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len({name for name, _ in found}) == len(found)
    return dict(found)


def test_every_block_of_the_page_runs(pytester: pytest.Pytester, capsys: pytest.CaptureFixture[str]) -> None:
    shown = blocks()
    exec(compile(shown.pop(""), PAGE.name, "exec"), {})
    assert re.fullmatch(r"\w{64}\n", capsys.readouterr().out)
    for name, text in shown.items():
        (pytester.path / name).write_text(text)
    result = pytester.runpytest_inprocess(*WITHOUT, "--strict-markers")
    result.assert_outcomes(
        passed=sum(text.count("\ndef test_") + text.startswith("def test_") for text in shown.values())
    )


def test_the_page_names_what_there_is() -> None:
    page = PAGE.read_text()
    for name in (*edgelite_sim.pytest_plugin.__all__, *edgelite_sim.pytest_plugin.MARKER):
        assert name == "edgelite_seed" or re.search(rf"\b{name}\b", page), name
    for name in re.findall(r"`((?:examples|edgelite_sim)/[\w/.]+)`", page):
        assert (ROOT / name).exists() or (ROOT / "sim" / name).exists(), name
    of_process = page.partition("| of `process` |")[2].partition("\n\n")[0]
    world = World()
    world.add_hub()
    process = SimProcess(world.add_node("node-1"), print, [], {})
    for row in re.findall(r"^\| (`.*?) \|", of_process, re.MULTILINE):
        for name in re.findall(r"`(\w+)", row):
            assert hasattr(process, name), name
