"""The BLE driver's other half on a board: MicroPython's `bluetooth`, in the agent's own loop
(edgelite_ports/common/driver_half.py says what it offers)."""

# ruff: noqa: I001
# MicroPython on 32-bit Linux lets imports nest 8 deep (tests/house/test_import_depth.py): the deep end first.
import edgelite_drivers.ble.values
import edgelite_drivers.ble.config
import edgelite_drivers.ble.heard
import edgelite_drivers.ble.peer  # noqa: F401

from edgelite_drivers.ble.half import Half

LOOK_MS = 50  # interrupts wake no loop that sleeps in poll(), so it looks


class BoardHalf(Half):
    """`step` comes soon again while there is anything to hear."""

    def step(self, now_ms: int) -> "int | None":
        deadline_ms = Half.step(self, now_ms)
        if self.central.is_busy:
            soon_ms = now_ms + LOOK_MS
            return soon_ms if deadline_ms is None else min(deadline_ms, soon_ms)
        return deadline_ms


def make_half() -> BoardHalf:
    """ImportError where the firmware has no `bluetooth`."""
    import bluetooth  # type: ignore[import-not-found]  # MicroPython
    import os

    from edgelite_ports.micropython.ble.board_radio import BoardRadio

    return BoardHalf(BoardRadio(bluetooth.BLE()), os.urandom)
