"""A radio that does nothing by itself: it notes what it was asked, and tells what a test has it tell."""

from edgelite.driver import Request
from edgelite_drivers import ble
from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.advertisements import Advertisement
from edgelite_drivers.ble.central import Central, run
from edgelite_drivers.ble.radio import Characteristic, Radio
from edgelite_drivers.ble.uuids import parse_uuid
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE

ADDRESS = "A4:C1:38:00:11:22"
TEMPERATURE = Characteristic(parse_uuid("181a"), parse_uuid("2a6e"), 3, seam.CAN_READ | seam.CAN_NOTIFY)
PERIOD = Characteristic(parse_uuid("181a"), parse_uuid("2a21"), 6, seam.CAN_READ | seam.CAN_WRITE)
ALARM = Characteristic(parse_uuid("181a"), parse_uuid("2a06"), 9, seam.CAN_WRITE_WITHOUT_RESPONSE)
SECRET = Characteristic(parse_uuid("181a"), parse_uuid("2a99"), 12, 0)


class FakeRadio(Radio):
    def __init__(self):
        Radio.__init__(self)
        self.asked = []

    def start(self):
        self.asked.append(("start",))
        self.tell(seam.UP)

    def scan(self, active):
        self.asked.append(("scan",))

    def stop_scan(self):
        self.asked.append(("stop_scan",))

    def connect(self, address, is_random):
        self.asked.append(("connect", address))

    def disconnect(self, address):
        self.asked.append(("disconnect", address))

    def discover(self, address):
        self.asked.append(("discover", address))

    def read(self, address, handle):
        self.asked.append(("read", address, handle))

    def write(self, address, handle, data, with_response):
        self.asked.append(("write", address, handle, data, with_response))

    def subscribe(self, address, handle, on):
        self.asked.append(("subscribe", address, handle, on))


class World:
    """A central on a fake radio, and the time."""

    def __init__(self):
        self.radio = FakeRadio()
        self.central = Central(self.radio, lambda count: b"\x80" * count)
        self.now_ms = 1_000_000
        self.number = 0

    def request(self, visitors, protocol=None, value=None):
        checked = ble.check_protocol(protocol or {"macAddress": ADDRESS})
        self.number += 1
        return Request(self.number, checked, visitors, value)

    def submit(self, visitors, protocol=None, value=None):
        request = self.request(visitors, protocol, value)
        self.central.submit(request, self.now_ms)
        self.settle()
        return request.number

    def listen(self, visitors, protocol=None):
        request = self.request(visitors, protocol)
        self.central.listen(request, self.now_ms)
        self.settle()
        return request.number

    def tell(self, *event):
        self.radio.tell(*event)
        self.settle()

    def advertise(self, address=ADDRESS, **parts):
        advertisement = Advertisement(address, False, -60)
        for name in parts:
            setattr(advertisement, name, parts[name])
        self.tell(seam.ADVERTISED, advertisement)

    def settle(self):
        """As the driver's half does it."""
        self.deadline_ms = run(self.radio, self.central, self.now_ms)

    def wait(self, duration_ms):
        """From deadline to deadline."""
        end_ms = self.now_ms + duration_ms
        while self.deadline_ms is not None and self.deadline_ms <= end_ms:
            assert self.deadline_ms >= self.now_ms, "a deadline that has passed"
            self.now_ms = max(self.now_ms, self.deadline_ms)
            before = self.deadline_ms
            self.settle()
            assert self.deadline_ms is None or self.deadline_ms > before, "a deadline that stays"
        self.now_ms = end_ms
        self.settle()

    def asked(self):
        asked = self.radio.asked
        self.radio.asked = []
        return asked

    def results(self):
        results = []
        result = self.central.next_result()
        while result is not None:
            results.append(result)
            result = self.central.next_result()
        return results

    def connect(self, address=ADDRESS, characteristics=(TEMPERATURE, PERIOD, ALARM, SECRET)):
        """The device advertises, and takes the connection."""
        self.advertise(address)
        assert ("connect", address) in self.asked()
        self.tell(seam.CONNECTED, address)
        assert ("discover", address) in self.asked()
        self.tell(seam.DISCOVERED, address, list(characteristics), "")


def visitor(property_type, writable=False, **config):
    row = {PROPERTY_TYPE: property_type, PROPERTY_WRITABLE: writable}
    return ble.check_visitor(config, row)


def temperature(**more):
    return visitor("FLOAT", characteristicUUID="2A6E", type="int16", scale=0.01, **more)
