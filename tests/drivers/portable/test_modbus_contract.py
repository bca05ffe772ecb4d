"""The contract suite on every framing, and what the devices of an agent make of it."""

from modbus_peer import AsciiPeer, Peer, RtuPeer, Unit, registers

from edgelite_drivers import modbus
from edgelite_drivers.testing import Subject, check_driver
from edgelite_protocol import messages

MEDIA = (
    ({"ip": "127.0.0.1", "transactionIds": "lenient"}, Peer, "ip", 5),
    ({"ip": "127.0.0.1", "framing": "rtu"}, RtuPeer, "framing", "bits"),
    ({"ip": "127.0.0.1", "framing": "ascii"}, AsciiPeer, "framing", "bits"),
    ({"serialPort": "/dev/ttyUSB0", "baudRate": 19200, "parity": "even"}, RtuPeer, "parity", "some"),
    ({"serialPort": "/dev/ttyUSB0", "framing": "ascii", "dataBits": 7}, AsciiPeer, "dataBits", 6),
)


def visitor(property_type, writable=False, **config):
    return config, {messages.PROPERTY_TYPE: property_type, messages.PROPERTY_WRITABLE: writable}


def subject(config, peer, field, wrong):
    def make_peer():
        unit = Unit(
            inputs=registers(b"\x43\x66\0\0\xff\xff", 0x10), holding={7: 0, 8: 60, 9: 0x0120}, coils={3: 1, 9: 0}
        )
        return peer({7: unit})

    config = dict(config)
    config["slaveID"] = 7
    config["timeoutMs"] = 400
    bad = dict(config)
    bad[field] = wrong
    return Subject(
        modbus,
        config,
        {
            "voltage": visitor("FLOAT", register="InputRegister", offset=0x10, limit=2),
            "balance": visitor("INT", register="InputRegister", offset=0x12),
            "period": visitor("INT", True, register="HoldingRegister", offset=7, limit=2),
            "mode": visitor("STRING", True, register="HoldingRegister", offset=9, bits=[4, 7], values={"2": "auto"}),
            "running": visitor("BOOLEAN", register="HoldingRegister", offset=9, bit=8),
            "lamp": visitor("BOOLEAN", True, register="CoilRegister", offset=3),
        },
        {"voltage": 230.0, "balance": -1, "period": 60, "mode": "auto", "running": True, "lamp": True},
        make_peer,
        ((bad, "protocol.configData." + field),),
        (({"register": "InputRegister", "offset": 70000}, "visitors.configData.offset"),),
        ("period", 30),
    )


def test_every_framing_keeps_the_contract():
    for row in MEDIA:
        check_driver(subject(*row))
