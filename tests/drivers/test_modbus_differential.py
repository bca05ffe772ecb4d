"""Values and requests against pymodbus', a second implementation of both."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin
from pymodbus.pdu import bit_message, register_message

from edgelite_drivers.modbus import check_visitor, pdu
from edgelite_drivers.modbus.values import decode, encode
from edgelite_protocol import messages

Mixin: Any = ModbusClientMixin
DATATYPES = Mixin.DATATYPE
INTEGERS = {
    "int16": (16, True, DATATYPES.INT16),
    "uint16": (16, False, DATATYPES.UINT16),
    "int32": (32, True, DATATYPES.INT32),
    "uint32": (32, False, DATATYPES.UINT32),
    "int64": (64, True, DATATYPES.INT64),
    "uint64": (64, False, DATATYPES.UINT64),
}
EXAMPLES = settings(max_examples=150, deadline=None)


def visitor(type_name: str, property_type: str, swap: bool, **more: Any) -> Any:
    config = {"register": "HoldingRegister", "offset": 0, "type": type_name, "isRegisterSwap": swap, **more}
    return check_visitor(config, {messages.PROPERTY_TYPE: property_type})


def their_registers(value: Any, datatype: Any, swap: bool) -> bytes:
    registers = Mixin.convert_to_registers(value, datatype, word_order="little" if swap else "big")
    return b"".join(register.to_bytes(2, "big") for register in registers)


@pytest.mark.parametrize("type_name", sorted(INTEGERS))
@EXAMPLES
@given(data=st.data(), swap=st.booleans())
def test_integers(type_name: str, data: Any, swap: bool) -> None:
    bits, signed, datatype = INTEGERS[type_name]
    low = -(1 << bits - 1) if signed else 0
    value = data.draw(st.integers(low, low + (1 << bits) - 1))
    registers = their_registers(value, datatype, swap)
    assert encode(visitor(type_name, "INT", swap), value) == registers
    assert decode(visitor(type_name, "INT", swap), registers) == value


@EXAMPLES
@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.booleans())
def test_float32(value: float, swap: bool) -> None:
    registers = their_registers(value, DATATYPES.FLOAT32, swap)
    assert encode(visitor("float32", "FLOAT", swap), value) == registers
    assert decode(visitor("float32", "FLOAT", swap), registers) == value


@EXAMPLES
@given(st.floats(allow_nan=False, allow_infinity=False), st.booleans())
def test_float64(value: float, swap: bool) -> None:
    registers = their_registers(value, DATATYPES.FLOAT64, swap)
    assert encode(visitor("float64", "DOUBLE", swap), value) == registers
    assert decode(visitor("float64", "DOUBLE", swap), registers) == value


@EXAMPLES
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20))
def test_strings(value: str) -> None:
    registers = their_registers(value, DATATYPES.STRING, False)
    string = visitor("string", "STRING", False, limit=len(registers) // 2)
    assert encode(string, value) == registers
    assert decode(string, registers) == value


def theirs(message: Any) -> bytes:
    return bytes([message.function_code]) + message.encode()


@EXAMPLES
@given(
    st.integers(0, 65000),
    st.integers(1, 125),
    st.binary(min_size=2, max_size=246),
    st.lists(st.booleans(), min_size=1, max_size=300),
)
def test_requests(address: int, count: int, data: bytes, bits: list[bool]) -> None:
    data = data[: len(data) // 2 * 2]
    registers = [data[index] << 8 | data[index + 1] for index in range(0, len(data), 2)]
    pairs = (
        (pdu.read_request(1, address, count), bit_message.ReadCoilsRequest(address=address, count=count)),
        (pdu.read_request(2, address, count), bit_message.ReadDiscreteInputsRequest(address=address, count=count)),
        (
            pdu.read_request(3, address, count),
            register_message.ReadHoldingRegistersRequest(address=address, count=count),
        ),
        (pdu.read_request(4, address, count), register_message.ReadInputRegistersRequest(address=address, count=count)),
        (pdu.write_coil_request(address, bits[0]), bit_message.WriteSingleCoilRequest(address=address, bits=bits[:1])),
        (
            pdu.write_register_request(address, data[:2]),
            register_message.WriteSingleRegisterRequest(address=address, registers=registers[:1]),
        ),
        (pdu.write_coils_request(address, bits), bit_message.WriteMultipleCoilsRequest(address=address, bits=bits)),
        (
            pdu.write_registers_request(address, data),
            register_message.WriteMultipleRegistersRequest(address=address, registers=registers),
        ),
    )
    for ours, message in pairs:
        assert ours == theirs(message)
