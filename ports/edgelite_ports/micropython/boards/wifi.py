"""The board's wireless network: brought up, and brought up again whenever it is gone, without ever blocking the agent.

`wifi.conf` beside agent.conf has two lines, `ssid = NAME` and `password = TEXT` (empty for an open network).
"""

from edgelite.backoff import Backoff
from edgelite.driver import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FILE_NAME = "wifi.conf"
TEXT_BYTES_MAX = 512
CONNECT_TIMEOUT_MS = 20_000  # an access point that is far away has answered by then, if it ever does
LOOK_MS = 5_000  # at a network that is up; what it carries is found dead by the link itself
RETRY_BASE_MS, RETRY_CAP_MS = 2_000, 60_000


def parse(text: str) -> "tuple[str, str]":
    """(ssid, password); ConfigurationError."""
    values: dict[str, str] = {}
    for line in text.split("\n"):
        name, separator, value = line.partition("=")
        if not line.strip():
            continue
        if not separator or name.strip() not in ("ssid", "password") or name.strip() in values:
            raise ConfigurationError(FILE_NAME, "has two lines, ssid = NAME and password = TEXT")
        values[name.strip()] = value.strip()
    if not values.get("ssid"):
        raise ConfigurationError(FILE_NAME, "lacks ssid: the network's name")
    return values["ssid"], values.get("password", "")


class Wifi:
    """A part of the agent's loop. `station` is network.WLAN as a station."""

    def __init__(
        self,
        station: "Any",
        ssid: str,
        password: str,
        random_bytes: "Callable[[int], bytes]",
        log: "Callable[[str, str], None]",
    ) -> None:
        self._station = station
        self._ssid = ssid
        self._password = password
        self._log = log
        self._backoff = Backoff(RETRY_BASE_MS, RETRY_CAP_MS, random_bytes)
        self._is_up = False
        self._is_trying = False
        self._due_ms = 0

    def step(self, now_ms: int) -> int:
        """When to call again. Whatever the radio's driver raises is tried again later."""
        if self._station.isconnected():
            self._came_up()
            self._due_ms = now_ms + LOOK_MS
            return self._due_ms
        if self._is_up:
            self._is_up = False
            self._log("warning", "the wireless network is gone")
            self._due_ms = now_ms
        if now_ms >= self._due_ms:
            self._due_ms = self._next(now_ms)
        # While it tries, an answer should not wait for the end of the time.
        return min(self._due_ms, now_ms + 500) if self._is_trying else self._due_ms

    def name_server(self) -> str:
        """Which the network told; "" while it is down."""
        return str(self._station.ifconfig()[3]) if self._station.isconnected() else ""

    def _came_up(self) -> None:
        if not self._is_up:
            self._is_up = True
            self._is_trying = False
            self._backoff.reset()
            self._log("info", "the wireless network is there: " + self._station.ifconfig()[0])

    def _next(self, now_ms: int) -> int:
        try:
            if self._is_trying:  # in vain: let the radio rest
                self._is_trying = False
                self._station.disconnect()
                return now_ms + self._backoff.next_ms()
            self._station.active(True)
            if self._password:
                self._station.connect(self._ssid, self._password)
            else:
                self._station.connect(self._ssid)
        except OSError as error:
            self._log("warning", "the wireless network: " + str(error))
            return now_ms + self._backoff.next_ms()
        self._is_trying = True
        return now_ms + CONNECT_TIMEOUT_MS
