"""When fail-safe values count: how long the hub has been lost, over restarts of the agent and of the device.

1. The hub is lost from when the node notices that its session has ended, or from the agent's start, until a session
   has lasted BACK_MS: time for a new wish to arrive before the old one would be written, and a link that flaps does not
   make the device flap.
2. After NOTE_MS of it the journal says so, once for each loss. An agent that starts again in the same boot counts on.
   In another boot nobody knows how long it was: each property then waits no longer than RESTART_MS.
3. A fail-safe value that counts goes on counting over restarts (kept.py).
"""

from edgelite.devices.schedule import earlier
from edgelite.journal import SPACE_TWIN
from edgelite_protocol import cbor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.context import Context
    from edgelite.devices.device import Device

BACK_MS = 5_000
NOTE_MS = 10_000
RESTART_MS = 60_000  # for a router that starts with the node
KEY = "/hub lost"  # no device's: theirs have a name before the slash


class HubLoss:
    """There is one where a device has a fail-safe value."""

    def __init__(self, context: "Context") -> None:
        self._context = context
        self._lost_ms: int | None = None  # since when; None while the hub is there
        self._wait_ms_max: int | None = None  # what a property waits at most, whatever it says
        data = context.journal.get(SPACE_TWIN, KEY)
        self._is_noted = data is not None
        if data is not None:
            row = cbor.decode(data)
            if isinstance(row, list) and len(row) == 2 and row[0] == context.boot_id:
                self._lost_ms = row[1]
            else:  # of another boot
                self._wait_ms_max = RESTART_MS

    def step(self, devices: "list[Device]", is_linked: bool, since_ms: int, now_ms: int) -> "int | None":
        """`since_ms` is when the link came up or went down; the next deadline."""
        if not is_linked:
            return self._step_lost(devices, since_ms, now_ms)
        if self._lost_ms is None and not self._is_noted:
            return None
        if now_ms < since_ms + BACK_MS:
            return since_ms + BACK_MS
        self._lost_ms = None
        self._wait_ms_max = None
        self._is_noted = False
        if KEY in self._context.journal.keys(SPACE_TWIN):
            self._context.journal.write([("delete", SPACE_TWIN, KEY)])
        for device in devices:
            device.find_hub(now_ms)
        return None

    def _step_lost(self, devices: "list[Device]", since_ms: int, now_ms: int) -> "int | None":
        if self._lost_ms is None:
            self._lost_ms = since_ms
        deadline_ms: int | None = None
        if not self._is_noted and now_ms < self._lost_ms + NOTE_MS:
            deadline_ms = self._lost_ms + NOTE_MS
        elif not self._is_noted:
            self._is_noted = True
            row = cbor.encode([self._context.boot_id, self._lost_ms])
            self._context.journal.write([("put", SPACE_TWIN, KEY, row)])
        for device in devices:
            deadline_ms = earlier(deadline_ms, device.lose_hub(now_ms - self._lost_ms, self._wait_ms_max, now_ms))
        return deadline_ms
