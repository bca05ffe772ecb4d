"""What waits to be sent: four priorities, credit by stream, one frame begun at a time.

A frame that has begun goes on to its end; between frames the highest priority that may send goes first. One call
of `take` gives out at most one bulk frame and ends with it, so a port that keeps little in the kernel's buffer
keeps a control message waiting for one bulk frame at most.
"""

from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.frames import encode_frame
from edgelite_protocol.limits import CREDIT_BYTES_MAX
from edgelite_protocol.messages import (
    PRIORITY_BULK,
    PRIORITY_CONTROL,
    PRIORITY_STATE,
    PRIORITY_TELEMETRY,
    STREAM_CONTROL,
    STREAM_STATE,
    STREAM_TELEMETRY,
)

_PRIORITIES = {
    STREAM_CONTROL: PRIORITY_CONTROL,
    STREAM_STATE: PRIORITY_STATE,
    STREAM_TELEMETRY: PRIORITY_TELEMETRY,
}


class Outgoing:
    """Queued payloads are (stream, payload, charged); `charged` ones wait for the stream's credit."""

    def __init__(self) -> None:
        # One queue per priority; each holds a handful, because callers ask before they add.
        self._queues: list[list[tuple[int, bytes, bool]]] = [[], [], [], []]
        self._credit: dict[int, int] = {}
        self._begun = b""  # the rest of a frame whose beginning was given out
        self._begun_is_bulk = False

    def put(self, stream: int, payload: bytes, charged: bool) -> None:
        priority = _PRIORITIES.get(stream, PRIORITY_BULK)
        self._queues[priority].append((stream, payload, charged))

    def waiting(self, priority: int) -> int:
        """How many payloads wait at this priority."""
        return len(self._queues[priority])

    def waiting_on(self, stream: int) -> "tuple[int, int]":
        """(payloads, bytes) that wait on one stream."""
        queue = self._queues[_PRIORITIES.get(stream, PRIORITY_BULK)]
        if not queue:
            return 0, 0
        sizes = [len(payload) for queued, payload, _ in queue if queued == stream]
        return len(sizes), sum(sizes)

    def is_empty(self) -> bool:
        return not self._begun and not any(self._queues)

    def clear_data(self) -> None:
        """Forget all but control, and the frame that has begun."""
        self._queues = [self._queues[PRIORITY_CONTROL], [], [], []]

    def abandon(self) -> None:
        """Forget everything: the link is gone."""
        self._queues = [[], [], [], []]
        self._begun = b""

    def drop(self, stream: int) -> None:
        """Forget what waits on a bulk stream."""
        self._queues[PRIORITY_BULK] = [item for item in self._queues[PRIORITY_BULK] if item[0] != stream]

    # ---- credit

    def credit(self, stream: int) -> int:
        """Bytes that the peer still takes on `stream`, less those that wait."""
        return self._credit.get(stream, 0) - self.waiting_on(stream)[1]

    def grant(self, stream: int, size_bytes: int) -> None:
        granted = self._credit.get(stream, 0) + size_bytes
        if granted > CREDIT_BYTES_MAX:
            raise ProtocolError("flow_control", "stream %d: %d bytes of credit" % (stream, granted))
        self._credit[stream] = granted

    def forget_credit(self, stream: int) -> None:
        self._credit.pop(stream, None)

    # ---- taking

    def take(self, size_bytes_max: int) -> bytes:
        """The next bytes for the link, at most `size_bytes_max`."""
        if not self._begun and not any(self._queues):
            return b""
        parts: list[bytes] = []
        room = size_bytes_max
        while room > 0 and (self._begun or self._begin()):
            part = self._begun[:room]
            self._begun = self._begun[len(part) :]
            room -= len(part)
            parts.append(part)
            if self._begun_is_bulk:
                break
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _begin(self) -> bool:
        for priority in range(len(self._queues)):
            index = self._first_payable(self._queues[priority])
            if index >= 0:
                stream, payload, charged = self._queues[priority].pop(index)
                if charged:
                    self._credit[stream] -= len(payload)
                self._begun = encode_frame(stream, payload)
                self._begun_is_bulk = priority == PRIORITY_BULK
                return True
        return False

    def _first_payable(self, queue: "list[tuple[int, bytes, bool]]") -> int:
        """The first that may go; on one stream nothing overtakes what waits for credit. -1: none."""
        stalled: list[int] = []
        for index in range(len(queue)):
            stream, payload, charged = queue[index]
            if stream in stalled:
                continue
            if not charged or self._credit.get(stream, 0) >= len(payload):
                return index
            stalled.append(stream)
        return -1
