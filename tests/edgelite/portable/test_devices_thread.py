"""The thin thread: one Modbus register becomes telemetry and a twin."""

from device_fakes import Recorder, device_map, property_row

from edgelite.devices import Devices
from edgelite.effects import Open
from edgelite_protocol import messages


def test_one_register_becomes_telemetry_and_a_twin():
    recorder = Recorder()
    devices = Devices(recorder.context)
    visitor = {"register": "InputRegister", "offset": 0x46, "limit": 2}
    row = property_row("frequency", "FLOAT", visitor=visitor)
    devices.set_desired("default/meter", device_map([row], "modbus", {"ip": "127.0.0.1", "port": 5020}), 0)
    devices.step(0)
    opened = recorder.effects[0]
    assert isinstance(opened, Open)
    assert opened.target == ("tcp", "127.0.0.1", 5020)

    opened.channel.opened(5)
    devices.step(5)
    request = opened.channel.data_to_send(4096)
    assert request[2:] == b"\0\0\0\6\1\4\0\x46\0\2"
    opened.channel.received(request[:2] + b"\0\0\0\7\1\4\4\x42\x48\x00\x00", 12)
    assert devices.step(13) == 1000
    assert recorder.telemetry() == [{"frequency": 50.0}]
    twin = recorder.twins()[0]
    assert twin[messages.TWIN_REPORTED] == "50.0"
    assert twin[messages.TWIN_QUALITY] == "good"
    assert twin[messages.TWIN_TIME] == [12, messages.TIME_MONOTONIC, b"\1" * 16]
    assert recorder.states() == [("online", "")]
