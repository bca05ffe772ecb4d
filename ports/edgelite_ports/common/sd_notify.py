"""Readiness and watchdog, told to systemd where it asks (sd_notify(3)); without NOTIFY_SOCKET nothing happens."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Notifier:
    """`value_of(name)` reads the environment; `send(address, data)` sends one datagram to a Unix socket, OSError
    where that fails."""

    def __init__(
        self, value_of: "Callable[[str], str | None]", pid: int, send: "Callable[[bytes, bytes], object]"
    ) -> None:
        address = value_of("NOTIFY_SOCKET") or ""
        self._address = b"\0" + address[1:].encode() if address.startswith("@") else address.encode()
        self._send = send
        self.watchdog_interval_ms = _watchdog_interval_ms(value_of, pid)
        self._watchdog_due_ms = 0

    def send(self, state: str) -> None:
        """`state` is lines of "NAME=value". Lost without a word when systemd doesn't listen: it is the one who
        asked, and an agent must not die of it."""
        if not self._address:
            return
        try:
            self._send(self._address, state.encode())
        except OSError:
            return

    def watchdog(self, now_ms: int) -> "int | None":
        """Say that the agent is alive where it is due; the next time, None where nobody asks."""
        if self.watchdog_interval_ms is None:
            return None
        if now_ms >= self._watchdog_due_ms:
            self.send("WATCHDOG=1")
            self._watchdog_due_ms = now_ms + self.watchdog_interval_ms
        return self._watchdog_due_ms

    step = watchdog


def _watchdog_interval_ms(value_of: "Callable[[str], str | None]", pid: int) -> "int | None":
    """Half of WATCHDOG_USEC, as sd_watchdog_enabled(3) advises; None where it is meant for another process."""
    text = value_of("WATCHDOG_USEC") or ""
    if not text.isdigit() or int(text) < 2000:
        return None
    if (value_of("WATCHDOG_PID") or str(pid)) != str(pid):
        return None
    return int(text) // 2000
