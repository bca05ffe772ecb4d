"""The serial driver keeps the driver contract with each framing."""

from serial_peer import Peer

from edgelite_drivers import serial
from edgelite_drivers.testing import Subject, check_driver
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLOAT: "dict[int, object]" = {PROPERTY_TYPE: "FLOAT"}
BAD_PROTOCOLS: "tuple[tuple[object, str], ...]" = (
    ({}, "protocol.configData.serialPort"),
    ({"serialPort": "/dev/ttyS0", "baudRate": 1}, "protocol.configData.baudRate"),
    ({"serialPort": "/dev/ttyS0", "framing": {"end": ""}}, "protocol.configData.framing.end"),
    ({"ip": "127.0.0.1", "port": 1, "baudRate": 300}, "protocol.configData.baudRate"),
)
BAD_VISITORS: "tuple[tuple[object, str], ...]" = (
    ({}, "visitors.configData.pattern"),
    ({"pattern": "{value"}, "visitors.configData.pattern"),
    ({"pattern": "{value}", "requests": "?"}, "visitors.configData.requests"),
)


def check(
    framing: "dict[str, Any] | None",
    question: str,
    answer: bytes,
    pattern: str,
    checksum: object = None,
    where: "dict[str, Any] | None" = None,
) -> None:
    protocol: dict[str, Any] = {"timeoutMs": 300, "framing": framing, "checksum": checksum}
    protocol.update(where or {"serialPort": "/dev/ttyS0"})
    visitor = {"pattern": pattern, "request": question}
    answers = {serial.check_visitor(visitor, FLOAT).request.data({}): answer}  # type: ignore[union-attr]
    check_driver(
        Subject(
            serial,
            protocol,
            {"value": (visitor, FLOAT)},
            {"value": 21.5},
            lambda: Peer(answers),
            BAD_PROTOCOLS,
            BAD_VISITORS,
        )
    )


def test_lines() -> None:
    check(None, "T?\r\n", b"T=21.5\r\n", "T={value:float}")


def test_lines_of_a_serial_server() -> None:
    check(None, "T?\r\n", b"T=21.5\n", "T={value:float}", where={"ip": "127.0.0.1", "port": 4001})


def test_start_and_end_with_a_checksum_behind() -> None:
    framing = {"start": "\x02", "end": "\x03", "trailer": 1}
    check(framing, "?", b"\x02T 21.5\x03" + bytes([xor(b"T 21.5\x03")]), "T {value:float}", {"name": "xor", "from": 1})


class Talker(Peer):
    """Says a sentence by itself, and answers one question."""

    def say(self) -> bytes:
        return b"$GPHDT,21.5,T*%02X\r\n" % xor(b"GPHDT,21.5,T")


def test_listening() -> None:
    protocol = {
        "serialPort": "/dev/ttyS0",
        "framing": {"start": "$", "end": "\r\n"},
        "checksum": {"name": "xor", "encoding": "hex", "from": 1, "to": -5, "at": -4},
    }
    visitors: dict[str, Any] = {
        "heading": ({"listen": True, "pattern": "{:2}HDT,{value:float},T"}, FLOAT),
        "depth": ({"request": "D", "pattern": "D{value:float}"}, FLOAT),
    }
    answers = {b"D": b"$D4.5*%02X\r\n" % xor(b"D4.5")}
    check_driver(Subject(serial, protocol, visitors, {"depth": 4.5}, lambda: Talker(answers), heard={"heading": 21.5}))


def test_fixed_length() -> None:
    check({"length": 6}, "?", b"\xaa\x55" + b"\x41\xac\0\0", "\xaaU{value:f32}")


def test_length_field() -> None:
    framing = {"start": "\xaa", "lengthField": {"at": 1, "add": 3}}
    check(framing, "?", b"\xaa\x04\x41\xac\0\0\x9b", "{:1}{value:f32}", "sum")


def test_silence_ends_a_frame() -> None:
    check({"idleGapMs": 20, "start": "T"}, "?", b"T=21.5", "={value:float}")


def test_a_device_that_is_woken_up_first() -> None:
    protocol = {
        "serialPort": "/dev/ttyS0",
        "baudRate": 300,
        "dataBits": 7,
        "parity": "even",
        "framing": {"start": "\x02", "end": "\x03", "trailer": 1},
        "checksum": {"name": "xor", "from": 1, "to": -1},
        "wakeUp": [
            {"send": "/?!\r\n"},
            {"expect": "/{:3}{code:1}"},
            {"pauseMs": 20},
            {"send": "\x060{code}0\r\n"},
            {"baudRate": "code", "bauds": {"5": 9600}},
        ],
    }
    data = b"\x021.8.0(000123.4*kWh)\r\n!\r\n\x03"
    answers = {b"/?!\r\n": b"/XYZ5meter\r\n", b"\x06050\r\n": data + bytes([xor(data[1:])])}
    visitor = {"obis": "1.8.0", "unit": "kWh"}
    check_driver(
        Subject(serial, protocol, {"energy": (visitor, FLOAT)}, {"energy": 123.4}, lambda: Peer(answers), BAD_PROTOCOLS)
    )


class Setpoint:
    """Answers "?" with what was set by "=VALUE", and confirms that."""

    def __init__(self) -> None:
        self.value = b"20.0"
        self.asked = b""

    def answer(self, data: bytes) -> bytes:
        self.asked += data
        if not self.asked.endswith(b"\r\n"):
            return b""
        asked, self.asked = self.asked.strip(), b""
        if asked == b"?":
            return b"SP " + self.value + b"\r\n"
        if asked.startswith(b"="):
            self.value = asked[1:]
            return b"OK\r\n"
        return b""


def test_writing() -> None:
    visitor = {"request": "?\r\n", "pattern": "SP {value:float}", "write": "={value:float .1}\r\n", "confirm": "OK"}
    writable: dict[int, object] = {PROPERTY_TYPE: "FLOAT", PROPERTY_WRITABLE: True}
    check_driver(
        Subject(
            serial,
            {"serialPort": "/dev/ttyS0"},
            {"setpoint": (visitor, writable)},
            {"setpoint": 20.0},
            Setpoint,
            write=("setpoint", 21.5),
        )
    )


def xor(data: bytes) -> int:
    found = 0
    for byte in data:
        found ^= byte
    return found
