"""The serial bus: who is asked, who is listened for, silence, noise, late answers, a line that goes and comes."""

from edgelite.driver import ConfigurationError, Request
from edgelite_drivers import serial
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite.driver import Result

FLOAT: "dict[int, object]" = {PROPERTY_TYPE: "FLOAT"}
WRITABLE: "dict[int, object]" = {PROPERTY_TYPE: "FLOAT", PROPERTY_WRITABLE: True}
NMEA = {
    "serialPort": "/dev/ttyS0",
    "framing": {"start": "$", "end": "\r\n"},
    "checksum": {"name": "xor", "encoding": "hex", "from": 1, "to": -5, "at": -4},
    "silenceMs": 5000,
}
METER = {
    "serialPort": "/dev/ttyS0",
    "baudRate": 300,
    "dataBits": 7,
    "parity": "even",
    "framing": {"start": "\x02", "end": "\x03", "trailer": 1},
    "checksum": {"name": "xor", "from": 1, "at": -1},
    "timeoutMs": 2000,
    "wakeUp": [
        {"send": "/?!\r\n"},
        {"expect": "/{:3}{code:1}{type}"},
        {"send": "\x060{code}0\r\n"},
        {"baudRate": "code", "bauds": {"0": 300, "5": 9600}},
    ],
}


def xor(data: bytes) -> int:
    total = 0
    for byte in data:
        total ^= byte
    return total


def sentence(text: bytes) -> bytes:
    return b"$%s*%02X\r\n" % (text, xor(text))


class World:
    """A bus on an open line, and the time."""

    def __init__(self, protocol: "dict[str, Any]") -> None:
        self.protocol = serial.check_protocol(protocol)
        target = serial.target(self.protocol)
        self.bus: Any = serial.make_bus(target, lambda count: b"\x80" * count)
        self.now_ms = 0
        self.numbers = 0
        self.protocols = [self.protocol]

    def request(
        self, config: "dict[str, Any]", value: object = None, protocol: object = None, listens: bool = False
    ) -> int:
        self.numbers += 1
        visitors = {
            name: serial.check_visitor(config[name], WRITABLE if value is not None else FLOAT) for name in config
        }
        request = Request(self.numbers, protocol or self.protocol, visitors, value)  # type: ignore[arg-type]
        if listens:
            self.bus.listen(request, self.now_ms)
        else:
            self.bus.submit(request, self.now_ms)
        return self.numbers

    def open(self) -> None:
        self.bus.step(self.now_ms)
        assert self.bus.wants_open(self.now_ms)
        self.bus.opened(self.now_ms)

    def sent(self) -> bytes:
        found: bytes = self.bus.data_to_send(4096)
        return found

    def hear(self, data: bytes) -> None:
        self.bus.received(data, self.now_ms)

    def wait(self, duration_ms: int) -> None:
        """From deadline to deadline."""
        end_ms = self.now_ms + duration_ms
        for _ in range(1000):
            deadline_ms = self.bus.step(self.now_ms)
            if deadline_ms is None or deadline_ms > end_ms:
                break
            assert deadline_ms > self.now_ms or self.bus.wants_settings(self.now_ms), "it spins"
            self.now_ms = max(self.now_ms, deadline_ms)
        self.now_ms = end_ms

    def results(self) -> "list[Result]":
        found = []
        result = self.bus.next_result()
        while result is not None:
            found.append(result)
            result = self.bus.next_result()
        return found

    def result(self) -> "Result":
        found = self.results()
        assert len(found) == 1, [(one.values, one.errors) for one in found]
        return found[0]


def with_(config: "dict[str, Any]", **more: "Any") -> "dict[str, Any]":
    made = dict(config)
    made.update(more)
    return made


ASK = {"weight": {"request": "W\r\n", "pattern": "W{value:float}"}}
PLAIN = {"serialPort": "/dev/ttyS0", "timeoutMs": 500}


def test_one_question_for_what_is_asked_alike() -> None:
    world = World(PLAIN)
    world.request(
        {
            "weight": {"request": "R\r\n", "pattern": "{:2},{value:float}"},
            "state": {"request": "R\r\n", "pattern": "{value:2},", "values": {"ST": 1, "US": 0}},
            "zero": {"request": "O\r\n", "pattern": "O{value:float}"},
        }
    )
    world.open()
    assert world.sent() == b"R\r\n"
    world.hear(b"ST,1.5\r\n")
    assert world.sent() == b"O\r\n"
    world.hear(b"O2\r\n")
    assert world.result().values == {"weight": 1.5, "state": 1.0, "zero": 2.0}


def test_what_nobody_asked_is_no_answer() -> None:
    world = World(PLAIN)
    world.request(ASK)
    world.open()
    world.hear(b"BOOT v1\r\nready\r\n")
    world.hear(b"W1.5\r\n")
    assert world.result().values == {"weight": 1.5}
    world.hear(b"W9.9\r\n")
    assert world.results() == []


def test_a_late_answer_is_not_the_next_ones() -> None:
    world = World(PLAIN)
    world.request(ASK)
    world.open()
    assert world.sent() == b"W\r\n"
    world.wait(510)
    result = world.result()
    assert (result.answered, result.errors) == (False, {"weight": "no answer within 500 ms"})
    other = serial.check_protocol(PLAIN)
    world.request({"height": {"request": "H\r\n", "pattern": "{value:float}"}}, protocol=other)
    assert world.sent() == b"", "the line is quiet for one more timeout"
    world.wait(100)
    world.hear(b"W7.7\r\n")
    world.wait(410)
    assert world.sent() == b"H\r\n"
    world.hear(b"1.8\r\n")
    assert world.result().values == {"height": 1.8}


def test_a_silent_device_costs_the_others_less_and_less() -> None:
    world = World(PLAIN)
    dead, alive = world.protocol, serial.check_protocol(PLAIN)
    world.request(ASK, protocol=dead)
    world.open()
    asked = answers = results = 0
    for _ in range(60):
        world.request(ASK, protocol=dead)
        world.request({"height": {"request": "H\r\n", "pattern": "{value:float}"}}, protocol=alive)
        for _ in range(100):
            world.wait(10)
            sent = world.sent()
            asked += sent == b"W\r\n"
            if sent == b"H\r\n":
                world.hear(b"1.8\r\n")
            for result in world.results():
                results += 1
                answers += len(result.values)
    assert results == 121, "each request has its result"
    assert answers == 60
    assert 3 <= asked <= 8, asked


def test_noise_alone_is_no_answer_and_says_so() -> None:
    world = World(with_(NMEA, timeoutMs=500))
    world.request({"x": {"request": "?", "pattern": "A,{value:float}"}})
    world.open()
    world.hear(b"\xff\xfe\x80" * 20)
    world.wait(1100)
    result = world.result()
    assert not result.answered
    assert result.errors == {"x": "what came within 500 ms is no whole frame"}


def test_a_wrong_checksum_is_named() -> None:
    """As with the wrong parity or baud rate: what comes is damaged."""
    world = World(with_(NMEA, timeoutMs=500))
    world.request({"x": {"request": "?", "pattern": "A,{value:float}"}})
    world.open()
    world.hear(b"$A,1*00\r\n")
    world.wait(1100)
    assert world.result().errors == {"x": "what came within 500 ms is no whole frame: wrong checksum"}


def test_one_that_never_falls_silent_is_given_up() -> None:
    world = World(with_(PLAIN, framing={"end": "\n", "maxBytes": 64}))
    world.request(ASK)
    world.open()
    for _ in range(40):
        world.hear(b"chatter\n")
        world.wait(100)
    result = world.result()
    assert result.answered and result.errors == {"weight": "the answer fits no pattern"}


def test_a_half_line_and_then_silence() -> None:
    world = World(PLAIN)
    world.request(ASK)
    world.open()
    world.hear(b"W1.")
    world.wait(600)
    result = world.result()
    assert not result.answered and "no whole frame" in result.errors["weight"]


def test_listening_gives_each_value_as_it_comes() -> None:
    world = World(NMEA)
    number = world.request(
        {"a": {"listen": True, "pattern": "A,{value:float}"}, "b": {"listen": True, "pattern": "B,{value:float}"}},
        listens=True,
    )
    world.open()
    world.hear(sentence(b"A,1") + sentence(b"C,5") + sentence(b"B,2")[:4])
    assert [(one.number, one.values, one.errors) for one in world.results()] == [(number, {"a": 1.0}, {})]
    world.hear(sentence(b"B,2")[4:] + sentence(b"A,"))
    assert [(one.values, one.errors) for one in world.results()] == [
        ({"b": 2.0}, {}),
        ({}, {"a": "the field is empty"}),
    ]


def test_silence_of_what_is_listened_for_is_told_once() -> None:
    world = World(NMEA)
    world.request({"a": {"listen": True, "pattern": "A,{value:float}"}}, listens=True)
    world.open()
    world.hear(sentence(b"A,1"))
    assert world.result().answered
    world.wait(20_000)
    result = world.result()
    assert not result.answered and result.errors == {"a": "nothing of it was received within 5000 ms"}
    world.hear(b"$A,1*00\r\n")
    world.hear(sentence(b"A,2"))
    assert world.result().values == {"a": 2.0}
    world.hear(b"$A,1*00\r\n")
    world.wait(6_000)
    assert world.result().errors == {"a": "nothing of it was received within 5000 ms: wrong checksum"}


def test_a_line_that_vanishes_is_opened_again_for_who_listens() -> None:
    world = World(NMEA)
    number = world.request({"a": {"listen": True, "pattern": "A,{value:float}"}}, listens=True)
    world.open()
    world.hear(sentence(b"A,1")[:5])
    world.bus.closed("the line is gone", world.now_ms)
    result = world.result()
    assert not result.answered and result.errors == {"a": "no connection: the line is gone"}
    deadline_ms = world.bus.step(world.now_ms)
    assert deadline_ms is not None and not world.bus.wants_open(world.now_ms)
    world.now_ms = deadline_ms
    world.open()
    world.hear(sentence(b"A,2"))
    assert world.result().values == {"a": 2.0}, "the half line is forgotten"
    world.bus.ignore(number, world.now_ms)
    world.hear(sentence(b"A,3"))
    assert world.results() == []
    world.bus.closed("the line is gone", world.now_ms)
    world.now_ms += 60_000
    assert world.bus.step(world.now_ms) is None and not world.bus.wants_open(world.now_ms)


def test_a_meter_is_woken_up_read_and_its_line_set_back() -> None:
    world = World(METER)
    for _ in range(2):
        world.request({"energy": {"obis": "1.8.0"}})
        if world.now_ms == 0:
            world.open()
        else:
            settings = world.bus.wants_settings(world.now_ms)
            assert (settings["baud"], settings["data_bits"], settings["parity"]) == (300, 7, "even")
            assert world.sent() == b"", "the line is set first"
            world.bus.step(world.now_ms)
        assert world.sent() == b"/?!\r\n"
        world.hear(b"/?!\r\n")  # an optical head may see its own light
        world.hear(b"/EDL5type\r\n")
        assert world.sent() == b"\x06050\r\n"
        settings = world.bus.wants_settings(world.now_ms)
        assert (settings["baud"], settings["data_bits"], settings["parity"]) == (9600, 7, "even")
        world.bus.step(world.now_ms)
        data = b"1.8.0(000123.4*kWh)\r\n!\r\n\x03"
        world.hear(b"\x02" + data + bytes([xor(data)]))
        assert world.result().values == {"energy": 123.4}
        world.now_ms += 10_000


def test_a_device_that_is_woken_up_once_and_again_after_silence() -> None:
    world = World(with_(PLAIN, wakeUp=[{"send": "LOGIN\r\n"}, {"expect": "WELCOME"}], wakeUpWhen="open"))
    world.request(ASK)
    world.open()
    assert world.sent() == b"LOGIN\r\n"
    world.hear(b"banner\r\nWELCOME\r\n")
    assert world.sent() == b"W\r\n"
    world.hear(b"W1\r\n")
    world.request(ASK)
    assert world.sent() == b"W\r\n"
    world.wait(600)
    assert [one.answered for one in world.results()] == [True, False]
    world.now_ms += 10_000
    world.request(ASK)
    assert world.sent() == b"LOGIN\r\n"
    world.hear(b"DENIED\r\n")
    world.wait(600)
    result = world.result()
    assert result.answered and result.errors == {"weight": "what the device says to step 2 does not fit its pattern"}


def test_pauses_are_kept() -> None:
    world = World(with_(PLAIN, pauseMs=100, wakeUp=[{"send": "\0"}, {"pauseMs": 300}]))
    world.request(ASK)
    world.open()
    assert world.sent() == b"\0"
    world.wait(290)
    assert world.sent() == b""
    world.wait(10)
    assert world.sent() == b"W\r\n"
    world.hear(b"W1\r\n")
    assert world.result().values == {"weight": 1.0}
    world.request(ASK)
    assert world.sent() == b"", "the line rests between two exchanges"
    world.wait(110)
    assert world.sent() == b"\0"


def test_another_device_of_the_line_is_asked_at_its_own_rate() -> None:
    world = World(METER)
    world.request({"energy": {"obis": "1.8.0"}})
    world.open()
    world.sent()
    world.hear(b"/EDL5type\r\n")
    assert world.bus.wants_settings(world.now_ms)["baud"] == 9600
    world.bus.step(world.now_ms)
    data = b"1.8.0(1*kWh)\r\n!\r\n\x03"
    world.hear(b"\x02" + data + bytes([xor(data)]))
    assert world.result().values == {"energy": 1.0}
    world.sent()
    other = serial.check_protocol(
        {"serialPort": "/dev/ttyS0", "baudRate": 300, "dataBits": 7, "parity": "even", "timeoutMs": 500}
    )
    world.request(ASK, protocol=other)
    assert world.sent() == b"" and world.bus.wants_settings(world.now_ms)["baud"] == 300
    world.bus.step(world.now_ms)
    assert world.sent() == b"W\r\n"


def test_a_meter_that_names_an_unknown_rate() -> None:
    world = World(METER)
    world.request({"energy": {"obis": "1.8.0"}})
    world.open()
    world.hear(b"/EDL9type\r\n")
    result = world.result()
    assert result.errors == {"energy": "the device names a baud rate that `bauds` has not: 9"} and result.answered


def test_a_meter_that_falls_silent_in_the_middle() -> None:
    world = World(METER)
    world.request({"energy": {"obis": "1.8.0"}})
    world.open()
    world.hear(b"/EDL5type\r\n")
    world.bus.wants_settings(world.now_ms)
    world.wait(2500)
    result = world.result()
    assert result.errors == {"energy": "no answer within 2000 ms"} and result.answered


def test_a_device_that_is_listened_for_as_a_whole() -> None:
    protocol = serial.check_protocol(with_(PLAIN, listen=True))
    visitors = [
        ("heard", serial.check_visitor({"pattern": "A{value:float}"}, FLOAT)),
        ("asked", serial.check_visitor({"pattern": "A{value:float}", "request": "A"}, FLOAT)),
        ("silent", serial.check_visitor({"pattern": "A{value:float}", "listen": False}, FLOAT)),
    ]
    serial.check_device(protocol, visitors[:2])
    assert [serial.listens(visitor) for _, visitor in visitors[:2]] == [True, False]
    try:
        serial.check_device(protocol, visitors)
    except ConfigurationError as error:
        assert error.path == "properties[2].visitors.configData.request"
    else:
        raise AssertionError("nobody says how it is asked")


def test_what_cannot_be_asked_or_written_is_told_at_once() -> None:
    world = World(PLAIN)
    world.request({"x": {"pattern": "{value:float}"}})
    assert world.result().errors == {"x": "neither the property nor the device has a `request`"}
    world.request({"x": {"request": "?", "pattern": "{value:float}", "write": "{value:u8}"}}, 300)
    assert world.result().errors == {"x": "300 does not fit u8"}
    assert not world.bus.wants_open(0)


def test_a_write_that_is_confirmed_and_one_that_is_not() -> None:
    world = World(PLAIN)
    config = {"x": {"request": "?", "pattern": "{value:float}", "write": "={value:float}\r\n", "confirm": "OK"}}
    world.request(config, 1.5)
    world.open()
    assert world.sent() == b"=1.5\r\n"
    world.hear(b"OK\r\n")
    result = world.result()
    assert (result.values, result.errors, result.answered) == ({}, {}, True)
    world.request(config, 1.5)
    world.hear(b"ERR 5\r\n")
    world.wait(600)
    assert world.result().errors == {"x": "the answer fits no pattern"}


def test_a_serial_server_that_went_away_unseen_is_asked_anew() -> None:
    world = World({"ip": "127.0.0.1", "port": 4001, "timeoutMs": 500})
    world.request(ASK)
    world.open()
    for _ in range(3):
        world.wait(600)
        assert not world.result().answered
        world.now_ms += 60_000
        if not world.bus.wants_close(world.now_ms):
            world.bus.step(world.now_ms)
            world.request(ASK)
    assert world.bus.wants_close(world.now_ms)


def test_a_serial_server_that_fell_silent_is_connected_to_again_by_who_listens() -> None:
    world = World({"ip": "127.0.0.1", "port": 4001, "silenceMs": 1000})
    world.request({"a": {"listen": True, "pattern": "A{value:float}"}}, listens=True)
    world.open()
    world.hear(b"A1\n")
    assert world.result().answered and not world.bus.wants_close(world.now_ms)
    world.wait(1100)
    assert not world.result().answered and world.bus.wants_close(world.now_ms)
    world.bus.closed("closed", world.now_ms)
    world.now_ms += 2000
    world.open()
    world.hear(b"A2\n")
    assert world.result().values == {"a": 2.0} and not world.bus.wants_close(world.now_ms)


def test_two_devices_of_one_line_share_it() -> None:
    from edgelite.devices.lines import key_of

    config = {"serialPort": "/dev/ttyS0", "rs485": {"rtsOnSend": True, "delayBeforeSendMs": 2}}
    keys = [key_of(serial, serial.target(serial.check_protocol(config))) for _ in range(2)]
    assert keys[0] == keys[1] and {keys[0]: 1}
