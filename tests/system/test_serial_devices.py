"""The documented examples of serial devices, against simulated instruments on pseudo terminals, by the agent of either
runtime and a hub."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from edgelite_sim.devices.instruments import Gps, Meter, Scale, SimulatedLine
from edgelite_sim.site import Site

NODE = "node-1"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DEVICES = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices"
Scene = Callable[[Site], Any]
Play = Callable[[Scene], None]


def example(name: str, path: Path, **settings: object) -> str:
    """As it is documented, but for the line's name, quicker cycles and these settings."""
    documents = list(yaml.safe_load_all((EXAMPLES / f"{name}.yaml").read_text()))
    spec = documents[-1]["spec"]
    spec["protocol"]["configData"].update(settings, serialPort=str(path))
    for one in spec["properties"]:
        one["collectCycle"] = min(one["collectCycle"], 1000)
    return str(yaml.safe_dump_all(documents))


def reported(site: Site, device: str) -> dict[str, str]:
    status = site.get(f"{DEVICES}/{device}").get("status") or {}
    return {
        one["propertyName"]: one["reported"]["value"]
        for one in status.get("twins") or []
        if (one.get("reported") or {}).get("value")
    }


def told(site: Site, device: str) -> str:
    """All that the hub knows of its state and twins."""
    return str(site.get(f"{DEVICES}/{device}").get("status"))


def test_the_three_examples(play_on_both: Play, tmp_path: Path) -> None:
    gps, scale, meter = Gps(0.2), Scale(), Meter()

    async def scene(site: Site) -> None:
        for name in ("gps", "scale", "electricity-meter"):
            await site.apply(f"{name}.yaml", example(name, tmp_path / name))

        await site.until("the place is there", lambda: len(reported(site, "gps")) == 6)
        place = reported(site, "gps")
        assert abs(float(place["latitude"]) - 48.1173) < 1e-5 and abs(float(place["longitude"]) - 11.516667) < 1e-5
        assert (place["altitude"], place["satellites"], place["valid"]) == ("545.4", "8", "true")

        await site.until("the scale is read", lambda: len(reported(site, "scale")) == 3)
        assert reported(site, "scale")["weight"] == "1.234"
        await site.until("the target weight is set", lambda: scale.target_kg == 1.5)
        await site.until("and reported", lambda: reported(site, "scale")["target"] == "1.5")

        await site.until("the meter is read", lambda: len(reported(site, "electricity-meter")) == 4)
        assert reported(site, "electricity-meter") == {
            "energy_import": "1234.5",
            "energy_export": "17.25",
            "voltage_l1": "229.8",
            "number": "12345678",
        }
        assert meter.bauds[:3] == [300, 300, 9600], "the sign-on, its acknowledgement, the data"
        await site.until("it is read again, from 300 baud on", lambda: meter.readouts >= 2 and 300 in meter.bauds[3:])

    with (
        SimulatedLine(gps, tmp_path / "gps"),
        SimulatedLine(scale, tmp_path / "scale"),
        SimulatedLine(meter, tmp_path / "electricity-meter"),
    ):
        play_on_both(scene)


def test_a_line_is_unplugged_and_comes_back_under_its_name(play_on_both: Play, tmp_path: Path) -> None:
    gps = Gps(0.2)

    async def scene(site: Site) -> None:
        await site.apply("gps.yaml", example("gps", tmp_path / "gps"))
        await site.until("it is read", lambda: "latitude" in reported(site, "gps"))
        line.unplug()
        await asyncio.sleep(1)  # it tries in vain
        gps.latitude = -33.5
        line.plug()

        def is_there() -> bool:
            return float(reported(site, "gps").get("latitude", 0)) == -33.5

        await site.until("it is back", is_there, timeout_s=60)

    with SimulatedLine(gps, tmp_path / "gps") as line:
        play_on_both(scene)


def test_what_is_wrong_with_a_line_is_told_and_disturbs_no_other(play_on_both: Play, tmp_path: Path) -> None:
    gps, scale, meter = Gps(0.2), Scale(), Meter()
    gps.is_damaged = True

    async def scene(site: Site) -> None:
        await site.apply("gps.yaml", example("gps", tmp_path / "gps", silenceMs=1000))
        await site.apply("scale.yaml", example("scale", tmp_path / "scale"))
        await site.apply("meter.yaml", example("electricity-meter", tmp_path / "meter", baudRate=9600, timeoutMs=500))
        await site.until("a line in use", lambda: "is in use by another program" in told(site, "scale"))
        await site.until("a wrong baud rate", lambda: "no answer within 500 ms" in told(site, "electricity-meter"))
        await site.until("damage", lambda: "within 1000 ms: wrong checksum" in told(site, "gps"))
        gps.is_damaged = False
        fcntl.flock(other, fcntl.LOCK_UN)
        await site.until("one is back", lambda: "latitude" in reported(site, "gps"), timeout_s=60)
        await site.until("and the other", lambda: "weight" in reported(site, "scale"), timeout_s=60)

    with (
        SimulatedLine(gps, tmp_path / "gps"),
        SimulatedLine(scale, tmp_path / "scale"),
        SimulatedLine(meter, tmp_path / "meter"),
    ):
        other = os.open(tmp_path / "scale", os.O_RDWR | os.O_NOCTTY)
        fcntl.flock(other, fcntl.LOCK_EX)
        try:
            play_on_both(scene)
        finally:
            os.close(other)
