"""What the journal keeps of a device's twins: which desired value counts, and whether it is settled. All else is read
from the device.

A settled wish of the hub without a time has the row "namespace/name/property": its uid and the text, as release 0.1.0
wrote it. Everything else has one under "=" and this key: [uid, origin, text, settled, the hub's text, the hub's time];
it goes before the other, and one of the two is there at most. What this node desired is kept with its text only while
it could not be written: a PLC that writes each second costs no flash.
"""

from edgelite.devices.desired import FAIL_SAFE, FAILED, HUB, LOCAL, SETTLED
from edgelite.journal import SPACE_TWIN
from edgelite_protocol import cbor
from edgelite_protocol.errors import PlatformError, ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.devices.desired import Desired
    from edgelite.journal import Journal

    Row = list[object]


class Kept:
    """The rows of one device, "namespace/name"."""

    def __init__(self, journal: "Journal", device: str) -> None:
        self._journal = journal
        self._prefix = device + "/"

    def recall(self, uid: str, name: str) -> "Row | None":
        """[origin, text, settled, the hub's text, the hub's time] for the property, None where nothing is kept, or it
        was kept of another device with this name."""
        row = self._row("=" + self._prefix + name)
        if row is not None:
            return row[1:] if row[0] == uid else None
        value = self._journal.get(SPACE_TWIN, self._prefix + name)
        if value is None:
            return None
        kept_uid, _, text = str(bytes(value), "utf-8").partition(" ")
        return [HUB, text, True, text, 0] if kept_uid == uid else None

    def note(self, uid: str, name: str, desired: "Desired") -> None:
        """Keep where `desired` stands now. Nothing is written that stands there already."""
        old_key = self._prefix + name
        new_key = "=" + old_key
        rows: dict[str, bytes | None] = {old_key: None, new_key: None}
        if desired.origin == HUB and desired.state == SETTLED and desired.hub_time == 0:
            rows[old_key] = (uid + " " + (desired.text or "")).encode()
        else:
            row = _row_of(desired)
            rows[new_key] = None if row is None else cbor.encode([uid] + row)  # noqa: RUF005 - portable
        changes: list[tuple[object, ...]] = []
        for key in (old_key, new_key):
            held = self._held(key)
            if rows[key] is None:
                if held is not None:
                    changes.append(("delete", SPACE_TWIN, key))
            elif held is None or bytes(held) != rows[key]:
                changes.append(("put", SPACE_TWIN, key, rows[key]))
        if changes:
            self._journal.write(changes)

    def _held(self, key: str) -> "bytes | None":
        """What cannot be read at present differs from whatever comes."""
        try:
            return self._journal.get(SPACE_TWIN, key)
        except PlatformError:
            return b""

    def forget(self) -> None:
        keys = [key for key in self._journal.keys(SPACE_TWIN) if key.lstrip("=").startswith(self._prefix)]
        if keys:
            self._journal.write([("delete", SPACE_TWIN, key) for key in keys])

    def _row(self, key: str) -> "Row | None":
        """None where there is none, and where it makes no sense: the device is then read as one that is new."""
        data = self._journal.get(SPACE_TWIN, key)
        if data is None:
            return None
        try:
            row = cbor.decode(data)
        except ProtocolError:
            return None
        return row if isinstance(row, list) and len(row) == 6 else None


def _row_of(desired: "Desired") -> "Row | None":
    is_settled = desired.state == SETTLED
    hub: Row = [desired.hub_text, desired.hub_time]
    if desired.origin == HUB:
        return [HUB, desired.text, True] + hub if is_settled else None  # noqa: RUF005 - portable
    if desired.origin == LOCAL:
        text = desired.text if desired.state == FAILED else None
        return [LOCAL, text, text is None] + hub  # noqa: RUF005 - portable
    if desired.origin == FAIL_SAFE:
        return [FAIL_SAFE, desired.text, is_settled] + hub  # noqa: RUF005 - portable
    return None
