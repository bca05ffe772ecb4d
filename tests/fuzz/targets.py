"""Every decoder of bytes that a peer, a wire or a file gives, for the fuzzers.

To add one, append a Target to TARGETS:

    name      for the table that is printed
    prepare   imports what is fuzzed, and gives `function(data: bytes)`. The function feeds the data to the decoder,
              catches the typed errors that the decoder documents (nothing wider), and asserts what must always hold.
              Whatever else comes out of it is a bug. It must be quick: some ten thousand calls a second.
    seeds     a few inputs that the decoder takes, so that the fuzzers find its depths
    weight    its share of the inputs

Both fuzzers run all of them: Hypothesis (test_targets.py), and atheris, which is guided by coverage (test_atheris.py).
Try one alone:  python tests/fuzz/run_atheris.py NAME --runs 100000
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ble_targets import ble_advertisements, ble_converter, ble_sensors
from driver_targets import driver_agent, driver_messages, driver_process
from serial_targets import serial_bus, serial_frames, serial_obis, serial_pattern_texts, serial_patterns

Function = Callable[[bytes], None]


@dataclass(frozen=True)
class Target:
    name: str
    prepare: Callable[[], Function]
    seeds: tuple[bytes, ...]
    weight: int = 1


def hexes(*texts: str) -> tuple[bytes, ...]:
    return tuple(bytes.fromhex(text) for text in texts)


# ---- Modbus, the client's side: what a device answers

REQUESTS = hexes(
    "0100000009", "020005000a", "0300000002", "0400000004", "050000ff00", "0600000102", "07", "0800001234",
    "0f00000009020101", "100003000204ffff0000", "11", "16000000f20025", "1700000002000100020400010002", "2b0e0100",
)  # fmt: skip


def modbus_parse() -> Function:
    from edgelite_drivers.modbus import diagnosis, pdu
    from edgelite_protocol.errors import ProtocolError

    parsers: dict[int, Callable[[bytes], object]] = {
        7: diagnosis.parse_exception_status,
        17: diagnosis.parse_server_id,
        43: diagnosis.parse_identification,
    }

    def function(data: bytes) -> None:
        request = REQUESTS[data[0] % len(REQUESTS)] if data else REQUESTS[0]
        try:
            found = pdu.parse_answer(request, data[1:])
            if request[0] in parsers:
                parsers[request[0]](found)
            elif request[0] == 8:
                diagnosis.parse_diagnostics(request, found)
        except ProtocolError:
            return
        assert data[1] == request[0]

    return function


def modbus_client(name: str) -> Function:
    from edgelite_drivers.modbus.ascii import AsciiFraming
    from edgelite_drivers.modbus.client import Client
    from edgelite_drivers.modbus.rtu import RtuFraming
    from edgelite_drivers.modbus.tcp import TcpFraming
    from edgelite_protocol.errors import ProtocolError

    make: Any = {"tcp": TcpFraming, "rtu": RtuFraming, "ascii": AsciiFraming}[name]

    def function(data: bytes) -> None:
        """The first byte chooses the request, the second where the rest is cut in two."""
        client = Client(make())
        client.ask(1, REQUESTS[data[0] % len(REQUESTS)] if data else REQUESTS[0])
        cut = 2 + data[1] if len(data) > 1 else 2
        found = None
        try:
            for piece in (data[2:cut], data[cut:]):
                found = client.take(piece) if found is None else found
            if found is None:
                client.give_up()
        except ProtocolError:
            return

    return function


def modbus_values() -> Function:
    from edgelite.driver import ConfigurationError
    from edgelite_drivers.modbus import check_visitor
    from edgelite_drivers.modbus.values import TYPES, ValueRefused, decode, encode
    from edgelite_protocol.messages import PROPERTY_TYPE

    visitors: list[Any] = []
    for kind in TYPES:
        property_type = {"bool": "BOOLEAN", "string": "STRING", "bytes": "BYTES"}.get(kind, "DOUBLE")
        for options in ({}, {"isSwap": True}, {"isRegisterSwap": True}, {"scale": 0.1}):
            config = {"register": "HoldingRegister", "offset": 0, "type": kind, **options}
            if kind in ("string", "bytes"):
                config["limit"] = 4
            try:
                visitors.append(check_visitor(config, {PROPERTY_TYPE: property_type}))
            except ConfigurationError:
                continue  # no scale for what is no number

    def function(data: bytes) -> None:
        visitor = visitors[data[0] % len(visitors)] if data else visitors[0]
        size_bytes = 2 * visitor.count
        registers = data[1 : 1 + size_bytes].ljust(size_bytes, b"\0")
        try:
            value = decode(visitor, registers)
        except ValueRefused:
            return
        try:
            encode(visitor, value)
        except ConfigurationError:
            assert visitor.type in ("int64", "uint64"), (
                "what was read can be written"
            )  # these may round beyond their end

    return function


# ---- Modbus, the server's side: what a client asks


def _units() -> Any:
    from edgelite_drivers.modbus_server.table_unit import Range, TableUnit
    from edgelite_drivers.modbus_server.unit import Units

    ranges = [Range(1, 0, bytes(40), True), Range(2, 3, bytes(40)), Range(3, 0, bytes(99 * 2), True)]
    return Units({1: TableUnit([*ranges, Range(4, 65530, bytes(12))]), 2: TableUnit([], True)}, True)


def modbus_requests() -> Function:
    from edgelite_drivers.modbus_server.answers import answer_all

    units = _units()

    def function(data: bytes) -> None:
        units.units[1].listens_only = False
        answer = answer_all(units, data[0] % 4 if data else 0, data[1:], 0)
        assert answer is None or 2 <= len(answer) <= 253 or len(data) > 254

    return function


def modbus_map() -> Function:
    """A file, of whoever simulates slaves."""
    from edgelite.driver import ConfigurationError
    from edgelite_sim.devices.modbus_map import parse_map

    def function(data: bytes) -> None:
        try:
            parse_map(data.decode("utf-8", "replace"))
        except ConfigurationError:
            return

    return function


def device_file() -> Function:
    """The same for every kind of simulated device: what holds has values at any time."""
    from edgelite.driver import ConfigurationError
    from edgelite_sim.devices.source import device_from

    def function(data: bytes) -> None:
        try:
            source = device_from(data.decode("utf-8", "replace"))
        except ConfigurationError:
            return
        for now_ms in (0, 86_399_999):
            source.current(now_ms)
            peer = source.make_peer(now_ms)
            peer.opened(now_ms)
            peer.received(b"READ\r\n", now_ms)
            peer.step(now_ms)
            peer.closed("closed", now_ms)

    return function


def modbus_server(name: str) -> Function:
    from edgelite_drivers.modbus_server.framings import AsciiRequests, RtuRequests, TcpRequests
    from edgelite_drivers.modbus_server.server import OUTPUT_BYTES_MAX, Server

    units = _units()
    make: Any = {"tcp": TcpRequests, "rtu": lambda: RtuRequests(units.units), "ascii": AsciiRequests}[name]

    def function(data: bytes) -> None:
        """The first byte says where the rest is cut in two."""
        server = Server(make(), units)
        cut = 1 + data[0] if data else 1
        for now_ms, piece in enumerate((data[1:cut], data[cut:])):
            server.received(piece, now_ms)
            server.step(now_ms)
        assert len(server.data_to_send(1 << 20)) <= OUTPUT_BYTES_MAX

    return function


# ---- the local bus


def bus_json() -> Function:
    from edgelite.bus import json_text
    from edgelite_protocol.errors import ProtocolError

    def function(data: bytes) -> None:
        try:
            json_text.decode(data)
        except ProtocolError:
            return

    return function


def bus_frames() -> Function:
    from edgelite.bus import frames
    from edgelite_protocol.errors import ProtocolError

    def function(data: bytes) -> None:
        try:
            frames.decode(data)
        except ProtocolError:
            return

    return function


def bus_session() -> Function:
    """What a local process sends, in two pieces: it is answered or closed, and never holds more than it may."""
    from edgelite.bus import frames, local
    from edgelite.bus.bus import MessageBus

    def function(data: bytes) -> None:
        server = local.LocalServer(MessageBus(), "bus.sock", "node", lambda effect: None, lambda count: bytes(count))
        session: Any = server.accept("", 0)
        cut = data[0] if data else 0
        for piece in (data[1 : 1 + cut], data[1 + cut :]):
            session.received(piece, 0)
            for _ in range(8):
                server.step(0)
                session.data_to_send(4096)
        assert session._waiting_bytes <= local.WAITING_BYTES_MAX + frames.FRAME_BYTES_MAX
        assert len(session._control) <= local.REQUESTS_MAX + 1

    return function


def mapped_device() -> tuple[Any, Any, Any]:
    """A bus, the devices of a node with one that a local program drives, and their context."""
    from edgelite.bus.bus import MessageBus
    from edgelite.clock import Clock
    from edgelite.context import Context
    from edgelite.devices import Devices
    from edgelite_protocol import messages as m

    class NoJournal:
        generation = 1

        def get(self, space: int, key: str) -> None:
            return None

        def write(self, changes: object) -> int:
            return 0

    journal: Any = NoJournal()
    context = Context(journal, lambda effect: None, lambda *report: None, Clock(bytes(16)), bytes, bytes(16))
    devices = Devices(context)
    names = (("temp", "FLOAT", True), ("count", "INT", False), ("name", "STRING", True))
    rows = [
        {
            m.PROPERTY_NAME: name,
            m.PROPERTY_TYPE: kind,
            m.PROPERTY_WRITABLE: writable,
            m.PROPERTY_VISITOR: {},
            m.PROPERTY_COLLECT_MS: 1000,
            m.PROPERTY_REPORT_MS: 0,
            m.PROPERTY_REPORT_TO_CLOUD: True,
        }
        for name, kind, writable in names
    ]
    device: dict[int, object] = {m.DEVICE_UID: "u", m.DEVICE_NAMESPACE: "a", m.DEVICE_NAME: "b"}
    device |= {m.DEVICE_DRIVER: "mapper", m.DEVICE_PROTOCOL: {}, m.DEVICE_PROPERTIES: rows, m.DEVICE_GENERATION: 1}
    devices.set_desired("a/b", device, 0)
    return MessageBus(), devices, context


def asking(bus: Any, served: Any, topic: str, fine: Callable[[Any], bool]) -> Function:
    """Each message to `topic` has one result, JSON, and a `fine` one."""
    import json

    from edgelite.bus.bus import Subscriber

    heard = Subscriber()
    bus.subscribe(heard, topic + "/result")

    def function(data: bytes) -> None:
        bus.publish(topic, data[:4200])
        served.step(0)
        message = heard.take()
        assert message is not None and heard.take() is None
        assert fine(json.loads(message.payload))

    return function


def kubeedge_requests() -> Function:
    """What a mapper publishes: with a code where nothing was done."""
    from edgelite.bus.kubeedge import KubeEdge

    bus, devices, context = mapped_device()
    served = KubeEdge(bus, devices, context, "node", lambda: False)
    topic = "$hw/events/device/a/b/twin/update"
    return asking(bus, served, topic, lambda told: "twin" in told or told["code"] in (400, 404, 409, 500))


def device_requests(action: str) -> Function:
    """What a local program asks of the node's devices: with an error where nothing was done."""
    from edgelite.bus.requests import Requests

    bus, devices, context = mapped_device()
    served = Requests(bus, devices, context)
    return asking(bus, served, "edgelite/devices/" + action, lambda told: "error" in told or bool(told["id"]))


UPDATE_SEEDS = (
    b'{"event_id":"e","twin":{"temp":{"actual":{"value":"1.5","metadata":{"timestamp":2}},"expected":{"value":"3"}}}}',
    b'{"twin":{"temp":{"expected_version":{"cloud":1,"edge":2},"metadata":{"type":"deleted"}},"count":null}}',
    b'{"twin":{"name":{"actual":{"value":"x"},"actual_version":{"edge":9}},"count":{"actual":{"value":"7"}}}}',
)


# ---- what a broker sends


def mqtt_packets() -> Function:
    from edgelite.mqtt.frames import PAYLOAD_BYTES_MAX, PUBLISH, TOPIC_BYTES_MAX, PacketReader
    from edgelite.mqtt.umqtt_client import UmqttClient
    from edgelite_protocol.errors import ProtocolError

    client = UmqttClient("n", 60)
    hear: dict[int, Callable[[Any], object]] = {
        2: lambda packet: client.connected(packet.data),
        PUBLISH: lambda packet: client.message(packet.data) if packet.data else client.acknowledge(packet.number or 1),
        4: lambda packet: client.published("t", b"", False, packet.number, packet.data),
        9: lambda packet: client.subscribed("t", packet.number, packet.data),
        13: lambda packet: client.ponged(packet.data),
    }

    def function(data: bytes) -> None:
        """The first byte says where the rest is cut in two."""
        reader = PacketReader()
        cut = 1 + data[0] if data else 1
        try:
            for piece in (data[1:cut], data[cut:]):
                reader.feed(piece)
                while (packet := reader.next_packet()) is not None:
                    assert len(packet.data) <= 9 + TOPIC_BYTES_MAX + PAYLOAD_BYTES_MAX
                    hear[packet.kind](packet)
        except ProtocolError:
            return

    return function


def mqtt_bridge() -> Function:
    from edgelite.bus.bus import MessageBus
    from edgelite.clock import Clock
    from edgelite.config import parse
    from edgelite.context import Context
    from edgelite.mqtt.bridge import Bridge

    nothing: Any = None
    context = Context(nothing, lambda effect: None, nothing, Clock(bytes(16)), bytes, bytes(16))
    config = parse("node = n\nhub = h\nmqtt = b\n")

    def function(data: bytes) -> None:
        """Accepted or not, says the length; whatever comes then, the bridge lives on."""
        bridge = Bridge(config, context, MessageBus(), lambda: True)
        bridge.step(0)
        bridge.opened(0)
        bridge.received(b"\x20\x02\0\0" * (len(data) & 1) + data, 0)
        for _ in range(8):
            bridge.step(0)
            bridge.data_to_send(1000)
        bridge.closed("lost", 0)
        assert bridge.step(1) is not None, "it tries again"

    return function


RTU_SEEDS = hexes("ff010300000002c40b", "03010230000200024809010300000002c40b", "ff01100003000204ffff00003f9d")
ASCII_SEEDS = (b"\xff:010300000002FA\r\n", b"\x05:0107F8\r\n:01110EE\r\n")

MQTT_SEEDS = hexes("ff20020000", "ff3205000178000171", "ff40020001", "0490030001013203000178d000", "0330ffffff7f000178")

MAP_SEEDS = (
    b'[[unit]]\nnumber=1\n[[unit.range]]\ntable="holding"\naddress=0\ntype="int32"\nvalues=[1,2]\n',
    b'absent=0\n[[unit]]\nnumber=1\nrange=[{table="coils",address=9,count=2,dead=true}]\n[[fault]]\nkind="late"\nevery=2\n',
)
DEVICE_SEEDS = (
    b'kind="modbus"\n[[unit]]\nnumber=1\nrange=[{table="input",address=0,value={formula="t+1"}}]\n',
    b'kind="modbus"\n[[unit]]\nnumber=1\nrange=[{table="input",address=0,type="float32",scale=0.1,value={walk={step=2}}}]\n',
    b'kind="gps"\nlatitude={steps=[[0,1],[9,2]],repeat=true,interpolate="linear"}\nfix=1\n',
    b'kind="scale"\nweight_kg={formula="sin(t)%3**2"}\nstable=0\nperiod_s=2\n',
    b'kind="meter62056"\n[[row]]\nobis="1.8.0"\nvalue={counter="reads"}\ndigits=3\n',
)
BLE_SEEDS = hexes(
    "0201061aff4c00021500112233445566778899aabbccddeeff00010002c5",
    "0201060916d2fc4002fa0301",
    "0303aafe0d16aafe10f801676f6f676c65",
    "1116aafe20000bb81a000000000100000010",
)
DRIVER_HELLO, DRIVER_RESULT, DRIVER_REQUEST = hexes(
    "001300a500010101020003657363616c6504194000", "001600a50005010102a166776569676874f93e0003a004f5",
    "001900a40002010102a003a16677656967687482a065464c4f4154",
)  # fmt: skip

TARGETS: tuple[Target, ...] = (
    Target("modbus answers parsed", modbus_parse, hexes("02030400010002", "0d2b0e010100000100024142"), 6),
    Target("modbus tcp client", lambda: modbus_client("tcp"), hexes("020400010000000701030400010002"), 4),
    Target("modbus rtu client", lambda: modbus_client("rtu"), hexes("0204010304000100022a32"), 3),
    Target("modbus ascii client", lambda: modbus_client("ascii"), (b"\x02\x04:01030400010002F5\r\n",), 4),
    Target("modbus values", modbus_values, hexes("0012345678", "0bffffffffffffffff"), 4),
    Target("modbus requests answered", modbus_requests, tuple(b"\1" + request for request in REQUESTS), 6),
    Target("modbus tcp server", lambda: modbus_server("tcp"), hexes("ff000100000006010300000002"), 4),
    Target("modbus rtu server", lambda: modbus_server("rtu"), RTU_SEEDS, 3),
    Target("modbus ascii server", lambda: modbus_server("ascii"), ASCII_SEEDS, 4),
    Target("modbus register map", modbus_map, MAP_SEEDS, 1),
    Target("device file", device_file, DEVICE_SEEDS, 1),
    Target("serial frames", serial_frames, (b"\1\3$A,1*5C\r\n", b"\2\3\x02A\x03\x42"), 4),
    Target("serial patterns", serial_patterns, (b"\0GPGGA,1,4807.038,N,", b"\1+  1.234kg"), 4),
    Target("serial pattern texts", serial_pattern_texts, (b"{:2}GGA,{},{value:ddmm},{value:sign},",), 2),
    Target("serial meter data", serial_obis, (b"1-0:1.8.0*255(000123.4*kWh)\r\n24.2.1(1)(2*m3)\r\n",), 3),
    Target("serial bus", serial_bus, (b"\x021.8.0(1.5*kWh)\r\n!\r\n\x03\x2a",), 1),
    Target("ble advertisements", ble_advertisements, BLE_SEEDS, 4),
    Target("ble sensors", ble_sensors, hexes("0040020a09", "ff410011223344556677", "0044500000"), 3),
    Target("ble values", ble_converter, hexes("001a2b", "02ffffffffffffffff"), 3),
    Target("driver messages", driver_messages, (b"\xff" + DRIVER_HELLO + DRIVER_RESULT,), 4),
    Target("driver process", driver_process, (DRIVER_HELLO + DRIVER_RESULT,), 2),
    Target("driver agent", driver_agent, (DRIVER_HELLO + DRIVER_REQUEST,), 3),
    Target("bus json", bus_json, (b'{"twin": {"t": {"expected": {"value": "1"}}}, "n": [1, -2.5e3, true, null]}',), 2),
    Target("mqtt packets", mqtt_packets, MQTT_SEEDS, 4),
    Target("mqtt bridge", mqtt_bridge, MQTT_SEEDS, 1),
    Target("bus frames", bus_frames, hexes("a1000101", "a20001016161"), 4),
    Target("bus session", bus_session, hexes("08000600a200010801000800a3000301070261" + "61"), 2),
    Target("kubeedge requests", kubeedge_requests, UPDATE_SEEDS, 1),
    Target("device get", lambda: device_requests("get"), (b'{"id":"1","device":"a/b","after":"count"}',), 1),
    Target(
        *("device set", lambda: device_requests("set")),
        (b'{"id":"1","device":"a/b","property":"temp","value":"1.5"}', b'{"id":"1","device":"a/c","property":"x"}'),
        1,
    ),
)
