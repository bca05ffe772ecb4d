"""A pump station beside a railway, before it is built: pytest examples/simulated"""

from pathlib import Path

import pytest
from pump import Pump, watch

from edgelite_sim.devices.instrument_source import InstrumentSource

pytestmark = pytest.mark.edgelite(settings={"drivers": "pump:pump_driver"})


@pytest.fixture
def pump(world, hub, node):
    pump = Pump()
    world.add_device("node-1", "default/pump", InstrumentSource("pump", pump, seed=1), ("tcp", "10.0.0.5", 7000))
    world.programs["python3 -m watch"] = watch
    hub.apply(Path(__file__).with_name("pump.yaml").read_text())
    world.run("2m")
    return pump


def test_nothing_is_lost_in_tunnels_and_all_comes_in_order(world, hub, node, outage, pump):
    with outage.profile(node, "tunnel"):
        world.run("2h")
    world.run("1m")
    told = [sample.value for sample in hub.samples("default/pump", "strokes")]
    assert told == list(range(1, len(told) + 1)) and pump.strokes - len(told) <= 1


def test_the_pump_stands_still_while_nobody_watches_it(world, node, outage, pump):
    with outage(node, "silent"):
        world.run("15m")
        assert pump.speed == 0
    world.run("10m")
    assert pump.speed == 900


def test_the_workload_slows_a_dry_pump_without_a_hub(world, node, outage, fault, pump):
    with outage(node), fault("power-cut", node, for_="5s"):
        pump.level = 1
        world.run("2m")
    assert pump.speed == 300
