"""ESP32, -S2, -S3, -C3, -C6 with MicroPython's own firmware: Wi-Fi or a UART to a gateway, littlefs, a watchdog."""

from edgelite_ports.micropython.boards.agent import run_board
from edgelite_ports.micropython.boards.network_board import NetworkBoard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Esp32Board(NetworkBoard):
    name = "esp32"
    watchdog_ms = 30_000  # a TLS handshake takes two seconds or three, an erase of the flash half of one
    tasks_max = 8


def make(machine: "Any", network: "Any", folder: str = "/edgelite") -> Esp32Board:
    return Esp32Board(machine, network, folder)


def main(drivers: "tuple[str, ...]" = ()) -> None:
    """`drivers`: those that a firmware has frozen in beyond what edgelite brings; files are found."""
    import machine  # type: ignore[import-not-found]  # MicroPython's
    import network  # type: ignore[import-not-found]

    run_board(make(machine, network), drivers)
