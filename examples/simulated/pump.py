"""The pump, simulated, and the program that watches over it on the node."""

import asyncio

from edgelite_sim.devices.instrument import Instrument


class Pump(Instrument):
    """Asked "level?" it says "level=9", told "speed=300" it says "speed=300"; each read of its strokes is one more."""

    def __init__(self):
        super().__init__()
        self.strokes, self.level, self.speed = 0, 9, 0

    def readings(self):
        return {"strokes": self.strokes, "level": self.level, "speed": self.speed}

    def line(self, text):
        word, _, value = text.decode().rstrip("?").partition("=")
        if value:
            self.speed = int(value)
        if word == "strokes":
            self.strokes += 1
        self.say_reading(b"%s=%d\n" % (word.encode(), self.readings()[word]))


async def watch(process):
    """The workload: where the water is low, the pump shall be slow, whatever the hub wants."""
    while True:
        level = process.twin("default/pump", "level")
        if level is not None and level < 3 and process.twin("default/pump", "speed") != 300:
            process.want("default/pump", "speed", 300)
            process.log("the water is low")
        await asyncio.sleep(5)
