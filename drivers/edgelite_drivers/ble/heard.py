"""What a device's advertisements say to the properties that listen for it."""

from edgelite_drivers.ble import config, values
from edgelite_drivers.ble.advertisements import eddystone, ibeacon
from edgelite_drivers.ble.values import ValueRefused, number_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.driver import Request
    from edgelite_drivers.ble.advertisements import Advertisement
    from edgelite_drivers.ble.config import Protocol, Visitor

    Value = int | float | str | bool | bytes

TOGETHER_MS = 1_000  # advertisements come up to 50 times a second; so often does one make a result
REPEAT_MS = 2_000  # an event without a number is sent again and again for about so long
COUNTER_RESET = 100  # a sealed counter that begins below this again: the sensor has a new battery
_COUNTER_LAST = 0xFFFFFFFF


def matches(protocol: "Protocol", advertisement: "Advertisement") -> bool:
    """Whether it is the device that `protocol` means: every filter that is given holds."""
    if protocol.address and advertisement.address != protocol.address:
        return False
    if protocol.is_random is not None and advertisement.is_random not in (None, protocol.is_random):
        return False
    if protocol.address:
        return True  # a connectable device need not repeat in each packet what else it is
    name = advertisement.name or ""
    return (
        (not protocol.name or name == protocol.name)
        and (not protocol.name_prefix or name.startswith(protocol.name_prefix))
        and (not protocol.service or _has_service(advertisement, protocol.service))
        and (protocol.company is None or protocol.company in advertisement.manufacturer_data)
        and (protocol.beacon is None or _is_beacon(advertisement, protocol.beacon))
    )


def _has_service(advertisement: "Advertisement", service: str) -> bool:
    return service in advertisement.services or service in advertisement.service_data


def _is_beacon(advertisement: "Advertisement", beacon: "tuple[str, int | None, int | None]") -> bool:
    found = ibeacon(advertisement)
    if found is None:
        return False
    uuid, major, minor = beacon
    return found["uuid"] == uuid and major in (None, found["major"]) and minor in (None, found["minor"])


class Heard:
    """What one listening request gathers. `values` and `errors` wait for the next result."""

    def __init__(self, request: "Request", now_ms: int) -> None:
        self.request = request
        self.names = [name for name in request.visitors if request.visitors[name].advertisement]  # type: ignore[attr-defined]
        self.values: dict[str, Value] = {}
        self.errors: dict[str, str] = {}
        self.heard_ms = now_ms
        self.told_ms: int | None = None
        self.is_silent = False
        self._packet: bytes | int | None = None
        self._packet_ms = now_ms
        self._counter = -1

    def take(self, advertisement: "Advertisement", protocol: "Protocol", now_ms: int) -> bool:
        """True where an event is among it, which may not wait."""
        self.heard_ms = now_ms
        self.is_silent = False
        found: dict[str, dict[str, list[Value]] | str] = {}  # by kind: what it says, or why it says nothing
        is_event = False
        for name in self.names:
            visitor: Visitor = self.request.visitors[name]  # type: ignore[assignment]
            try:
                if visitor.codec is not None:
                    value = _coded(visitor, advertisement)
                elif visitor.advertisement == config.BTHOME:
                    if config.BTHOME not in found:
                        found[config.BTHOME] = self._bthome(advertisement, protocol, now_ms)
                    value = _nth(found[config.BTHOME], visitor)
                    is_event = is_event or (value is not None and visitor.field in ("button", "dimmer"))
                else:
                    value = _plain(visitor, advertisement)
                if value is not None and visitor.type == "INT":
                    value = number_of(value, True)  # type: ignore[arg-type]
            except ValueRefused as error:
                self.values.pop(name, None)
                self.errors[name] = str(error)
                continue
            if value is not None:
                self.errors.pop(name, None)
                self.values[name] = value
        return is_event

    def due_ms(self, silent_after_ms: int) -> "int | None":
        """When the next result is due: what was gathered, or that nothing has come."""
        if self.values or self.errors:
            return self.heard_ms if self.told_ms is None else self.told_ms + TOGETHER_MS
        return None if self.is_silent or not self.names else self.heard_ms + silent_after_ms

    def told(self, now_ms: int) -> None:
        self.told_ms = now_ms
        self.values = {}
        self.errors = {}

    def _bthome(
        self, advertisement: "Advertisement", protocol: "Protocol", now_ms: int
    ) -> "dict[str, list[Value]] | str":
        """Its objects by name; {} where it has none or says again what was heard."""
        from edgelite_drivers.ble import bthome

        data = advertisement.service_data.get(bthome.UUID)
        if data is None:
            return {}
        try:
            objects = bthome.payload(data, advertisement.address, protocol.bind_key)
            if data[0] & 1 and not self._is_fresh(values.integer(bthome.counter(data), False)):
                return {}
        except ValueRefused as error:
            return str(error)
        found: dict[str, list[Value]] = {}
        for name, value in bthome.measurements(objects):
            found.setdefault(name, []).append(value)
        packet = found["packet_id"][0] if "packet_id" in found else objects
        is_repeated = packet == self._packet and ("packet_id" in found or now_ms - self._packet_ms < REPEAT_MS)
        self._packet = packet  # type: ignore[assignment]
        self._packet_ms = now_ms
        if is_repeated:
            for name in bthome.EVENTS:
                found.pop(name, None)
        return found

    def _is_fresh(self, counter: int) -> bool:
        """An advertisement that somebody recorded and sends again has an old counter."""
        is_fresh = counter > self._counter or counter < COUNTER_RESET < self._counter
        if is_fresh:
            self._counter = -1 if counter == _COUNTER_LAST else counter
        return is_fresh


def _coded(visitor: "Visitor", advertisement: "Advertisement") -> "Value | None":
    if visitor.advertisement == config.MANUFACTURER:
        data = advertisement.manufacturer_data.get(visitor.company)
    else:
        data = advertisement.service_data.get(visitor.service)
    return None if data is None else values.decode(visitor.codec, data)  # type: ignore[arg-type]


def _nth(found: "dict[str, list[Value]] | str", visitor: "Visitor") -> "Value | None":
    if isinstance(found, str):
        raise ValueRefused(found)
    rows = found.get(visitor.field, [])
    return rows[visitor.index - 1] if visitor.index <= len(rows) else None


def _plain(visitor: "Visitor", advertisement: "Advertisement") -> "Value | None":
    kind = visitor.advertisement
    if kind == config.RSSI:
        return advertisement.rssi
    if kind == config.TX_POWER:
        return advertisement.tx_power
    if kind == config.NAME:
        return advertisement.name
    fields = ibeacon(advertisement) if kind == config.IBEACON else eddystone(advertisement)
    return (fields or {}).get(visitor.field)
