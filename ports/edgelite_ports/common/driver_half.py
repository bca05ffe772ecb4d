"""("driver", name) where there are no processes: the other half of a driver is a part of the firmware, and its channel
to the agent is memory.

The half is `make_half()` of the module edgelite_ports.micropython.NAME, an object with

    opened()                    an agent is there
    received(data, now_ms)      what it says; ProtocolError where that breaks the rules
    data_to_send(size_max)      what goes to it, b"" for none now
    step(now_ms)                let time pass; the next deadline. What comes by interrupt waits for that one
    closed(now_ms)

Most are an `edgelite_drivers.process.Session` and what serves it.
"""

from edgelite.effects import Channel, Open
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PIECE_BYTES = 512
PIECES_MAX = 16  # each way in one round; the rest goes in the next one


def load_half(name: str) -> "Any":
    """ImportError where the firmware has none."""
    return __import__("edgelite_ports.micropython." + name, None, None, ["make_half"]).make_half()


class Halves:
    """Those that are open."""

    def __init__(self, now_ms: "Callable[[], int]", load: "Callable[[str], Any]" = load_half) -> None:
        self._now_ms = now_ms
        self._load = load
        self._open: list[tuple[Channel, Any]] = []

    def open(self, effect: Open) -> None:
        name = str(effect.target[1])
        try:
            half = self._load(name)
            half.opened()
        except ImportError as error:
            effect.channel.closed("this firmware has no driver %s (%s)" % (name, error), self._now_ms())
            return
        except Exception as error:  # noqa: BLE001 - a fault of the driver is not the agent's
            effect.channel.closed("%s: %s" % (type(error).__name__, error), self._now_ms())
            return
        self._open.append((effect.channel, half))
        effect.channel.opened(self._now_ms())

    def close(self, channel: object) -> None:
        for row in self._open:
            if row[0] is channel:
                self._end(row, "closed")
                return

    def step(self, now_ms: int) -> "int | None":
        """Carry what there is both ways; the next deadline, now where something went to the agent."""
        deadline_ms: int | None = None
        for row in list(self._open):
            try:
                due_ms = _carry(row[0], row[1], now_ms)
            except ProtocolError as error:
                self._end(row, error.text)
                due_ms = now_ms
            except Exception as error:  # noqa: BLE001 - a fault of the driver is not the agent's
                self._end(row, "%s: %s" % (type(error).__name__, error))
                due_ms = now_ms
            if due_ms is not None and (deadline_ms is None or due_ms < deadline_ms):
                deadline_ms = due_ms
        return deadline_ms

    def _end(self, row: "tuple[Channel, Any]", reason: str) -> None:
        self._open.remove(row)
        now_ms = self._now_ms()
        try:
            row[1].closed(now_ms)
        except Exception as error:  # noqa: BLE001 - a fault of the driver is not the agent's
            reason += " (%s: %s)" % (type(error).__name__, error)
        row[0].closed(reason, now_ms)


def _carry(channel: Channel, half: "Any", now_ms: int) -> "int | None":
    for _ in range(PIECES_MAX):
        data = channel.data_to_send(PIECE_BYTES)
        if not data:
            break
        half.received(data, now_ms)
    deadline_ms: int | None = half.step(now_ms)
    for _ in range(PIECES_MAX):
        data = half.data_to_send(PIECE_BYTES)
        if not data:
            return deadline_ms
        channel.received(data, now_ms)
        deadline_ms = now_ms
    return deadline_ms
