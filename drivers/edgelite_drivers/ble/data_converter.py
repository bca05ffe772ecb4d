"""KubeEdge's data converter: bytes of a value, shifted, then put through operations in their order.

    dataConverter: {startIndex: 1, endIndex: 0, shiftRight: 2,
                    orderOfOperations: [{operationType: Multiply, operationValue: 0.03125}]}

The bytes from `startIndex` to `endIndex` make one unsigned number, the byte at `startIndex` first and highest; a start
above the end reads them in reverse. `shiftLeft` keeps 64 bits; where both shifts are given, left is the one.
"""

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_protocol.values import is_finite, is_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    Operation = tuple[str, float]

PATH = "visitors.configData.dataConverter"
INDEX_MAX = 511  # an attribute's value has at most 512 bytes (Core Specification, Vol 3, Part F, 3.2.9)
BYTES_MAX = 8
SHIFT_MAX = 63
OPERATIONS_MAX = 16  # KubeEdge's examples have up to 3
VALUE_MAX = 1e38  # of each operation: whole numbers have no bound of their own, and too long ones cannot be divided
_MASK = (1 << 64) - 1
_INVERSE = {"add": "subtract", "subtract": "add", "multiply": "divide", "divide": "multiply"}


class ValueRefused(ValueError):
    """The bytes hold no value as it is configured; the text says why."""


class DataConverter:
    def __init__(self, start: int, end: int, shift_left: int, shift_right: int, operations: "list[Operation]") -> None:
        self.start = start
        self.end = end
        self.shift_left = shift_left
        self.shift_right = 0 if shift_left else shift_right
        self.operations = operations


def check_converter(config: object, writable: bool) -> DataConverter:
    """ConfigurationError names the path; a writable property needs a converter that can be turned round."""
    known = ("startIndex", "endIndex", "shiftLeft", "shiftRight", "orderOfOperations")
    fields = Fields(config, PATH, known)
    start = fields.integer("startIndex", 0, INDEX_MAX)
    end = fields.integer("endIndex", 0, INDEX_MAX)
    if abs(end - start) >= BYTES_MAX:
        raise fields.refuse("endIndex", "must be within %d bytes of startIndex" % BYTES_MAX)
    if writable and min(start, end) > 0:
        raise fields.refuse("startIndex", "a value that is written begins at byte 0: what stands before is not known")
    operations = _operations(config.get("orderOfOperations"), writable)  # type: ignore[attr-defined]
    shift_left = fields.integer("shiftLeft", 0, SHIFT_MAX, 0)
    return DataConverter(start, end, shift_left, fields.integer("shiftRight", 0, SHIFT_MAX, 0), operations)


def _operations(rows: object, writable: bool) -> "list[Operation]":
    if rows is None:
        return []
    if not isinstance(rows, (list, tuple)) or len(rows) > OPERATIONS_MAX:
        path = PATH + ".orderOfOperations"
        raise ConfigurationError(path, "must be a list of at most %d operations" % OPERATIONS_MAX)
    return [_operation(row, "%s.orderOfOperations[%d]" % (PATH, index), writable) for index, row in enumerate(rows)]


def _operation(row: object, path: str, writable: bool) -> "Operation":
    fields = Fields(row, path, ("operationType", "operationValue"))
    name = fields.text("operationType", 16).lower()  # KubeEdge's mapper takes any case
    if name not in _INVERSE:
        raise fields.refuse("operationType", "must be one of Add, Subtract, Multiply, Divide")
    if not fields.has("operationValue"):
        raise fields.refuse("operationValue", "is required")
    value = fields.number("operationValue", 0)
    if not is_finite(value) or abs(value) > 1e30:
        raise fields.refuse("operationValue", "must be a number between -1e30 and 1e30")
    if value == 0 and (name == "divide" or (writable and name == "multiply")):
        raise fields.refuse("operationValue", "must not be 0")
    return name, value


def convert(converter: DataConverter, data: bytes) -> "int | float":
    """ValueRefused where `data` is too short or an operation leaves the range of numbers."""
    last = max(converter.start, converter.end)
    if len(data) <= last:
        raise ValueRefused("the value has %d bytes, the converter reads byte %d" % (len(data), last))
    number = 0
    for index in _indexes(converter):
        number = number << 8 | data[index]
    number = number << converter.shift_left & _MASK if converter.shift_left else number >> converter.shift_right
    value: int | float = number
    for name, operand in converter.operations:
        value = _apply(name, value, operand)
        if not -VALUE_MAX <= value <= VALUE_MAX:
            raise ValueRefused("the converter gives no number")
    return value


def convert_back(converter: DataConverter, value: object) -> bytes:
    """The bytes that `convert` makes `value` of, as near as they can; ConfigurationError where there are none."""
    if not is_number(value) or not is_finite(value):  # type: ignore[arg-type]
        raise ConfigurationError("value", "must be a number")
    number: int | float = value  # type: ignore[assignment]
    for name, operand in reversed(converter.operations):
        number = _apply(_INVERSE[name], number, operand)
        if not -VALUE_MAX <= number <= VALUE_MAX:
            break
    indexes = _indexes(converter)
    highest = (1 << 8 * len(indexes)) - 1
    if not -1 < number < 2.0 * _MASK:
        raise ConfigurationError("value", "%r does not fit %d bytes" % (value, len(indexes)))
    raw = round(number)
    raw = raw >> converter.shift_left if converter.shift_left else raw << converter.shift_right
    if not 0 <= raw <= highest:
        raise ConfigurationError("value", "%r does not fit %d bytes" % (value, len(indexes)))
    data = bytearray(len(indexes))
    for index in reversed(indexes):
        data[index] = raw & 0xFF
        raw >>= 8
    return bytes(data)


def _indexes(converter: DataConverter) -> "list[int]":
    if converter.start <= converter.end:
        return list(range(converter.start, converter.end + 1))
    return list(range(converter.start, converter.end - 1, -1))


def _apply(name: str, value: "int | float", operand: "int | float") -> "int | float":
    if name == "add":
        return value + operand
    if name == "subtract":
        return value - operand
    return value * operand if name == "multiply" else value / operand
