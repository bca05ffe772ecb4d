"""The other half of a driver in memory: a thermometer behind `edgelite_drivers.process.Session`."""

from edgelite_drivers import remote
from edgelite_drivers.driver_frames import HELLO, TYPE
from edgelite_drivers.fields import Fields
from edgelite_drivers.process import Asked, Ignored, Session
from edgelite_protocol import cbor
from edgelite_protocol.frames import FrameReader

NAME = "far"
check_visitor = remote.raw_visitor


def check_protocol(config):
    Fields(config, "protocol.configData", ("place",)).text("place", 32)
    return remote.Raw(config)


def target(protocol):
    return "driver", NAME


def make_bus(target, random_bytes):
    return remote.RemoteBus(NAME, random_bytes)


def same_value(visitor, one, other):
    return one == other


def listens(visitor):
    return visitor.raw.get("listen") is True


class Far:
    """A new session with each hello, as a process has one with each connection."""

    def __init__(self, values):
        self.values = values
        self.session = None
        self.listening = {}
        self.asked = []
        self._reader = FrameReader(1 << 15)

    def answer(self, data):
        self._reader.feed(data)
        output = b""
        frame = self._reader.next_frame()
        while frame is not None:
            if cbor.decode(frame[1])[TYPE] == HELLO:
                self.session = Session(NAME)
                self.listening = {}
            self.session.receive((len(frame[1]) + 1).to_bytes(2, "big") + bytes([frame[0]]) + frame[1])
            self._serve()
            output += self.session.data_to_send()
            frame = self._reader.next_frame()
        return output

    def say(self):
        """The device tells its values to all who listen; what goes to the agent."""
        for number in self.listening:
            self.session.tell(number, {name: self.values[name] for name in self.listening[number]})
        return self.session.data_to_send()

    def _serve(self):
        event = self.session.next_event()
        while event is not None:
            if isinstance(event, Ignored):
                del self.listening[event.number]
            elif isinstance(event, Asked):
                self._carry_out(event)
            event = self.session.next_event()

    def _carry_out(self, asked):
        self.asked.append(asked)
        if asked.listens:
            self.listening[asked.number] = list(asked.properties)
        elif asked.value is not None:
            self.values.update(dict.fromkeys(asked.properties, asked.value))
            self.session.tell(asked.number)
        else:
            self.session.tell(asked.number, {name: self.values[name] for name in asked.properties})
