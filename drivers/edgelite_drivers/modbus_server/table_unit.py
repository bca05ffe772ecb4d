"""A unit with registers of its own, in ranges: what a simulated slave is made of."""

from edgelite_drivers.modbus.pdu import (
    EXCEPTION_ILLEGAL_DATA_ADDRESS,
    READ_COILS,
    READ_HOLDING_REGISTERS,
    ExceptionAnswer,
)
from edgelite_drivers.modbus_server.unit import Unit


class Range:
    """`data` from `address` on: two bytes for a register, one (0 or 1) for a bit. `exception`: the code that any access
    to it is refused with, 0 for none."""

    def __init__(self, table: int, address: int, data: "bytes | bytearray", writable: bool = False) -> None:
        self.table = table
        self.address = address
        self.data = bytearray(data)
        self.item_bytes = 1 if table <= 2 else 2
        self.end = address + len(self.data) // self.item_bytes
        self.writable = writable
        self.exception = 0


class TableUnit(Unit):
    """`ranges` of one table do not overlap. `one_range_only`: a request across two of them is refused, even where they
    touch, as devices do that read block by block."""

    def __init__(self, ranges: "list[Range]", one_range_only: bool = False) -> None:
        Unit.__init__(self)
        self.ranges = sorted(ranges, key=lambda one: (one.table, one.address))
        self.one_range_only = one_range_only

    def read_bits(self, table: int, address: int, count: int) -> "list[bool]":
        return [byte != 0 for byte in self._read(table, address, count)]

    def read_registers(self, table: int, address: int, count: int) -> bytes:
        return self._read(table, address, count)

    def write_bits(self, address: int, values: "list[bool]", now_ms: int) -> None:
        self._write(READ_COILS, address, bytes([1 if value else 0 for value in values]))

    def write_registers(self, address: int, data: bytes, now_ms: int) -> None:
        self._write(READ_HOLDING_REGISTERS, address, data)

    def parts(self, table: int, address: int, count: int) -> "list[Range]":
        """The ranges that hold these addresses, in order; ExceptionAnswer where one address is in none."""
        found = []
        place = address
        for one in self.ranges:
            if one.table == table and one.address <= place < one.end and place < address + count:
                found.append(one)
                place = one.end
        if place < address + count or (self.one_range_only and len(found) > 1):
            raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_ADDRESS)
        for one in found:
            if one.exception:
                raise ExceptionAnswer(one.exception)
        return found

    def _read(self, table: int, address: int, count: int) -> bytes:
        data = b""
        for one in self.parts(table, address, count):
            first = max(address - one.address, 0) * one.item_bytes
            end = (address + count - one.address) * one.item_bytes
            data += bytes(one.data[first:end])
        return data

    def _write(self, table: int, address: int, data: bytes) -> None:
        item_bytes = 1 if table == READ_COILS else 2
        parts = self.parts(table, address, len(data) // item_bytes)
        for one in parts:
            if not one.writable:
                raise ExceptionAnswer(EXCEPTION_ILLEGAL_DATA_ADDRESS)
        for one in parts:
            first = max(address - one.address, 0) * item_bytes
            skipped = max(one.address - address, 0) * item_bytes
            piece = data[skipped : (one.end - address) * item_bytes]
            one.data[first : first + len(piece)] = piece
