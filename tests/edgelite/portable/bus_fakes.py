"""A bus with the parts of the agent that answer about devices, and a program that listens."""

import json

from device_fakes import FakeDriver, Recorder, device_map, property_row

from edgelite.bus import json_text
from edgelite.bus.bus import MessageBus, Subscriber
from edgelite.bus.kubeedge import KubeEdge
from edgelite.bus.requests import Requests
from edgelite.devices import Devices, load_driver

KEY = "default/meter"
TOPIC = "$hw/events/device/default/meter/"
NODE_TOPIC = "$hw/events/node/kitchen/membership/"


class BusBench:
    """A mapper's device `default/meter` with temp (FLOAT, writable, 0 to 100), count (INT) and name (STRING,
    writable); `said` is what was published for the program since the last look, as (topic, JSON value)."""

    def __init__(self, listens="#"):
        self.recorder = Recorder()
        self.fake = FakeDriver({"power": 7})
        self.devices = Devices(self.recorder.context, self.load)
        self.bus = MessageBus()
        self.has_hub = False
        context = self.recorder.context
        self.parts = [
            KubeEdge(self.bus, self.devices, context, "kitchen", lambda: self.has_hub),
            Requests(self.bus, self.devices, context),
        ]
        self.program = Subscriber()
        for one in ("$hw/#", "edgelite/#") if listens == "#" else listens:
            self.bus.subscribe(self.program, one)
        self.now_ms = 1000
        self.recorder.context.clock.learn(1_700_000_000_000, 0)

    def load(self, name):
        return self.fake if name == "fake" else load_driver(name)

    def add(self, **temp):
        options = {"writable": True, "minimum": "0", "maximum": "100"}
        options.update(temp)
        rows = [
            property_row("temp", "FLOAT", **options),
            property_row("count", "INT"),
            property_row("name", "STRING", writable=True),
        ]
        self.devices.set_desired(KEY, device_map(rows, driver="mapper"), self.now_ms)
        return self

    def run(self):
        for _ in range(100):
            self.now_ms += 10
            self.devices.step(self.now_ms)
            if [part.step(self.now_ms) for part in self.parts] == [None, None]:
                return self
        raise AssertionError("it never settles")

    def said(self):
        self.run()
        found = []
        message = self.program.take()
        while message is not None:
            found.append((message.topic, json.loads(message.payload.decode())))
            message = self.program.take()
        return found

    def ask(self, topic, value):
        """Everything that was said because of a message: (topic, JSON) in order."""
        self.said()
        data = value if isinstance(value, bytes) else json_text.encode(value)
        self.bus.publish(topic, data, besides=self.program, from_outside=True)
        return self.said()
