"""A driver's program: a thermometer that it simulates. `listen` tells what FAR_PIPE, a FIFO, says, a line each."""

import os

from edgelite_drivers.process import Asked, DeviceError, serve

VALUES: dict[str, object] = {"inside": 21.5, "outside": -3.25}


class Far:
    NAME = "far"

    def __init__(self) -> None:
        self.listening: dict[int, tuple[Asked, object]] = {}

    def begin(self, server: object) -> None:
        path = os.environ.get("FAR_PIPE")
        if path:
            self.pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            server.watch(self.pipe, self.heard)  # type: ignore[attr-defined]

    def heard(self) -> None:
        for line in os.read(self.pipe, 1000).decode().splitlines():
            for asked, tell in self.listening.values():
                tell({name: float(line) for name in asked.properties})  # type: ignore[operator]

    def read(self, asked: Asked) -> dict[str, object]:
        for visitor, _type in asked.properties.values():
            if visitor.get("sensor") == "broken":
                raise DeviceError("the sensor is broken")
            if visitor.get("sensor") == "away":
                raise OSError("nobody there")
            if visitor.get("sensor") == "bug":
                raise KeyError("a bug of the driver")
        return {name: VALUES[name] for name in asked.properties}

    def write(self, asked: Asked) -> None:
        VALUES.update(dict.fromkeys(asked.properties, asked.value))

    def listen(self, asked: Asked, tell: object) -> None:
        self.listening[asked.number] = (asked, tell)

    def ignore(self, number: int) -> None:
        del self.listening[number]


if __name__ == "__main__":
    serve(Far())
