"""What boards with MicroPython's `machine`, `network` and a file system have in common: ESP32 and RP2.

Everything of the agent lies below /edgelite: what `edgelite provision` made, and the journal. Lines are called
"uart1", or "uart1/17/16" with the pins of TX and RX.
"""

import gc
import os
import sys
import time

from edgelite.driver import ConfigurationError
from edgelite_ports.common.log import line
from edgelite_ports.common.state import StateDirectory
from edgelite_ports.micropython import files
from edgelite_ports.micropython.boards.clock import TickClock
from edgelite_ports.micropython.boards.uart_line import Lines
from edgelite_ports.micropython.file_storage import FileStorage
from edgelite_ports.micropython.loop import Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite.config import Config
    from edgelite.storage import Storage
    from edgelite_ports.micropython.names import NameConfiguration

FOLDER = "/edgelite"
RESET_WAIT_MS = 10_000  # so that a board that fails at each start can still be talked to, and wears nothing out
UART_BUFFER_BYTES = 512
_PARITY = {"none": None, "even": 0, "odd": 1}


class NetworkBoard:
    """`machine` and `network` are MicroPython's modules; a test hands in its own."""

    name = "board"
    frame_bytes_max = 2048  # a desired Pod or Device lies in memory whole
    tasks_max = 4
    watchdog_ms = 8_000

    def __init__(self, machine: "Any", network: "Any", folder: str = FOLDER) -> None:
        self._machine = machine
        self._network = network
        clock: Any = time  # ticks are MicroPython's
        self.now_ms = TickClock(clock.ticks_ms, clock.ticks_diff)
        self._sleep_ms = clock.sleep_ms
        self.loop = Loop(self.now_ms)
        self.state = StateDirectory(folder, files)
        self._identity: Any = None
        self._watchdog: Any = None
        self._parts: list[Any] = []

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def storage(self) -> "Storage":
        return FileStorage(self.state.below("journal"))

    def load_identity(self) -> "Any":
        if self._network is None:
            raise ConfigurationError("agent.conf", "this board has no wireless network: use `link = serial:LINE:BAUD`")
        from edgelite_ports.micropython.identity import Identity

        self._identity = Identity(self.state)
        self._identity.require()
        return self._identity

    def connections(self, config: "Config") -> Lines:
        sockets = self._sockets() if config.link is None else None
        return Lines(self.loop, self.open_uart, self.now_ms, sockets)

    def parts(self) -> "list[Any]":
        return self._parts

    def about(self) -> "dict[str, object]":
        names: Any = os.uname()  # type: ignore[attr-defined,unused-ignore]  # not on every platform that mypy thinks of
        heap: Any = gc  # MicroPython's
        return {
            "architecture": sys.platform,
            "os": sys.platform,
            "kernel": str(names[2]),
            "os_image": str(names[4]),
            "memory_bytes": heap.mem_alloc() + heap.mem_free(),
        }

    def log(self, level: str, text: str) -> None:
        print(line("info", level, text, False), end="")  # noqa: T201 - a board's console

    def feed(self) -> None:
        if self._watchdog is None:
            self._watchdog = self._machine.WDT(timeout=self.watchdog_ms)
        self._watchdog.feed()

    def reset(self) -> None:
        """Ctrl-C ends the wait and keeps the board as it is."""
        left_ms = RESET_WAIT_MS
        while left_ms > 0:
            if self._watchdog is not None:
                self._watchdog.feed()
            self._sleep_ms(500)
            left_ms -= 500
        self._machine.reset()

    # ---- serial lines

    def open_uart(self, path: str, settings: "dict[str, Any]") -> "Any":
        """ValueError where the line's name or a setting is none."""
        number, pins = parse_line(path)
        options: dict[str, Any] = {
            "baudrate": settings["baud"],
            "bits": settings.get("data_bits", 8),
            "parity": _PARITY[settings.get("parity", "none")],
            "stop": settings.get("stop_bits", 1),
            "timeout": 0,
            "txbuf": UART_BUFFER_BYTES,
            "rxbuf": UART_BUFFER_BYTES,
        }
        if pins is not None:
            options["tx"], options["rx"] = self._machine.Pin(pins[0]), self._machine.Pin(pins[1])
        return self._machine.UART(number, **options)

    # ---- the network

    def _sockets(self) -> "Any":
        """Loaded only where the link is not a serial one: TLS and sockets take memory."""
        from edgelite_ports.micropython.boards import wifi
        from edgelite_ports.micropython.connections import make_connections
        from edgelite_ports.micropython.names import PORT, NameConfiguration
        from edgelite_ports.micropython.resolver import Resolver

        path = self.state.below(wifi.FILE_NAME)
        ssid, password = wifi.parse(files.read_bytes(path, wifi.TEXT_BYTES_MAX).decode())
        station = self._network.WLAN(self._network.STA_IF)
        radio = wifi.Wifi(station, ssid, password, self.random_bytes, self.log)

        def configuration() -> "NameConfiguration":
            server = radio.name_server()
            return NameConfiguration([(server, PORT)] if server else [], [])

        resolver = Resolver(self.loop, self.now_ms, self.random_bytes, configuration)
        self._parts = [radio, resolver]
        return make_connections(self.loop, resolver.lookup, self._identity.tls_context, self.now_ms)


def parse_line(path: str) -> "tuple[int, tuple[int, int] | None]":
    """(UART, (TX pin, RX pin) or None); ValueError."""
    parts = path.split("/")
    if not parts[0].startswith("uart") or len(parts) not in (1, 3) or not all(part.isdigit() for part in parts[1:]):
        raise ValueError("a line is uart1, or uart1/TX/RX with the numbers of the pins")
    number = parts[0][4:]
    if not number.isdigit():
        raise ValueError("a line is uart1, or uart1/TX/RX with the numbers of the pins")
    return int(number), (int(parts[1]), int(parts[2])) if len(parts) == 3 else None
