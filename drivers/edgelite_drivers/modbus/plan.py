"""Read planning: neighbouring properties in one request.

Rule: properties of one table are read together where at most GAP_REGISTERS_MAX unused registers (or as many bits
times 16) lie between them and the request stays within what the device gives at once. A gap of 8 registers costs 16
bytes on the wire, a request of its own 20 to 40 and a round trip.

Devices exist that refuse a read across a gap, or across a register that they do not have. Such a refusal splits the
span in two halves and is remembered as a cut, so that the same request is not sent again; a span of one property
cannot be split, and its refusal is the property's error.
"""

from edgelite_drivers.modbus import pdu
from edgelite_drivers.modbus.config import BIT_TABLES, READ_FUNCTIONS, TABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_drivers.modbus.config import Visitor

GAP_REGISTERS_MAX = 8
GAP_BITS_MAX = 16 * GAP_REGISTERS_MAX


class Span:
    """One read: `count` items of `table` from `address` on, for the properties `parts` [(name, visitor), ...]."""

    def __init__(self, table: str, address: int, count: int, parts: "list[tuple[str, Visitor]]") -> None:
        self.table = table
        self.address = address
        self.count = count
        self.parts = parts

    def request(self) -> bytes:
        return pdu.read_request(READ_FUNCTIONS[self.table], self.address, self.count)

    def data_of(self, visitor: "Visitor", data: bytes) -> bytes:
        """What `data`, the answer to this span, says of one property: its register bytes, one 0/1 register of a bit."""
        index = visitor.offset - self.address
        if self.table in BIT_TABLES:
            return b"\0\1" if data[index >> 3] >> (index & 7) & 1 else b"\0\0"
        return data[2 * index : 2 * (index + visitor.count)]

    def halves(self) -> "list[Span]":
        middle = len(self.parts) // 2
        return [_span_of(self.parts[:middle]), _span_of(self.parts[middle:])]


def plan(visitors: "dict[str, Visitor]", registers_max: int, cuts: "set[tuple[str, int]]") -> "list[Span]":
    """The spans that read all of `visitors`, in the order of tables and addresses.

    `cuts`: (table, offset) of properties that begin a span of their own, learnt from refusals.
    """
    spans: list[Span] = []
    for table in TABLES:
        items_max = pdu.READ_BITS_MAX if table in BIT_TABLES else registers_max
        gap_max = GAP_BITS_MAX if table in BIT_TABLES else GAP_REGISTERS_MAX
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
