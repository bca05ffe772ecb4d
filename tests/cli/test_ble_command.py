"""`edgelite ble scan`: what is shown of what was heard, and what is said where there is no Bluetooth."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from edgelite_cli.commands import ble
from edgelite_drivers.ble.advertisements import Advertisement
from edgelite_ports.linux.ble.scan import Sighting
from edgelite_protocol.errors import PlatformError

BTHOME = bytes.fromhex("40 02c409 03bf13".replace(" ", ""))  # 25.0 degrees, 50.55 %: the format's own example


def sighting(address: str, name: str, rssi: int, data: bytes = b"") -> Sighting:
    advertisement = Advertisement(address)
    advertisement.name, advertisement.rssi = name, rssi
    if data:
        advertisement.service_data = {"0000fcd2-0000-1000-8000-00805f9b34fb": data}
    return Sighting(advertisement)


@pytest.fixture(autouse=True)
def heard(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scan(_seconds: float) -> AsyncIterator[Sighting]:
        yield sighting("AA:00:00:00:00:01", "far", -90)
        yield sighting("AA:00:00:00:00:02", "thermo", -40, BTHOME)

    monkeypatch.setattr(ble, "scan", scan)


def test_the_nearest_come_first_with_what_they_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert ble.main(["scan", "--time", "1s"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["ADDRESS", "AA:00:00:00:00:02", "AA:00:00:00:00:01"]
    assert "temperature=25" in lines[1] and "-40 dBm" in lines[1]


def test_only_what_is_wanted_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert ble.main(["scan", "--says", "bthome"]) == 0
    assert "far" not in capsys.readouterr().out
    assert ble.main(["scan", "--name", "nothing"]) == 1
    assert "no such device was heard" in capsys.readouterr().err


def test_a_machine_without_bluetooth_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def scan(_seconds: float) -> AsyncIterator[Sighting]:
        raise PlatformError("no Bluetooth: no adapter")
        yield

    monkeypatch.setattr(ble, "scan", scan)
    assert ble.main(["scan"]) == 1
    assert "no adapter (is bluetoothd running" in capsys.readouterr().err
