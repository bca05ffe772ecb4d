"""Every decoder of the Modbus driver fed with arbitrary bytes: only the typed error may come out."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent / "portable"))

from modbus_bench import Bench, counting_unit

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus import check_protocol, check_visitor, diagnosis, make_bus, pdu
from edgelite_drivers.modbus.ascii import AsciiFraming
from edgelite_drivers.modbus.bits import masks
from edgelite_drivers.modbus.config import DEVICE_FIELDS, SERIAL_FIELDS, TCP_FIELDS
from edgelite_drivers.modbus.representation import REPRESENTATION_FIELDS
from edgelite_drivers.modbus.rtu import RtuFraming, seal
from edgelite_drivers.modbus.tcp import TcpFraming
from edgelite_drivers.modbus.values import ValueRefused, decode, encode
from edgelite_protocol import messages
from edgelite_protocol.errors import ProtocolError

EXAMPLES = settings(max_examples=400, deadline=None)

REQUESTS = st.sampled_from(
    [
        pdu.read_request(1, 0, 9),
        pdu.read_request(2, 5, 2000),
        pdu.read_request(3, 0, 1),
        pdu.read_request(4, 7, 125),
        pdu.write_coil_request(0, True),
        pdu.write_register_request(0, b"\1\2"),
        pdu.write_registers_request(3, b"\1\2\3\4"),
        pdu.write_coils_request(3, [True] * 9),
    ]
)
# Near the truth half of the time, so that the deeper checks are reached.
ANSWERS = st.binary(max_size=260) | st.builds(
    lambda head, size, body: bytes([head, size]) + body,
    st.integers(0, 0x97),
    st.integers(0, 255),
    st.binary(max_size=255),
)


@EXAMPLES
@given(REQUESTS, ANSWERS)
def test_answers(request: bytes, answer: bytes) -> None:
    try:
        data = pdu.parse_answer(request, answer)
    except ProtocolError:
        return
    assert answer[0] == request[0]
    assert data in answer


FRAMINGS = st.sampled_from([TcpFraming, RtuFraming, AsciiFraming])


@EXAMPLES
@given(FRAMINGS, st.sampled_from([1, 65]), REQUESTS, st.lists(st.binary(max_size=40), max_size=20), st.booleans())
def test_framing(make: Any, unit: int, request: bytes, pieces: list[bytes], is_near: bool) -> None:
    """How the stream is cut must not matter, and only the typed error may come out."""

    def run(pieces: list[bytes]) -> tuple[bytes | None, str]:
        framing = make()
        framing.encode(unit, request)
        try:
            for piece in pieces:
                framing.feed(piece)
                answer = framing.next_answer()
                if answer is not None:
                    return answer, ""
            return framing.expire(), ""
        except ProtocolError as error:
            return None, error.code

    if is_near:
        pieces = [bytes([unit, request[0]]), *pieces]
    assert run(pieces) == run([b"".join(pieces)])


PROTOCOL_FIELDS = (*DEVICE_FIELDS, *SERIAL_FIELDS, *TCP_FIELDS)
TYPES = st.sampled_from(["INT", "FLOAT", "DOUBLE", "BOOLEAN", "STRING", "BYTES", "STREAM", ""])
JSON = st.none() | st.booleans() | st.integers(-10, 70000) | st.floats() | st.text(max_size=5)
CONFIGS = st.dictionaries(
    st.sampled_from(["register", "offset", "limit", "other", *REPRESENTATION_FIELDS]),
    st.sampled_from(["HoldingRegister", "CoilRegister", "float32", "string", "uint64", 1, 2, 4, 0.1, True])
    | st.sampled_from(["CDAB", "DCBA", "int16", [0, 3], (4, 15), {"0": "off", "1": "on"}, {0: "a", -1: "b"}, {}])
    | JSON,
)


@EXAMPLES
@given(CONFIGS, TYPES, st.binary(min_size=250, max_size=250))
def test_configurations(config: dict[str, Any], property_type: str, data: bytes) -> None:
    """A configuration that is taken reads any registers without surprise."""
    config.setdefault("register", "HoldingRegister")
    config.setdefault("offset", 1)
    try:
        visitor = check_visitor(config, {messages.PROPERTY_TYPE: property_type})
    except ConfigurationError as error:
        assert error.path.startswith("visitors.configData")
        return
    try:
        value = decode(visitor, data[: 2 * visitor.count])
    except ValueRefused:
        return
    kinds: dict[str, type] = {
        "INT": int,
        "FLOAT": float,
        "DOUBLE": float,
        "BOOLEAN": bool,
        "STRING": str,
        "BYTES": bytes,
    }
    assert type(value) is kinds[property_type]


@EXAMPLES
@given(
    st.dictionaries(
        st.sampled_from(["ip", "x", *PROTOCOL_FIELDS]),
        st.sampled_from(["rtu", "ascii", "tcp", "/dev/ttyS0", "even", "lenient", "auto", 0, 1, 8, 9600, {}]) | JSON,
    )
    | JSON
)
def test_protocols(config: Any) -> None:
    try:
        protocol = check_protocol(config)
    except ConfigurationError as error:
        assert error.path.startswith("protocol.configData")
    else:
        assert protocol.target[0] in ("tcp", "serial") and 0 <= protocol.unit <= 255
        make_bus(protocol.target, bytes).opened(0)


@EXAMPLES
@given(
    st.sampled_from(["int16", "uint32", "int64", "float32", "float64"]),
    st.floats() | st.integers(),
    st.floats(0.001, 1000),
)
def test_what_can_be_encoded_comes_back(type_name: str, value: float, scale: float) -> None:
    config = {"register": "HoldingRegister", "offset": 0, "type": type_name, "scale": scale}
    visitor = check_visitor(config, {messages.PROPERTY_TYPE: "DOUBLE"})
    try:
        data = encode(visitor, value)
    except ConfigurationError:
        return
    try:
        again = encode(visitor, decode(visitor, data))
    except ValueRefused:
        assert type_name == "float64", "scaled, it left the range of the floats"
        return
    assert again == data or type_name == "float64", "a scaled double may lose its last bit"


@EXAMPLES
@given(
    st.sampled_from(["int16", "uint16", "int32", "uint32"]),
    st.binary(min_size=4, max_size=4),
    st.sampled_from([1, 0.1, 0.01, 0.5, 10, -0.1]),
    st.integers(-1000, 1000) | st.floats(-1000, 1000),
    st.sampled_from(["ABCD", "BADC", "CDAB", "DCBA"]),
)
def test_a_scaled_and_shifted_register_comes_back(
    type_name: str, data: bytes, scale: float, addend: float, order: str
) -> None:
    config = {"register": "HoldingRegister", "offset": 0, "type": type_name, "scale": scale, "addend": addend}
    visitor = check_visitor({**config, "order": order}, {messages.PROPERTY_TYPE: "DOUBLE"})
    data = data[: 2 * visitor.count]
    assert encode(visitor, decode(visitor, data)) == data


@EXAMPLES
@given(st.integers(0, 15), st.integers(0, 15), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.booleans())
def test_bits_come_back_and_leave_the_others_alone(one: int, two: int, register: int, value: int, swap: bool) -> None:
    low, high = min(one, two), max(one, two)
    config = {"register": "HoldingRegister", "offset": 0, "bits": [low, high], "isSwap": swap}
    visitor = check_visitor(config, {messages.PROPERTY_TYPE: "INT"})
    value &= (1 << high - low + 1) - 1
    keep, bring = masks(visitor, encode(visitor, value))
    changed = (register & keep | bring).to_bytes(2, "big")
    assert decode(visitor, changed) == value
    data = register.to_bytes(2, "big")
    old = decode(visitor, data)
    keep, bring = masks(visitor, encode(visitor, old))
    assert (int.from_bytes(changed, "big") & keep | bring) == register, "only these bits had changed"


@EXAMPLES
@given(
    st.sampled_from([7, 8, 17, 43]),
    st.binary(max_size=60)
    | st.builds(lambda head, rest: b"\x2b\x0e\1\1" + head + rest, st.binary(max_size=3), st.binary()),
)
def test_diagnosis(function: int, answer: bytes) -> None:
    requests = {
        7: diagnosis.exception_status_request(),
        8: diagnosis.diagnostics_request(0, b"\1\2"),
        17: diagnosis.server_id_request(),
        43: diagnosis.identification_request(),
    }
    request = requests[function]
    parse: dict[int, Any] = {
        7: diagnosis.parse_exception_status,
        8: lambda data: diagnosis.parse_diagnostics(request, data),
        17: diagnosis.parse_server_id,
        43: diagnosis.parse_identification,
    }
    try:
        told = parse[function](pdu.parse_answer(request, answer))
    except ProtocolError:
        return
    if function == 43:
        assert diagnosis.identification_size(answer) == len(answer)
    framing = RtuFraming()
    framing.encode(9, request)
    framing.feed(seal(9, answer))
    assert parse[function](pdu.parse_answer(request, framing.next_answer() or b"")) == told


@EXAMPLES
@given(st.lists(st.binary(max_size=30) | st.just(b"answer") | st.just(b"step"), max_size=12))
def test_a_bus_gives_one_result_for_each_request_whatever_it_is_fed(actions: list[bytes]) -> None:
    bench = Bench(u1=counting_unit())
    bench.read(1, 0, 1)
    bench.read(2, 3)
    bench.open()
    numbers: list[int] = []
    for action in actions:
        bench.now_ms += 100
        if action == b"answer":
            bench.bus.received(bench.peer.answer(bench.bus.data_to_send(4096)), bench.now_ms)
        elif action == b"step":
            bench.bus.step(bench.now_ms)
        else:
            bench.bus.received(action, bench.now_ms)
        if bench.bus.wants_close(bench.now_ms):
            bench.bus.closed("closed", bench.now_ms)
            break
        numbers += [result.number for result in bench.results()]
    for _ in range(5):
        bench.now_ms += 2000
        bench.bus.step(bench.now_ms)
    numbers += [result.number for result in bench.results()]
    assert sorted(numbers) == [1, 2]
