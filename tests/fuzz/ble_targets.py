"""What the BLE driver decodes: advertisements, beacons, sensors' data, values of attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Function = Callable[[bytes], None]

ADDRESS = "A4:C1:38:00:11:22"
KEY = bytes(range(16))
MULTIPLY = {"operationType": "Multiply", "operationValue": 10**30}
DIVIDE = {"operationType": "Divide", "operationValue": 3}
CONVERTERS: tuple[dict[str, Any], ...] = (
    {"startIndex": 1, "endIndex": 0, "shiftRight": 2, "orderOfOperations": [{**MULTIPLY, "operationValue": 0.03125}]},
    {"startIndex": 0, "endIndex": 7, "shiftLeft": 63},
    {"startIndex": 7, "endIndex": 0, "orderOfOperations": [MULTIPLY] * 16},
    {"startIndex": 7, "endIndex": 0, "orderOfOperations": [MULTIPLY] * 12 + [DIVIDE]},
    {"startIndex": 0, "endIndex": 0, "orderOfOperations": [{"operationType": "Subtract", "operationValue": 40}]},
)


def ble_advertisements() -> Function:
    from edgelite_drivers.ble.advertisements import Advertisement, eddystone, ibeacon, take_structures
    from edgelite_drivers.ble.values import ValueRefused

    def function(data: bytes) -> None:
        advertisement = Advertisement(ADDRESS, True, -60)
        take_structures(advertisement, data)
        ibeacon(advertisement)
        try:
            eddystone(advertisement)
        except ValueRefused:
            return

    return function


def ble_sensors() -> Function:
    from edgelite.devices.values import fault_of
    from edgelite_drivers.ble import bthome
    from edgelite_drivers.ble.values import ValueRefused

    def function(data: bytes) -> None:
        """The first byte says whether there is a key."""
        key = KEY if data[:1] > b"\x7f" else None
        try:
            objects = bthome.payload(data[1:], ADDRESS, key)
        except ValueRefused:
            return
        for name, value in bthome.measurements(objects):
            assert name in bthome.names()
            kinds = ("INT", "DOUBLE", "BOOLEAN", "STRING", "BYTES")
            assert any(not fault_of(kind, value) for kind in kinds), "no twin can hold it"

    return function


def ble_converter() -> Function:
    from edgelite_drivers.ble.data_converter import ValueRefused, check_converter, convert

    made = [check_converter(config, False) for config in CONVERTERS]

    def function(data: bytes) -> None:
        """The first byte chooses the converter."""
        try:
            value = convert(made[data[0] % len(made)] if data else made[0], data[1:])
        except ValueRefused:
            return
        assert isinstance(value, int | float) and value - value == 0

    return function
