"""Looks names up by the MicroPython port's resolver: resolver_peer.py SERVERS SEARCH HOSTS NAME ...

SERVERS is "address:port,..." and SEARCH "domain,...". Prints a line for each name as it is found: "NAME: ADDRESS ..."
or "NAME: reason", and at last "wakes: N", how often the loop woke.
"""

import os
import sys

from edgelite_ports.micropython.loop import Loop
from edgelite_ports.micropython.names import NameConfiguration
from edgelite_ports.micropython.resolver import Resolver
from edgelite_ports.micropython.unix import clock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


def main(servers: str, search: str, hosts: str, names: "list[str]") -> None:
    rows = [row.rpartition(":") for row in servers.split(",")]
    configuration = NameConfiguration(
        [(row[0], int(row[2])) for row in rows], [one for one in search.split(",") if one], hosts
    )
    loop = Loop(clock.monotonic_ms)
    resolver = Resolver(loop, clock.monotonic_ms, os.urandom, lambda: configuration)
    found: list[str] = []

    def done_of(name: str) -> "Callable[[list[str], str], None]":
        def done(addresses: "list[str]", reason: str) -> None:
            found.append(name)
            print(name + ": " + (" ".join(addresses) or reason))  # noqa: T201

        return done

    for name in names:
        resolver.lookup(name, done_of(name))
    wakes = 0
    while len(found) < len(names):
        deadline_ms = resolver.step(clock.monotonic_ms())
        if len(found) < len(names):
            loop.wait(deadline_ms)
            wakes += 1
    print("wakes: %d" % wakes)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:])
