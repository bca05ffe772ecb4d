"""A mapper as KubeEdge has them: the driver of one device, as a program of its own on the node.

It tells the values of an oven over the node's bus and does what is desired of it. The oven is simulated; put your
device's protocol in its place. Runs under CPython and under MicroPython on Linux:

    cp .../edgelite_ports/common/bus_client.py edgelite_bus.py     # the client, beside this file
    edgelite apply -f oven.yaml
"""

import json
import sys

from edgelite_bus import Client

DEVICE = "$hw/events/device/" + (sys.argv[1] if len(sys.argv) > 1 else "default/oven")


class Oven:
    def __init__(self):
        self.target = 20.0
        self.temperature = 20.0

    def step(self):
        self.temperature += (self.target - self.temperature) * 0.5

    def values(self):
        return {"target": "%.1f" % self.target, "temperature": "%.2f" % self.temperature}


def twin_update(values):
    twin = {name: {"actual": {"value": values[name]}, "metadata": {"type": "Updated"}} for name in values}
    return json.dumps({"event_id": "", "timestamp": 0, "twin": twin})


def main():
    oven = Oven()
    client = Client(name="oven")
    client.subscribe(DEVICE + "/twin/update/delta")
    client.publish(DEVICE + "/state/update", json.dumps({"event_id": "", "timestamp": 0, "state": "online"}))
    while True:
        oven.step()
        client.publish(DEVICE + "/twin/update", twin_update(oven.values()))
        for message in client.messages(timeout_s=1):
            delta = message.json()["delta"]
            if "target" in delta:
                oven.target = float(delta["target"])
                client.publish(DEVICE + "/twin/update", twin_update(oven.values()))


main()
