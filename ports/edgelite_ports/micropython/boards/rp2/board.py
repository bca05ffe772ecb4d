"""Raspberry Pi Pico W and Pico 2 W with MicroPython's own firmware; any Pico behind a gateway."""

from edgelite_ports.micropython.boards.agent import run_board
from edgelite_ports.micropython.boards.network_board import NetworkBoard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Rp2Board(NetworkBoard):
    name = "rp2"
    watchdog_ms = 8_000  # the chip's own counts to 8,388 at most
    tasks_max = 4


def make(machine: "Any", network: "Any", folder: str = "/edgelite") -> Rp2Board:
    """`network` is None on a board without a radio."""
    return Rp2Board(machine, network, folder)


def main(drivers: "tuple[str, ...]" = ()) -> None:
    """`drivers`: those that a firmware has frozen in beyond what edgelite brings; files are found."""
    import machine  # type: ignore[import-not-found]  # MicroPython's

    try:
        import network  # type: ignore[import-not-found]
    except ImportError:
        network = None  # a Pico without W: behind a gateway it needs none
    run_board(make(machine, network), drivers)
