"""What the serial link costs a device, under MicroPython:  micropython tests/bench/serial_memory.py

Run it in the root of the checkout with MICROPYPATH=.:protocol:drivers:ports:.frozen, on a 32-bit build to have a
device's figures. Modules that are frozen into a firmware stay in flash: then the first figure is nearly nothing.
"""

import gc
import sys
import time

sys.path.append("tests/edgelite/portable")
import edgelite.config
import edgelite.effects  # noqa: F401
import edgelite_protocol.cbor
import edgelite_protocol.digest  # noqa: F401 - every agent has these

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.serial_link import SerialLink

PIECE = bytes(208)


def allocated() -> int:
    gc.collect()
    used: int = gc.mem_alloc()  # type: ignore[attr-defined]
    return used


def tell(text: str, value: object) -> None:
    sys.stdout.write("%-50s %s\n" % (text, value))


def carried() -> "SerialLink":
    """The link of a node that has said 8 KB, all else let go."""
    from serial_world import World

    world = World(1)
    node = world.nodes[0]
    world.open_all()
    node.upper.to_say = PIECE * 40
    world.run(lambda: len(world.relays) > 0 and len(world.relays[0].got) == 40 * len(PIECE))
    world._open.clear()
    node.link.upper = None
    return node.link


def session_bytes() -> int:
    """Of a session at rest."""
    link: list[SerialLink] = [carried()]
    before = allocated()
    link.clear()
    return before - allocated()


def main() -> None:
    before = allocated()
    import edgelite.counters
    import edgelite.link_keys
    import edgelite.serial_link  # noqa: F401

    tell("heap of the modules, not frozen", allocated() - before)
    session_bytes()
    tell("heap of a session at rest", session_bytes())
    from edgelite_protocol.oscore.context import Keys
    from edgelite_protocol.oscore.ends import HubEnd, NodeEnd

    node = NodeEnd(Keys(bytes(16), b"salt", b"node", b""), 1, bytes(8))
    hub = HubEnd(Keys(bytes(16), b"salt", b"", b"node"), node.begin, bytes(16))
    node.receive(hub.challenge)
    before = allocated()
    gc.disable()
    message = node.protect(PIECE)
    between: int = gc.mem_alloc()  # type: ignore[attr-defined]
    hub.receive(message)
    after: int = gc.mem_alloc()  # type: ignore[attr-defined]
    gc.enable()
    tell("garbage of sealing 208 bytes", between - before)
    tell("garbage of opening them", after - between)
    start: int = time.ticks_us()  # type: ignore[attr-defined]
    for _ in range(100):
        node.protect(PIECE)
    tell("microseconds to seal 208 bytes", time.ticks_diff(time.ticks_us(), start) // 100)  # type: ignore[attr-defined]


main()
