"""The radio seam on MicroPython's `bluetooth` module: its interrupts become events.

What an interrupt hands over is copied before it returns: its buffers are used again. One GATT procedure is under way
at a time on each connection; the driver asks for no more.
"""

from binascii import hexlify, unhexlify

from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.advertisements import Advertisement, take_structures
from edgelite_drivers.ble.radio import Characteristic, Radio
from edgelite_drivers.ble.uuids import from_bytes, parse_uuid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# Events of `bluetooth` (MicroPython's documentation, "bluetooth", Event Handling)
IRQ_SCAN_RESULT = 5
IRQ_PERIPHERAL_CONNECT = 7
IRQ_PERIPHERAL_DISCONNECT = 8
IRQ_GATTC_SERVICE_RESULT = 9
IRQ_GATTC_SERVICE_DONE = 10
IRQ_GATTC_CHARACTERISTIC_RESULT = 11
IRQ_GATTC_CHARACTERISTIC_DONE = 12
IRQ_GATTC_DESCRIPTOR_RESULT = 13
IRQ_GATTC_DESCRIPTOR_DONE = 14
IRQ_GATTC_READ_RESULT = 15
IRQ_GATTC_READ_DONE = 16
IRQ_GATTC_WRITE_DONE = 17
IRQ_GATTC_NOTIFY = 18
IRQ_GATTC_INDICATE = 19

NO_CONNECTION = 0xFFFF  # the handle of an attempt that came to nothing
SCAN_RESPONSE = 4
CONNECTABLE = (0, 1)
SCAN_INTERVAL_US = 60_000
SCAN_WINDOW_US = 30_000  # half of the time is left to connections, and to Wi-Fi where it shares the radio
CONNECT_MS = 30_000  # the central gives up before
CACHE_MAX = 32  # devices whose last advertisement waits for its scan response
SERVICES_MAX = 64  # of one device
STATUS_ATT = 0x100  # NimBLE: from here on it is an ATT error, and this much more
_CCCD = parse_uuid("2902")  # the descriptor that a client writes to be notified
_GONE = "the connection has ended"


class _Link:
    """A connection: what was found on it, and the procedure under way."""

    def __init__(self, address: str, handle: int) -> None:
        self.address = address
        self.handle = handle
        self.services: list[tuple[int, int, str]] = []  # that are still to be looked into
        self.service = (0, 0, "")
        self.found: list[Characteristic] = []
        self.ends: dict[int, int] = {}  # the last handle that may belong to a characteristic, by its value's
        self.is_told = False
        self.data: bytes | None = None  # read so far
        self.subscribing = 0  # the value's handle
        self.is_on = True
        self.cccd = 0


class BoardRadio(Radio):
    """`ble` is `bluetooth.BLE()`."""

    connections_max = 3  # NimBLE as MicroPython builds it

    def __init__(self, ble: "Any") -> None:
        Radio.__init__(self)
        self._ble = ble
        self._links: dict[int, _Link] = {}
        self._attempt = ""
        self._types: dict[str, int] = {}
        self._cache: dict[str, Advertisement] = {}
        self._interrupts: dict[int, Callable[..., None]] = {
            IRQ_SCAN_RESULT: self._scanned,
            IRQ_PERIPHERAL_CONNECT: self._connected,
            IRQ_PERIPHERAL_DISCONNECT: self._disconnected,
            IRQ_GATTC_SERVICE_RESULT: self._service,
            IRQ_GATTC_SERVICE_DONE: self._services_done,
            IRQ_GATTC_CHARACTERISTIC_RESULT: self._characteristic,
            IRQ_GATTC_CHARACTERISTIC_DONE: self._characteristics_done,
            IRQ_GATTC_DESCRIPTOR_RESULT: self._descriptor,
            IRQ_GATTC_DESCRIPTOR_DONE: self._descriptors_done,
            IRQ_GATTC_READ_RESULT: self._read_result,
            IRQ_GATTC_READ_DONE: self._read_done,
            IRQ_GATTC_WRITE_DONE: self._write_done,
            IRQ_GATTC_NOTIFY: self._notified,
            IRQ_GATTC_INDICATE: self._notified,
        }

    # ---- the seam

    def start(self) -> None:
        try:
            self._ble.active(True)
            self._ble.irq(self._interrupt)
        except OSError as error:
            self.tell(seam.DOWN, "the radio does not start (%s)" % error)
            return
        self.tell(seam.UP)

    def scan(self, active: bool) -> None:
        try:
            self._ble.gap_scan(0, SCAN_INTERVAL_US, SCAN_WINDOW_US, active)
        except OSError as error:
            self.tell(seam.DOWN, "the radio does not scan (%s)" % error)

    def stop_scan(self) -> None:
        try:
            self._ble.gap_scan(None)
        except OSError:
            pass  # there was none

    def connect(self, address: str, is_random: "bool | None") -> None:
        kind = self._types.get(address, 0) if is_random is None else int(is_random)
        self._attempt = address
        try:
            self._ble.gap_connect(kind, unhexlify(address.replace(":", "")), CONNECT_MS)
        except OSError as error:
            self._attempt = ""
            self.tell(seam.DISCONNECTED, address, "the radio does not connect (%s)" % error)

    def disconnect(self, address: str) -> None:
        link = self._link(address)
        try:
            if link is not None and self._ble.gap_disconnect(link.handle):
                return  # the interrupt tells
            if address == self._attempt:
                self._ble.gap_connect(None)
                return
        except OSError:
            pass
        if link is not None:
            del self._links[link.handle]
        self._attempt = "" if address == self._attempt else self._attempt
        self.tell(seam.DISCONNECTED, address, "there was no connection")

    def discover(self, address: str) -> None:
        link = self._link(address)
        if link is None:
            return
        link.services = []
        link.found = []
        link.ends = {}
        link.is_told = False
        error = self._try(self._ble.gattc_discover_services, link.handle)
        if error:
            self._tell_discovered(link, error)

    def read(self, address: str, handle: int) -> None:
        link = self._link(address)
        if link is not None:
            link.data = None
        error = _GONE if link is None else self._try(self._ble.gattc_read, link.handle, handle)
        if error:
            self.tell(seam.READ, address, handle, None, error)

    def write(self, address: str, handle: int, data: bytes, with_response: bool) -> None:
        link = self._link(address)
        error = _GONE
        if link is not None:
            error = self._try(self._ble.gattc_write, link.handle, handle, data, int(with_response))
        if error or not with_response:
            self.tell(seam.WRITTEN, address, handle, error)

    def subscribe(self, address: str, handle: int, on: bool) -> None:
        link = self._link(address)
        error = _GONE
        if link is not None:
            link.subscribing, link.is_on, link.cccd = handle, on, 0
            end = link.ends.get(handle, handle)
            error = "the characteristic cannot notify"
            if end > handle:
                error = self._try(self._ble.gattc_discover_descriptors, link.handle, handle + 1, end)
        if error:
            self.tell(seam.SUBSCRIBED, address, handle, error)

    # ---- interrupts

    def _interrupt(self, event: int, data: "tuple[Any, ...]") -> None:
        handler = self._interrupts.get(event)
        if handler is not None:
            handler(*data)

    def _scanned(self, kind: int, address_bytes: "Any", type: int, rssi: int, data: "Any") -> None:
        address = _text(address_bytes)
        advertisement = self._cache.get(address)
        if type != SCAN_RESPONSE or advertisement is None:
            name = advertisement.name if advertisement is not None else None
            advertisement = Advertisement(address, kind == 1, rssi)
            advertisement.name = name
            advertisement.is_connectable = type in CONNECTABLE
            if len(self._cache) >= CACHE_MAX:
                self._cache = {}
            self._cache[address] = advertisement
        take_structures(advertisement, bytes(data))
        self._types = {address: kind} if len(self._types) >= CACHE_MAX else self._types
        self._types[address] = kind
        self.tell(seam.ADVERTISED, advertisement)

    def _connected(self, handle: int, kind: int, address_bytes: "Any") -> None:
        link = self._links[handle] = _Link(_text(address_bytes), handle)
        self._attempt = ""
        self.tell(seam.CONNECTED, link.address)

    def _disconnected(self, handle: int, kind: int, address_bytes: "Any") -> None:
        link = self._links.pop(handle, None)
        if link is not None:
            self.tell(seam.DISCONNECTED, link.address, _GONE)
        elif self._attempt:
            address, self._attempt = self._attempt, ""
            self.tell(seam.DISCONNECTED, address, "no connection")

    def _service(self, handle: int, start: int, end: int, uuid: "Any") -> None:
        link = self._links.get(handle)
        if link is not None and len(link.services) < SERVICES_MAX:
            link.services.append((start, end, from_bytes(bytes(uuid))))

    def _services_done(self, handle: int, status: int) -> None:
        link = self._links.get(handle)
        if link is not None:
            self._look_into_next(link, _reason(status))

    def _characteristic(self, handle: int, end: int, value_handle: int, properties: int, uuid: "Any") -> None:
        link = self._links.get(handle)
        if link is None or len(link.found) >= seam.CHARACTERISTICS_MAX:
            return
        one = Characteristic(link.service[2], from_bytes(bytes(uuid)), value_handle, properties)
        if link.found and link.ends[link.found[-1].handle] == link.service[1]:
            link.ends[link.found[-1].handle] = value_handle - 2  # its own declaration stands before each value
        link.found.append(one)
        link.ends[value_handle] = link.service[1]

    def _characteristics_done(self, handle: int, status: int) -> None:
        link = self._links.get(handle)
        if link is not None:
            self._look_into_next(link, _reason(status))

    def _look_into_next(self, link: _Link, error: str) -> None:
        if not error and link.services:
            link.service = link.services.pop(0)
            error = self._try(self._ble.gattc_discover_characteristics, link.handle, link.service[0], link.service[1])
            if not error:
                return
        self._tell_discovered(link, error)

    def _tell_discovered(self, link: _Link, error: str) -> None:
        if not link.is_told:
            link.is_told = True
            self.tell(seam.DISCOVERED, link.address, [] if error else link.found, error)

    def _descriptor(self, handle: int, descriptor: int, uuid: "Any") -> None:
        link = self._links.get(handle)
        if link is not None and from_bytes(bytes(uuid)) == _CCCD:
            link.cccd = descriptor

    def _descriptors_done(self, handle: int, status: int) -> None:
        link = self._links.get(handle)
        if link is None or not link.subscribing:
            return
        error = _reason(status) or ("" if link.cccd else "the characteristic cannot notify")
        if not error:
            error = self._try(self._ble.gattc_write, link.handle, link.cccd, self._cccd_value(link), 1)
        if error:
            self._tell_subscribed(link, error)

    def _cccd_value(self, link: _Link) -> bytes:
        if not link.is_on:
            return b"\0\0"
        for one in link.found:
            if one.handle == link.subscribing and not one.properties & seam.CAN_NOTIFY:
                return b"\2\0"
        return b"\1\0"

    def _tell_subscribed(self, link: _Link, error: str) -> None:
        handle, link.subscribing = link.subscribing, 0
        self.tell(seam.SUBSCRIBED, link.address, handle, error)

    def _read_result(self, handle: int, value_handle: int, data: "Any") -> None:
        link = self._links.get(handle)
        if link is not None:
            link.data = (link.data or b"") + bytes(data)

    def _read_done(self, handle: int, value_handle: int, status: int) -> None:
        link = self._links.get(handle)
        if link is not None:
            error = _reason(status)
            data, link.data = (None if error else link.data or b""), None
            self.tell(seam.READ, link.address, value_handle, data, error)

    def _write_done(self, handle: int, value_handle: int, status: int) -> None:
        link = self._links.get(handle)
        if link is None:
            return
        if link.subscribing and value_handle == link.cccd:
            self._tell_subscribed(link, _reason(status))
        else:
            self.tell(seam.WRITTEN, link.address, value_handle, _reason(status))

    def _notified(self, handle: int, value_handle: int, data: "Any") -> None:
        link = self._links.get(handle)
        if link is not None:
            self.tell(seam.NOTIFIED, link.address, value_handle, bytes(data))

    # ---- inside

    def _link(self, address: str) -> "_Link | None":
        for link in self._links.values():
            if link.address == address:
                return link
        return None

    def _try(self, call: "Any", *arguments: "Any") -> str:
        """Why it could not be begun, "" where it was."""
        try:
            call(*arguments)
        except OSError as error:
            return "the radio refuses (%s)" % error
        return ""


def _text(address: "Any") -> str:
    digits = str(hexlify(bytes(address)), "ascii").upper()
    return ":".join([digits[at : at + 2] for at in range(0, 12, 2)])


def _reason(status: int) -> str:
    if status == 0:
        return ""
    return "ATT error %d" % (status - STATUS_ATT) if status >= STATUS_ATT else "error %d of the radio" % status
