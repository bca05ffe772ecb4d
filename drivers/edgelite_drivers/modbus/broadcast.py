"""Properties that are written to everybody on a line (slaveID 0): nobody answers, so none can be read.

What reads as their value is what was sent last. Before anything was, that is the value of zeros, and equal to nothing
that is desired, so that a first value is sent whatever it is.
"""

from edgelite_drivers.modbus.values import ValueRefused, decode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_drivers.modbus.representation import Visitor


def note_sent(visitor: "Visitor", data: bytes) -> None:
    visitor.sent = data


def what_was_sent(visitor: "Visitor") -> "int | float | str | bool | bytes":
    data = visitor.sent or bytes(2 * visitor.count)
    try:
        return decode(visitor, data)
    except ValueRefused:  # an enumeration without 0
        texts = visitor.texts or {}
        return texts[min(texts)] if texts else ""
