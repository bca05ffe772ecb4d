"""A unit whose registers are twins of this node."""

from edgelite.devices.desired import why_impossible
from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus.config import READ_FUNCTIONS
from edgelite_drivers.modbus.pdu import (
    EXCEPTION_ILLEGAL_DATA_ADDRESS,
    EXCEPTION_ILLEGAL_DATA_VALUE,
    READ_COILS,
    READ_HOLDING_REGISTERS,
    ExceptionAnswer,
)
from edgelite_drivers.modbus.values import ValueRefused, decode, encode
from edgelite_drivers.modbus_server.answers import SERVER_FAILURE
from edgelite_drivers.modbus_server.unit import Unit
from edgelite_protocol.values import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.devices import Devices
    from edgelite_drivers.modbus_server.config import Served

GOOD = "good"


class TwinUnit(Unit):
    """`served` by the name of the property that shows it."""

    def __init__(self, devices: "Devices", served: "dict[str, Served]", fills_gaps: bool) -> None:
        Unit.__init__(self)
        self.served = served
        self._devices = devices
        self._fills_gaps = fills_gaps
        self._tables: dict[int, list[Served]] = {table: [] for table in READ_FUNCTIONS.values()}
        for one in served.values():
            self._tables[READ_FUNCTIONS[one.place.table]].append(one)
        for rows in self._tables.values():
            rows.sort(key=lambda one: one.place.offset)

    def read_bits(self, table: int, address: int, count: int) -> "list[bool]":
        return [data[1] != 0 for data in self._registers(table, address, count)]

    def read_registers(self, table: int, address: int, count: int) -> bytes:
        return b"".join([bytes(data) for data in self._registers(table, address, count)])

    def write_bits(self, address: int, values: "list[bool]", now_ms: int) -> None:
        self._write(READ_COILS, address, b"".join([b"\0\1" if value else b"\0\0" for value in values]), now_ms)

    def write_registers(self, address: int, data: bytes, now_ms: int) -> None:
        self._write(READ_HOLDING_REGISTERS, address, data, now_ms)

    def current(self, one: "Served") -> "bytes | None":
        """What is read there; None where that is an exception."""
        device = self._devices.view(one.key)
        twin = device.twins.get(one.name) if device is not None else None
        if twin is not None and twin.value is not None and (twin.quality == GOOD or one.shows_last):
            try:
                return encode(one.place, twin.value)
            except ConfigurationError:
                return one.substitute  # a value that these registers cannot hold
        return one.substitute

    def _touched(self, table: int, address: int, count: int) -> "list[Served]":
        end = address + count
        return [
            one
            for one in self._tables[table]
            if one.place.offset < end and one.place.offset + one.place.count > address
        ]

    def _registers(self, table: int, address: int, count: int) -> "list[bytearray]":
        found: list[bytearray | None] = [None] * count
        for one in self._touched(table, address, count):
            data = self.current(one)
            if data is None:
                raise ExceptionAnswer(SERVER_FAILURE)
            for index in range(one.place.count):
                at = one.place.offset + index - address
                if 0 <= at < count:
                    _merge(found, at, data[2 * index], data[2 * index + 1])
        if (None in found and not self._fills_gaps) or address + count > 65536:
            raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_ADDRESS)
        return [data or bytearray(2) for data in found]

    def _write(self, table: int, address: int, data: bytes, now_ms: int) -> None:
        """All of them are looked at before the first one is desired."""
        count = len(data) // 2
        wanted = []
        free = set(range(address, address + count))
        for one in self._touched(table, address, count):
            place = one.place
            free.difference_update(range(place.offset, place.offset + place.count))
            if not place.is_writable:
                if place.bit_mask:
                    continue  # a bit beside others that may be written
                raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_ADDRESS)
            start = 2 * (place.offset - address)
            piece = data[start : start + 2 * place.count] if start >= 0 else b""
            if len(piece) < 2 * place.count:
                raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_VALUE)  # half a value
            text = self._wanted_text(one, piece)
            if not place.bit_mask or self._differs(one, piece):
                wanted.append((one, text))
        if free:
            raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_ADDRESS)
        for one, text in wanted:
            try:
                self._devices.want_locally(one.key, one.name, text, now_ms)
            except ConfigurationError as error:
                raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_VALUE) from error

    def _wanted_text(self, one: "Served", piece: bytes) -> str:
        device = self._devices.view(one.key)
        twin = device.twins.get(one.name) if device is not None else None
        if twin is None:
            raise ExceptionAnswer(SERVER_FAILURE)
        try:
            value = decode(one.place, piece)
        except ValueRefused as error:
            raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_VALUE) from error
        if twin.property.type == "INT" and isinstance(value, float) and value == int(value):
            value = int(value)
        text = to_text(value)
        if why_impossible(twin.property, text):
            raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_VALUE)
        return text

    def _differs(self, one: "Served", piece: bytes) -> bool:
        """Bits that are written along with others, but stay what they were, are not desired."""
        data = self.current(one)
        return data is None or decode(one.place, data) != decode(one.place, piece)


def _merge(found: "list[bytearray | None]", at: int, high: int, low: int) -> None:
    data = found[at]
    if data is None:
        found[at] = bytearray([high, low])
    else:
        data[0] |= high
        data[1] |= low
