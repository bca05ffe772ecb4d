"""`edgelite ble scan`: which Bluetooth devices are around, and what they say of themselves."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from edgelite_cli import options, output
from edgelite_cli.durations import seconds
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.live import Screen, is_screen
from edgelite_cli.main import EXIT_FAILED, EXIT_OK
from edgelite_ports.linux.ble.scan import Sighting, scan
from edgelite_protocol.errors import PlatformError

HEADER = ("ADDRESS", "NAME", "RSSI", "SERVICES", "SAYS")
NAME_MAX, SERVICES_MAX, SAYS_MAX = 24, 4, 100

EPILOG = """examples:
  edgelite ble scan
  edgelite ble scan --name thermo --time 30s
  edgelite ble scan --says BTHome                   sensors that advertise their values"""


def says_of(sighting: Sighting) -> str:
    parts = []
    for name, content in sighting.says.items():
        text = content if isinstance(content, str) else " ".join(f"{one}={value}" for one, value in content.items())
        parts.append(f"{name}: {text}")
    return "; ".join(parts)


def row(sighting: Sighting) -> list[str]:
    services = [*sighting.services[:SERVICES_MAX], *(["…"] if sighting.services[SERVICES_MAX:] else [])]
    rssi = "" if sighting.rssi is None else f"{sighting.rssi} dBm"
    return [sighting.address, sighting.name[:NAME_MAX], rssi, " ".join(services), says_of(sighting)[:SAYS_MAX]]


def is_wanted(given: argparse.Namespace, sighting: Sighting) -> bool:
    if given.name and given.name.lower() not in sighting.name.lower():
        return False
    if given.service and given.service.lower() not in sighting.services:
        return False
    return not given.says or any(given.says.lower() in name.lower() for name in sighting.says)


def table(found: dict[str, Sighting]) -> str:
    nearest = sorted(found.values(), key=lambda one: (-(one.rssi or -999), one.address))
    return output.table(HEADER, [row(one) for one in nearest])


async def show(given: argparse.Namespace) -> int:
    """On a terminal the table grows as they are found; elsewhere it is written at the end."""
    found: dict[str, Sighting] = {}
    screen = Screen() if is_screen() else None
    total_s = seconds(given.time, "--time")
    end_s = time.monotonic() + total_s
    async for sighting in scan(total_s):
        if is_wanted(given, sighting):
            found[sighting.address] = sighting
            if screen is not None:
                screen.draw(f"scanning, {max(0, end_s - time.monotonic()):.0f} s left\n" + table(found))
    if not found:
        sys.stderr.write("edgelite: no such device was heard; a sleeping one may need a longer --time\n")
        return EXIT_FAILED
    if screen is not None:
        screen.draw(table(found))
    else:
        output.say(table(found))
    return EXIT_OK


@reporting
def main(arguments: list[str]) -> int:
    made = options.parser("ble", "Look for Bluetooth Low Energy devices. Nothing is connected to.", EPILOG)
    actions = made.add_subparsers(dest="action", required=True, metavar="scan")
    one = actions.add_parser("scan", help="which devices are around, and what their advertisements say")
    one.add_argument("--time", default="10s", metavar="TIME", help="listen so long (default 10s)")
    one.add_argument("--name", help="only devices whose name has this in it")
    one.add_argument("--service", metavar="UUID", help="only devices that offer this service, such as 181a")
    one.add_argument("--says", metavar="FORMAT", help="only advertisements of a format: BTHome, iBeacon, Eddystone")
    try:
        return asyncio.run(show(made.parse_args(arguments)))
    except PlatformError as error:
        raise Failure(f"{error.text} (is bluetoothd running, and the adapter up? `bluetoothctl show` tells)") from error
