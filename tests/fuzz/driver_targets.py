"""What an agent and a driver's process take from each other."""

from __future__ import annotations

from collections.abc import Callable

Function = Callable[[bytes], None]


def driver_messages() -> Function:
    from edgelite_drivers.driver_frames import FRAME_BYTES_MAX, Messages
    from edgelite_protocol.errors import ProtocolError

    def function(data: bytes) -> None:
        """The first byte says where the rest is cut in two."""
        messages = Messages("scale", FRAME_BYTES_MAX)
        cut = 1 + data[0] if data else 1
        try:
            for piece in (data[1:cut], data[cut:]):
                messages.feed(piece)
                while messages.next() is not None:
                    pass
        except ProtocolError:
            return

    return function


def driver_process() -> Function:
    """All that a process says comes out of the bus as results, or ends the connection."""
    from edgelite.driver import Request
    from edgelite_drivers.remote import Raw, RemoteBus

    def function(data: bytes) -> None:
        bus = RemoteBus("scale", lambda count: b"\x80" * count)
        bus.submit(Request(1, Raw({}), {"weight": Raw({}, "FLOAT")}), 0)
        bus.step(0)
        bus.opened(1)
        bus.received(data, 2)
        bus.step(3)
        while bus.data_to_send(4096):
            pass
        while bus.next_result() is not None:
            pass
        bus.closed("closed", 4)
        bus.step(5)

    return function


def driver_agent() -> Function:
    """The process' end: what an agent asks for."""
    from edgelite_drivers.process import Session
    from edgelite_protocol.errors import ProtocolError

    def function(data: bytes) -> None:
        session = Session("scale")
        session.data_to_send()
        try:
            session.receive(data)
            while session.next_event() is not None:
                pass
        except ProtocolError:
            return

    return function
