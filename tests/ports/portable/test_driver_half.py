"""A driver's other half in the firmware itself: the same session, over memory."""

from edgelite.driver import Request
from edgelite.effects import Channel, Open
from edgelite_drivers.process import Asked, Session
from edgelite_drivers.remote import Raw, RemoteBus
from edgelite_ports.common.driver_half import Halves


class Half:
    """A thermometer; `bug` raises."""

    def __init__(self):
        self.session = None
        self.closes = 0
        self.bug = False
        self.listening = []

    def opened(self):
        self.session = Session("far")

    def received(self, data, now_ms):
        if self.bug:
            raise ValueError("a bug")
        self.session.receive(data)
        event = self.session.next_event()
        while event is not None:
            if isinstance(event, Asked) and event.listens:
                self.listening.append(event.number)
            elif isinstance(event, Asked):
                self.session.tell(event.number, {"inside": 21.5})
            event = self.session.next_event()

    def data_to_send(self, size_max):
        return self.session.data_to_send(size_max)

    def step(self, now_ms):
        return now_ms + 777

    def closed(self, now_ms):
        self.closes += 1


class Bus(Channel):
    """What lines.py does for it, in short."""

    def __init__(self):
        self.bus = RemoteBus("far", lambda count: b"\x80" * count)
        self.ends = []

    def opened(self, now_ms):
        self.bus.opened(now_ms)

    def received(self, data, now_ms):
        self.bus.received(data, now_ms)

    def data_to_send(self, size_bytes_max):
        return self.bus.data_to_send(size_bytes_max)

    def closed(self, reason, now_ms):
        self.ends.append(reason)
        self.bus.closed(reason, now_ms)


def request(number):
    return Request(number, Raw({}), {"inside": Raw({}, "FLOAT")})


def made(half):
    def load(name):
        if name != "far":
            raise ImportError("no module named " + name)
        return half

    return Halves(lambda: 100, load), Bus()


def test_the_agent_reads_through_memory():
    half = Half()
    halves, channel = made(half)
    channel.bus.submit(request(1), 100)
    halves.open(Open(channel, ("driver", "far")))
    assert halves.step(100) == 100, "something went to the agent: it acts at once"
    halves.step(100)
    assert channel.bus.next_result().values == {"inside": 21.5}
    assert halves.step(100) == 877, "then when the half says so"
    channel.bus.listen(request(2), 100)
    halves.step(100)
    half.session.tell(half.listening[0], {"inside": 3.0})
    halves.step(100)
    assert channel.bus.next_result().values == {"inside": 3.0}
    halves.close(channel)
    assert (channel.ends, half.closes) == (["closed"], 1)
    assert halves.step(100) is None


def test_a_firmware_without_it_says_so():
    halves, channel = made(Half())
    halves.open(Open(channel, ("driver", "ble")))
    assert channel.ends == ["this firmware has no driver ble (no module named ble)"]


def test_a_bug_of_the_half_ends_its_channel_alone():
    half = Half()
    halves, channel = made(half)
    half.bug = True
    halves.open(Open(channel, ("driver", "far")))
    halves.step(100)
    assert (channel.ends, half.closes) == (["ValueError: a bug"], 1)
    half.bug = False
    halves.open(Open(channel, ("driver", "far")))
    channel.bus._output = b"\0\0"
    halves.step(100)
    assert channel.ends[1:] == ["a frame without a stream id"]
