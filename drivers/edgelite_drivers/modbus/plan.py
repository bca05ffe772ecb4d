"""Read planning: neighbouring properties in one request.

Rule: properties of one table are read together where at most `maxGap` unused registers (8 where nothing is said; of
bits 16 times as many) lie between them, and the request stays within what the device gives at once: `maxRegisters`, at
most 125, or 2000 bits. Nothing else than these gaps is read beyond what is configured. A gap of 8 registers costs 16
bytes on the wire, a request of its own 20 to 40 and a round trip.

Devices exist that refuse a read across a gap, or across a register that they do not have. Such a refusal splits the
span at its widest gap, or in halves where it has none, and is remembered as a cut, so that the same request is not sent
again; a span of one property cannot be split, and its refusal is the property's error.
"""

from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.config import BIT_TABLES, READ_FUNCTIONS, TABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_drivers.modbus.config import Protocol
    from edgelite_drivers.modbus.representation import Visitor

BITS_PER_REGISTER = 16


class Span:
    """One read: `count` items of `table` from `address` on, for the properties `parts` [(name, visitor), ...]; never
    changed, so that a plan can be used again."""

    def __init__(self, table: str, address: int, count: int, parts: "list[tuple[str, Visitor]]") -> None:
        self.table = table
        self.address = address
        self.count = count
        self.parts = parts
        self.request = pdu.read_request(READ_FUNCTIONS[table], address, count)

    def data_of(self, visitor: "Visitor", data: bytes) -> bytes:
        """What `data`, the answer to this span, says of one property: its register bytes, one 0/1 register of a bit."""
        index = visitor.offset - self.address
        if self.table in BIT_TABLES:
            return b"\0\1" if data[index >> 3] >> (index & 7) & 1 else b"\0\0"
        return data[2 * index : 2 * (index + visitor.count)]

    def halves(self) -> "list[Span]":
        """Two spans for a refused one of several properties."""
        middle = len(self.parts) // 2
        widest = 0
        end = self.address
        for index, (_, visitor) in enumerate(self.parts):
            if visitor.offset - end > widest:
                middle, widest = index, visitor.offset - end
            end = max(end, visitor.offset + visitor.count)
        return [_span_of(self.parts[:middle]), _span_of(self.parts[middle:])]


def plan(visitors: "dict[str, Visitor]", protocol: "Protocol", cuts: "set[tuple[str, int]]") -> "list[Span]":
    """The spans that read all of `visitors`, in the order of tables and addresses.

    `cuts`: (table, offset) of properties that begin a span of their own, learnt from refusals.
    """
    spans: list[Span] = []
    for table in TABLES:
        is_bits = table in BIT_TABLES
        items_max = pdu.READ_BITS_MAX if is_bits else protocol.registers_max
        gap_max = protocol.gap_registers * (BITS_PER_REGISTER if is_bits else 1)
        run: list[tuple[str, Visitor]] = []
        end = 0
        for part in _parts_of(visitors, table):
            visitor = part[1]
            apart = visitor.offset > end + gap_max or (table, visitor.offset) in cuts
            if run and (apart or visitor.offset + visitor.count - run[0][1].offset > items_max):
                spans.append(_span_of(run))
                run = []
            end = visitor.offset + visitor.count if not run else max(end, visitor.offset + visitor.count)
            run.append(part)
        if run:
            spans.append(_span_of(run))
    return spans


def _parts_of(visitors: "dict[str, Visitor]", table: str) -> "list[tuple[str, Visitor]]":
    parts = [(name, visitors[name]) for name in visitors if visitors[name].table == table]
    parts.sort(key=lambda part: (part[1].offset, part[1].count, part[0]))
    return parts


def _span_of(parts: "list[tuple[str, Visitor]]") -> Span:
    first = parts[0][1]
    end = max([visitor.offset + visitor.count for _, visitor in parts])
    return Span(first.table, first.offset, end - first.offset, parts)
