"""Simulated instruments from files, by the real serial driver in virtual time: they say what the clock says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgelite_drivers import serial
from edgelite_sim.devices.joined import Joined
from edgelite_sim.devices.source import device_from

ROOT = Path(__file__).parents[2]
DEVICES = ROOT / "sim" / "devices"


def documented(name: str) -> tuple[dict[str, Any], dict[str, tuple[str, object]]]:
    """The protocol and the properties of an example, as it stands in the documentation."""
    model, device = yaml.safe_load_all((ROOT / "examples" / f"{name}.yaml").read_text())
    kinds = {one["name"]: one["type"] for one in model["spec"]["properties"]}
    rows = {one["name"]: (kinds[one["name"]], one["visitors"]["configData"]) for one in device["spec"]["properties"]}
    return device["spec"]["protocol"]["configData"], rows


def joined(device: str, example: str, **parameters: Any) -> tuple[Joined, list[Mapping[str, object]]]:
    source = device_from(DEVICES / f"{device}.toml", **parameters)
    told: list[Mapping[str, object]] = []
    source.on_answered = lambda values, now_ms: told.append(values)
    protocol, properties = documented(example)
    return Joined(source, serial, protocol, properties), told


def test_a_meter_signs_on_at_300_baud_and_tells_the_hour() -> None:
    line, told = joined("meter62056", "electricity-meter")
    first = line.read()
    assert not first.errors and first.values["energy_import"] == 1234.5 and first.values["number"] == "12345678"
    line.wait(10 * 3_600_000)
    second = line.read()
    assert second.values["energy_import"] == pytest.approx(1238.0, abs=0.01)
    assert [row["readouts"] for row in told] == [1, 2]
    for found, truth in zip((first, second), told, strict=True):
        assert found.values == {name: truth[name] for name in found.values}


def test_a_scale_is_read_and_set() -> None:
    line, told = joined("scale", "scale")
    line.wait(12_000)
    assert line.read("weight", "stable").values == {"weight": 1.234, "stable": True} == told[-1]
    assert line.read("target").values == {"target": 2.0}
    assert not line.write("target", 1.5).errors
    assert line.read("target").values == {"target": 1.5}
    line.wait(10_000)
    assert line.read("weight").values == {"weight": 0.0}


def test_a_gps_receiver_is_listened_to() -> None:
    line, told = joined("gps", "gps")
    number = line.listen()
    line.wait(450_000)
    heard: dict[str, object] = {}
    for result in line.results:
        assert result.number == number and not result.errors
        heard.update(result.values)
    assert heard["latitude"] == pytest.approx(48.1273, abs=2e-6) and heard["valid"] is True
    assert heard["satellites"] == 10 and told[-1]["latitude"] == pytest.approx(48.1273, abs=2e-6)
    assert len(told) == 451, "one fix a second"
    line.wait(400_000)
    assert told[-1] == {"valid": False}, "it has lost the sky"


def test_the_line_is_opened_again_and_nothing_is_said_late() -> None:
    source = device_from(DEVICES / "gps.toml")
    peer = source.make_peer(0)
    peer.opened(0)
    assert peer.step(0) == 1000 and peer.data_to_send(4096).count(b"$") == 3
    peer.closed("unplugged", 400)
    again = source.make_peer(7_500)
    again.opened(7_500)
    assert again.step(7_500) == 8_000 and again.data_to_send(4096) == b"", "its periods go on as they were"
    assert again.step(8_000) == 9_000 and again.data_to_send(4096).count(b"$") == 3


def test_faults_of_an_instrument() -> None:
    line, told = joined("scale", "scale")
    source = line.source
    line.wait(12_000)
    source.fail("dead")
    assert not line.read("weight").answered and told == []
    source.heal()
    line.wait(10_000)  # the driver asks a silent device seldom
    assert line.read("weight").answered
    source.fail("slow", delay_ms=700)
    before_ms = line.now_ms
    assert line.read("weight").answered and line.now_ms - before_ms == 700
    source.fail("restart", boot_ms=3000)
    source.heal("slow")
    assert not line.read("weight").answered
    line.wait(10_000)
    assert line.read("weight").answered


def test_a_receiver_that_is_dead_says_nothing_and_its_truth_is_silent_too() -> None:
    line, told = joined("gps", "gps")
    line.listen()
    line.wait(5_000)
    line.source.fail("dead")
    before = len(told)
    line.wait(60_000)
    assert len(told) == before and any(not one.answered for one in line.results)
    line.source.heal()
    line.wait(5_000)
    assert len(told) == before + 5


def test_noise_is_found_by_the_checksum() -> None:
    line, told = joined("gps", "gps")
    line.listen("latitude")
    line.source.fail("noise", chance=0.5)
    line.wait(120_000)
    said = {row["latitude"] for row in told}
    heard = {one.values["latitude"] for one in line.results if one.values}
    assert 20 < len(heard) < len(said), "some are lost"
    assert all(min(abs(float(str(row)) - float(one)) for row in said) < 2e-6 for one in map(float, map(str, heard)))
