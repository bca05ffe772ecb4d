"""One simulated slave: ranges that may be computed, dead or slow, and what the request under way has read of them."""

from __future__ import annotations

from edgelite_drivers.modbus.pdu import ExceptionAnswer
from edgelite_drivers.modbus_server.answers import ILLEGAL_VALUE
from edgelite_drivers.modbus_server.table_unit import Range, TableUnit
from edgelite_sim.devices.modbus_range import SlaveRange

PLANS_MAX = 256  # of requests that come again and again; beyond, the oldest is found anew


class SlaveUnit(TableUnit):
    """Of the request under way: `touched` are the ranges that it has touched, `read` those that it has read whole, and
    `now_ms` is its time, which whoever hands in the request sets."""

    is_dead = False
    delay_ms = 0
    registers_max = 125
    now_ms = 0

    def __init__(self, ranges: list[Range], one_range_only: bool) -> None:
        super().__init__(ranges, one_range_only)
        self.touched: list[Range] = []
        self.read: list[SlaveRange] = []
        self.is_plain = not any(isinstance(one, SlaveRange) and (one.is_dead or one.delay_ms) for one in ranges)
        self._plans: dict[tuple[int, int, int], list[Range]] = {}

    def begin(self, now_ms: int) -> None:
        self.now_ms = now_ms
        if self.touched:
            self.touched = []
        self.read = []

    def parts(self, table: int, address: int, count: int) -> list[Range]:
        if table > 2 and count > self.registers_max:
            raise ExceptionAnswer(ILLEGAL_VALUE)
        key = (table, address, count)
        found = self._plans.get(key)
        if found is None:
            found = super().parts(table, address, count)
            if len(self._plans) >= PLANS_MAX:
                del self._plans[next(iter(self._plans))]
            self._plans[key] = found
        for one in found:
            if one.exception:
                raise ExceptionAnswer(one.exception)
        if not self.is_plain:
            self.touched += found
        return found

    def _read(self, table: int, address: int, count: int) -> bytes:
        found = self.parts(table, address, count)
        end = address + count
        read = []
        for one in found:
            if isinstance(one, SlaveRange):
                one.refresh(self.now_ms)
                if address <= one.address and one.end <= end:
                    read.append(one)
        self.read = read
        if len(found) == len(read):
            return b"".join([one.data for one in found])
        data = b""
        for one in found:
            first = max(address - one.address, 0) * one.item_bytes
            data += bytes(one.data[first : (end - one.address) * one.item_bytes])
        return data
