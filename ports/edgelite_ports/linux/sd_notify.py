"""Readiness and watchdog, told to systemd where it asks (sd_notify(3)); without NOTIFY_SOCKET nothing happens."""

import _socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class Notifier:
    def __init__(self, environment: "Mapping[str, str]", pid: int) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        if self._address.startswith("@"):
            self._address = "\0" + self._address[1:]
        self.watchdog_interval_ms = _watchdog_interval_ms(environment, pid)
        self._watchdog_due_ms = 0

    def send(self, state: str) -> None:
        """`state` is lines of "NAME=value". Lost without a word when systemd doesn't listen: it is the one who
        asked, and an agent must not die of it."""
        if not self._address:
            return
        channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM | _socket.SOCK_CLOEXEC | _socket.SOCK_NONBLOCK)
        try:
            channel.sendto(state.encode(), self._address)
        except OSError:
            return
        finally:
            channel.close()

    def watchdog(self, now_ms: int) -> "int | None":
        """Say that the agent is alive where it is due; the next time, None where nobody asks."""
        if self.watchdog_interval_ms is None:
            return None
        if now_ms >= self._watchdog_due_ms:
            self.send("WATCHDOG=1")
            self._watchdog_due_ms = now_ms + self.watchdog_interval_ms
        return self._watchdog_due_ms


def _watchdog_interval_ms(environment: "Mapping[str, str]", pid: int) -> "int | None":
    """Half of WATCHDOG_USEC, as sd_watchdog_enabled(3) advises; None where it is meant for another process."""
    text = environment.get("WATCHDOG_USEC", "")
    if not text.isdigit() or int(text) < 2000:
        return None
    if environment.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(text) // 2000
