"""Read planning: which properties share a request."""

from edgelite_drivers.modbus import check_protocol, check_visitor
from edgelite_drivers.modbus.plan import plan
from edgelite_protocol import messages


def visitors(*places):
    """name: visitor for (register, offset, limit); named by their index."""
    rows = {}
    for index, (register, offset, limit) in enumerate(places):
        property_type = "BOOLEAN" if register in ("CoilRegister", "DiscreteInputRegister") else "BYTES"
        config = {"register": register, "offset": offset, "limit": limit}
        rows[str(index)] = check_visitor(config, {messages.PROPERTY_TYPE: property_type})
    return rows


def spans(places, cuts=(), **protocol):
    config = {"ip": "meter"}
    config.update(protocol)
    return [
        (span.table, span.address, span.count, [name for name, _ in span.parts])
        for span in plan(visitors(*places), check_protocol(config), set(cuts))
    ]


HOLDING = "HoldingRegister"
INPUT = "InputRegister"
COIL = "CoilRegister"


def test_neighbours_and_small_gaps_are_one_read():
    assert spans([(INPUT, 0, 2), (INPUT, 2, 2)]) == [(INPUT, 0, 4, ["0", "1"])]
    assert spans([(INPUT, 12, 2), (INPUT, 0, 4)]) == [(INPUT, 0, 14, ["1", "0"])]
    assert spans([(INPUT, 13, 2), (INPUT, 0, 4)]) == [(INPUT, 0, 4, ["1"]), (INPUT, 13, 2, ["0"])]


def test_overlaps_are_read_once():
    assert spans([(INPUT, 0, 10), (INPUT, 2, 2), (INPUT, 2, 2)]) == [(INPUT, 0, 10, ["0", "1", "2"])]
    assert spans([(INPUT, 0, 10), (INPUT, 2, 2), (INPUT, 18, 1)]) == [(INPUT, 0, 19, ["0", "1", "2"])]


def test_tables_stay_apart():
    found = spans([(HOLDING, 0, 1), (INPUT, 0, 1), (COIL, 0, 1), ("DiscreteInputRegister", 0, 1)])
    assert [row[:3] for row in found] == [
        (COIL, 0, 1),
        ("DiscreteInputRegister", 0, 1),
        (INPUT, 0, 1),
        (HOLDING, 0, 1),
    ]


def test_a_read_stays_within_what_the_device_gives():
    places = [(HOLDING, 2 * index, 2) for index in range(100)]
    assert [(row[1], row[2]) for row in spans(places)] == [(0, 124), (124, 76)]
    assert [(row[1], row[2]) for row in spans(places, maxRegisters=80)] == [(0, 80), (80, 80), (160, 40)]
    assert [(row[1], row[2]) for row in spans([(COIL, 100 * index, 1) for index in range(40)])] == [
        (0, 1901),
        (2000, 1901),
    ]


def test_cuts_begin_a_span():
    assert spans([(HOLDING, 0, 2), (HOLDING, 2, 2)], cuts=[(HOLDING, 2)]) == [
        (HOLDING, 0, 2, ["0"]),
        (HOLDING, 2, 2, ["1"]),
    ]
    assert len(spans([(INPUT, 0, 2), (INPUT, 2, 2)], cuts=[(HOLDING, 2)])) == 1
