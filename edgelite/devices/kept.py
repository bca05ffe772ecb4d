"""What the journal keeps of a device's twins: which desired values are settled. All else is read from the device."""

from edgelite.journal import SPACE_TWIN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.journal import Journal


class Kept:
    """The rows of one device, "namespace/name/property": its uid and the settled text."""

    def __init__(self, journal: "Journal", device: str) -> None:
        self._journal = journal
        self._prefix = device + "/"

    def settled(self, uid: str, name: str) -> "str | None":
        """The text settled for the property, unless it was said of another device with this name."""
        value = self._journal.get(SPACE_TWIN, self._prefix + name)
        if value is None:
            return None
        kept_uid, _, text = str(bytes(value), "utf-8").partition(" ")
        return text if kept_uid == uid else None

    def settle(self, uid: str, name: str, text: str) -> None:
        value = (uid + " " + text).encode()
        self._journal.write([("put", SPACE_TWIN, self._prefix + name, value)])

    def forget(self) -> None:
        keys = [key for key in self._journal.keys(SPACE_TWIN) if key.startswith(self._prefix)]
        if keys:
            self._journal.write([("delete", SPACE_TWIN, key) for key in keys])
