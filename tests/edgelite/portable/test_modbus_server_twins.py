"""Twins of a node as registers: what a PLC reads and writes, from the configuration to the answer on the wire."""

from device_fakes import FakeDriver, Recorder, device_map, property_row

import edgelite_drivers.modbus_server
from edgelite.devices import Devices
from edgelite.driver import ConfigurationError
from edgelite.effects import Close, Listen, Open
from edgelite_drivers.modbus.ascii import seal as seal_line
from edgelite_drivers.modbus.rtu import seal
from edgelite_drivers.modbus_server import check_device, check_protocol, check_visitor
from edgelite_drivers.modbus_server.bus import CLIENTS_MAX, MIRROR_MS
from edgelite_protocol import messages

METER = "default/meter"
FACE = "default/face"
HOLDS = {"power": 230.5, "setpoint": 20, "on": True, "mode": "auto"}


def source_rows():
    return [
        property_row("power", "FLOAT"),
        property_row("setpoint", "INT", writable=True, minimum="5", maximum="30"),
        property_row("on", "BOOLEAN", writable=True),
        property_row("mode", "STRING"),
    ]


def shown(name, offset, kind, writable=False, table="HoldingRegister", of=None, **more):
    visitor = {"register": table, "offset": offset, "device": "meter", "property": of or name}
    visitor.update(more)
    return property_row(name, kind, writable=writable, visitor=visitor, report_to_cloud=False)


def face_rows():
    return [
        shown("power", 0, "FLOAT", type="float32"),
        shown("setpoint", 2, "INT", True),
        shown("mode", 3, "STRING", limit=4),
        shown("on", 5, "BOOLEAN", True, "CoilRegister"),
        shown("bit_on", 9, "BOOLEAN", True, of="on", bit=3),
        shown("bit_twin", 9, "BOOLEAN", False, of="on", bit=0),
        shown("safe", 10, "FLOAT", of="power", type="float32", onBad="substitute", substitute=-1),
        shown("last", 12, "FLOAT", of="power", type="float32", onBad="last"),
    ]


class Place:
    def __init__(self, protocol=None, rows=None):
        self.recorder = Recorder()
        self.fake = FakeDriver(dict(HOLDS))
        self.devices = Devices(self.recorder.context, self.load)
        self.now_ms = 0
        self.devices.set_desired(METER, device_map(source_rows()), 0)
        self.face(protocol or {"listen": "127.0.0.1:1502"}, rows)
        self.run()

    def load(self, name):
        return edgelite_drivers.modbus_server if name == "modbus_server" else self.fake

    def face(self, protocol, rows=None, key=FACE):
        rows = face_rows() if rows is None else rows
        self.devices.set_desired(key, device_map(rows, "modbus_server", protocol, "u-" + key), self.now_ms)

    def run(self, until_ms=None):
        self.now_ms = self.now_ms if until_ms is None else until_ms
        for _ in range(3):
            self.devices.step(self.now_ms)

    def take(self, kind):
        found = [effect for effect in self.recorder.effects if isinstance(effect, kind)]
        self.recorder.effects[:] = [effect for effect in self.recorder.effects if not isinstance(effect, kind)]
        return found

    def client(self, peer="127.0.0.1"):
        self.door = (self.take(Listen) or [None])[0] or self.door
        channel = self.door.acceptor.accept(peer, self.now_ms)
        if channel is not None:
            channel.opened(self.now_ms)
        return channel

    def ask(self, channel, request, unit=1):
        pdu = bytes.fromhex(request)
        channel.received(b"\0\1\0\0\0" + bytes([len(pdu) + 1, unit]) + pdu, self.now_ms)
        self.run()
        return channel.data_to_send(4096)[7:].hex()


def test_a_plc_reads_what_was_read_last():
    place = Place()
    (listen,) = place.take(Listen)
    assert listen.target == ("tcp", "127.0.0.1", 1502)
    place.door = listen
    client = place.client()
    assert place.ask(client, "0300000002") == "0304" + "43668000"
    assert place.ask(client, "0300010003") == "0306" + "8000" + "0014" + "6175"
    assert place.ask(client, "0100050001") == "010101"
    assert place.ask(client, "0300090001") == "0302" + "0009"
    place.fake.bus.holds["power"] = 1.0
    place.run(1000)
    assert place.ask(client, "0300000002") == "0304" + "3f800000"
    assert place.ask(client, "0300070001") == "8302", "nothing is there"
    assert place.ask(client, "0400000001") == "8402", "another table"
    assert place.ask(client, "0300000001", 2) == "830b", "another unit"


def test_what_a_plc_writes_is_desired_and_brought_into_the_device():
    place = Place()
    client = place.client()
    assert place.ask(client, "060002" + "0015") == "0600020015"
    assert place.fake.bus.writes == [("setpoint", 21)]
    assert place.ask(client, "05000500" + "00") == "0500050000"
    assert place.fake.bus.writes[1:] == [("on", False)]
    assert place.ask(client, "1600" + "09" + "fff70008") == "160009fff70008"
    assert place.fake.bus.writes[2:] == [("on", True)]


def test_what_cannot_be_desired_is_refused_and_changes_nothing():
    place = Place()
    client = place.client()
    for request, answer in (
        ("060002" + "001f", "8603"),  # above the maximum
        ("060000" + "0000", "8602"),  # read-only
        ("060007" + "0000", "8602"),  # nothing is there
        ("10000100020400000015", "9002"),  # half of it read-only
    ):
        assert place.ask(client, request) == answer, request
    assert place.fake.bus.writes == []


def test_several_values_are_desired_together_or_not_at_all():
    rows = [shown("one", 0, "INT", True, of="setpoint"), shown("other", 1, "BOOLEAN", True, of="on")]
    rows.append(shown("wide", 4, "INT", True, of="setpoint", type="int32"))
    rows += [shown("good", 8, "BOOLEAN", True, of="on"), shown("bad", 9, "INT", True, of="setpoint")]
    place = Place(None, rows)
    client = place.client()
    assert place.ask(client, "10000000020400990000") == "9003"
    assert place.ask(client, "10000800020400000099") == "9003", "the first could be"
    assert place.fake.bus.writes == []
    assert place.ask(client, "10000000020400070000") == "1000000002"
    assert sorted(place.fake.bus.writes) == [("on", False), ("setpoint", 7)]
    assert place.ask(client, "0600050007") == "8603", "half a value"


def test_a_twin_without_a_good_value():
    place = Place()
    client = place.client()
    place.fake.bus.errors["power"] = "Modbus exception 2: illegal data address"
    place.run(1000)
    assert place.ask(client, "0300000002") == "8304"
    assert place.ask(client, "03000a0002") == "0304" + "bf800000"
    assert place.ask(client, "03000c0002") == "0304" + "43668000"
    assert place.ask(client, "0300020001") == "0302" + "0014", "others go on"
    place.devices.set_desired(METER, None, 1000)
    assert place.ask(client, "0300020001") == "8304"
    assert place.ask(client, "0600020015") == "8604"


def test_gaps_may_be_filled():
    place = Place({"listen": "127.0.0.1:1502", "gaps": "zero", "unitId": 7})
    client = place.client()
    assert place.ask(client, "0300020009", 7)[:12] == "031200146175"
    assert place.ask(client, "03ffff0001", 7) == "03020000"
    assert place.ask(client, "03ffff0002", 7) == "8302"


def test_the_device_is_online_and_shows_what_is_read_there():
    place = Place()
    place.run(1000)
    view = place.devices.view(FACE)
    assert view.state == "online"
    assert view.twins["power"].value == 230.5 and view.twins["mode"].value == "auto"
    place.fake.bus.errors["power"] = "broken"
    place.run(2000)
    place.run(2000 + MIRROR_MS)
    assert view.twins["power"].error == "power of default/meter has no value that can be shown"
    assert view.twins["safe"].value == -1


def test_an_address_in_use_makes_it_offline_and_is_tried_again():
    place = Place()
    (listen,) = place.take(Listen)
    listen.acceptor.closed("cannot listen at 127.0.0.1:1502: address already in use", 5)
    place.run(10)
    view = place.devices.view(FACE)
    assert view.state == "offline" and "already in use" in view.reason
    assert not place.take(Listen)
    place.run(2000)
    assert len(place.take(Listen)) == 1
    place.run(4000)
    assert view.state == "online"


def test_two_devices_share_a_port_by_unit():
    place = Place()
    place.face({"listen": "127.0.0.1:1502", "unitId": 2}, [shown("power", 0, "INT")], "default/second")
    place.face({"listen": "127.0.0.1:1502"}, [shown("power", 0, "INT")], "default/third")
    place.run(1500)
    client = place.client()
    assert not place.take(Listen)
    assert place.ask(client, "0300000001", 2) == "0302" + "00e6"
    assert place.devices.view("default/third").state == "offline"
    assert "served there already" in place.devices.view("default/third").reason


def test_a_device_that_goes_takes_its_door_and_its_clients_along():
    place = Place()
    client = place.client()
    door = place.door.acceptor
    place.devices.set_desired(FACE, None, 100)
    place.run(100)
    assert {id(effect.channel) for effect in place.take(Close)} == {id(client), id(door)}
    assert place.client() is None
    client.closed("closed", 100)
    door.closed("closed", 100)
    place.face({"listen": "127.0.0.1:1502"})
    place.run(200)
    assert len(place.take(Listen)) == 1


def test_a_changed_register_is_served_at_once():
    place = Place()
    client = place.client()
    place.face({"listen": "127.0.0.1:1502"}, [shown("power", 50, "FLOAT", type="float32")])
    place.run(100)
    place.door = (place.take(Listen) or [place.door])[0]
    client = place.client()
    assert place.ask(client, "0300320002") == "0304" + "43668000"
    assert place.ask(client, "0300000002") == "8302"


def test_who_may_connect_and_how_many():
    place = Place({"listen": "127.0.0.1:1502", "clients": "10.0.0.1, 10.0.0.2"})
    assert place.client("10.0.0.3") is None
    clients = []
    for index in range(CLIENTS_MAX):
        place.now_ms = 10 + index
        clients.append(place.client("10.0.0.1"))
    place.ask(clients[0], "0300000002")
    newest = place.client("10.0.0.2")
    assert newest is not None
    assert [effect.channel for effect in place.take(Close)] == [clients[1]], "the one that was quiet longest"


def test_a_hostile_client_is_cut_off():
    place = Place()
    client = place.client()
    client.received(b"GET / HTTP/1.1\r\n\r\n", 0)
    place.run(1)
    assert [effect.channel for effect in place.take(Close)] == [client]


def test_a_serial_line_is_served():
    place = Place({"serialPort": "/dev/ttyS1", "baudRate": 9600, "unitId": 9})
    (effect,) = place.take(Open)
    assert effect.target[:2] == ("serial", "/dev/ttyS1") and effect.target[2]["baud"] == 9600
    line = effect.channel
    line.opened(0)
    line.received(seal(9, bytes.fromhex("0300020001")), 100)
    place.run(100)
    assert line.data_to_send(100) == b"", "3.5 characters of silence come first"
    place.run(105)
    assert line.data_to_send(100) == seal(9, bytes.fromhex("03020014"))
    line.closed("the line is gone", 200)
    place.run(200)
    assert place.devices.view(FACE).state == "offline"
    place.devices.set_desired(METER, None, 200)
    deadline_ms = place.devices.step(200)
    assert deadline_ms is not None and 200 < deadline_ms <= 1500, "nobody else would wake it"
    place.run(deadline_ms)
    assert len(place.take(Open)) == 1


def test_other_framings_through_tcp():
    for framing, make in (("rtu", seal), ("ascii", seal_line)):
        place = Place({"listen": "127.0.0.1:1502", "framing": framing})
        client = place.client()
        client.received(make(1, bytes.fromhex("0300020001")), 0)
        assert client.data_to_send(100) == make(1, bytes.fromhex("03020014"))


def refused(check, *arguments):
    try:
        check(*arguments)
    except ConfigurationError as error:
        return error.path
    return ""


def test_bad_configurations_are_refused_by_their_path():
    for config, path in (
        ({}, "listen"),
        ({"listen": "nowhere"}, "listen"),
        ({"listen": "127.0.0.1:0"}, "listen"),
        ({"listen": "127.0.0.1:99999"}, "listen"),
        ({"listen": "plc.example:502"}, "listen"),
        ({"listen": "10.0.0.256:502"}, "listen"),
        ({"listen": "10.0.0.1"}, "listen"),
        ({"listen": ":502"}, "listen"),
        ({"listen": "10.0.0.1:502", "clients": "plc"}, "clients"),
        ({"listen": "10.0.0.1:502", "clients": "10.0.0.1," * 3 + "\u00e9"}, "clients"),
        ({"listen": "127.0.0.1:\u00b2"}, "listen"),
        ({"listen": "10.0.0.1:1", "unitId": 256}, "unitId"),
        ({"listen": "10.0.0.1:1", "unitId": 1, "slaveID": 1}, "unitId"),
        ({"listen": "10.0.0.1:1", "framing": "rtu", "unitId": 0}, "unitId"),
        ({"listen": "10.0.0.1:1", "gaps": "one"}, "gaps"),
        ({"listen": "10.0.0.1:1", "baudRate": 9600}, "baudRate"),
        ({"serialPort": "/dev/ttyS1", "listen": "10.0.0.1:1"}, "listen"),
        ({"serialPort": "/dev/ttyS1", "framing": "tcp"}, "framing"),
        ({"listen": "10.0.0.1:1", "ip": "b"}, "ip"),
    ):
        assert refused(check_protocol, config) == "protocol.configData." + path, config
    property = {messages.PROPERTY_TYPE: "INT", messages.PROPERTY_NAME: "p"}
    good = {"register": "HoldingRegister", "offset": 0, "device": "meter"}
    assert check_visitor(good, property).name == "p" and check_visitor(good, property).key == METER
    for change, path in (
        ({"device": None}, "device"),
        ({"onBad": "zero"}, "onBad"),
        ({"onBad": "substitute"}, "substitute"),
        ({"substitute": 1}, "substitute"),
        ({"offset": 65536}, "offset"),
        ({"registers": 1}, "registers"),
    ):
        config = dict(good)
        config.update(change)
        assert refused(check_visitor, config, property) == "visitors.configData." + path, change
    config = dict(good, onBad="substitute", substitute=70000)
    assert refused(check_visitor, config, property) == "value"


def test_where_it_listens():
    for listen, target in (
        ("0.0.0.0:502", ("listen", "0.0.0.0", 502, "tcp", ())),
        ("[::1]:1502", ("listen", "::1", 1502, "tcp", ())),
    ):
        assert check_protocol({"listen": listen}).target == target
    clients = check_protocol({"listen": "10.0.0.1:1", "clients": " 10.0.0.2,10.0.0.1 ,"}).target[4]
    assert clients == ("10.0.0.1", "10.0.0.2")


def test_registers_that_overlap_are_refused():
    rows = [shown("one", 0, "FLOAT", type="float32"), shown("other", 1, "INT")]
    visitors = [(row[messages.PROPERTY_NAME], check_visitor(row[messages.PROPERTY_VISITOR], row)) for row in rows]
    path = refused(check_device, check_protocol({"listen": "10.0.0.1:1"}), visitors)
    assert path == "properties[1].visitors.configData.offset"
    place = Place(None, rows)
    assert place.devices.view(FACE).state == "unhealthy"
