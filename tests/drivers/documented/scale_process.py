"""The scale's program: python -m scale_process. Any library may be used here, and calls may block for some seconds."""

import socket

from edgelite_drivers.process import DeviceError, serve


class Scale:
    NAME = "scale"

    def read(self, asked):
        """The values of one device; what is missing counts as an error. OSError: it is offline."""
        host, port = asked.protocol["ip"], asked.protocol["port"]
        with socket.create_connection((host, port), timeout=3) as connection:
            connection.sendall(b"weigh\n")
            answer = connection.makefile().readline().strip()
        if answer == "overload":
            raise DeviceError("the scale is overloaded")
        return {name: float(answer) for name in asked.properties}


if __name__ == "__main__":
    serve(Scale())
