"""`edgelite device get|watch|set`: a device's values now, as they change, and what it should hold."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from datetime import datetime

from edgelite_cli import options, output
from edgelite_cli.durations import seconds
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.live import TREND_WIDTH, Screen, Trends, is_screen
from edgelite_cli.main import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from edgelite_cli.twins import Device, HubDevice, Row

HEADER = ("PROPERTY", "VALUE", "UNIT", "DESIRED", "QUALITY", "READ AT")

POLL_S = 0.5  # while a desired value is waited for

EPILOG = """examples:
  edgelite device get meter
  edgelite device watch meter power voltage_l1
  edgelite device set meter demand_period=30
  edgelite device set boiler setpoint=62.5 --timeout 2m
  edgelite device get meter --local          on the node itself, offline too"""


def cells(row: Row) -> list[str]:
    read_at = datetime.fromtimestamp(row.time_ms / 1000).strftime("%H:%M:%S") if row.time_ms else "never"
    return [row.name, row.value or "-", row.unit, row.desired, row.quality or "-", read_at]


def troubles(rows: list[Row]) -> list[str]:
    return [f"{row.name}: {row.error}" for row in rows if row.error]


def headline(device: Device) -> str:
    reason = f"  ({device.reason})" if device.reason and device.state != "online" else ""
    state = device.state
    style = output.COLOURS.get(state)
    return f"{device.name}  {output.paint(state, style) if style else state}{reason}\n"


def chosen(device: Device, names: list[str]) -> list[Row]:
    return [row for row in device.rows() if not names or row.name in names]


def loaded(given: argparse.Namespace) -> Device:
    device = found_here(given) if given.local or given.socket else found_at_hub(given)
    device.load()
    device.require([name.partition("=")[0] for name in given.properties])
    return device


def found_at_hub(given: argparse.Namespace) -> Device:
    client = options.connect(given)
    return HubDevice(client, options.namespace(given, client), given.device.removeprefix("device/"))


def found_here(given: argparse.Namespace) -> Device:
    from edgelite_cli.node_device import NodeDevice

    return NodeDevice(given.socket, given.namespace or "default", given.device.removeprefix("device/"))


# ---- get


def get(given: argparse.Namespace) -> int:
    device = loaded(given)
    rows = chosen(device, given.properties)
    if given.quiet:
        output.say("".join(row.value + "\n" for row in rows))
        return EXIT_OK
    output.say(headline(device) + output.table(HEADER, [cells(row) for row in rows]))
    for text in troubles(rows):
        output.say(text + "\n")
    return EXIT_OK


# ---- watch


def watch(given: argparse.Namespace) -> int:
    device = loaded(given)
    trends = Trends()
    for row in chosen(device, given.properties):
        for value in device.history(row.name):
            trends.add(row.name, value)
    draw = drawing(given.properties, trends) if is_screen() else lines(given.properties)
    draw(device)
    while True:  # the hub ends a watch now and then
        for _ in device.follow():
            draw(device)
        device.load()


def drawing(names: list[str], trends: Trends) -> Callable[[Device], None]:
    """Draws all of it over itself, with the course of each number."""
    screen = Screen()
    drawn: dict[str, int] = {}

    def draw(device: Device) -> None:
        rows = chosen(device, names)
        for row in rows:
            if drawn.setdefault(row.name, row.time_ms) != row.time_ms:
                drawn[row.name] = row.time_ms
                trends.add(row.name, row.value)
        body = [[*cells(row), trends.of(row.name)] for row in rows]
        table = output.table((*HEADER, "TREND".ljust(TREND_WIDTH)), body)
        screen.draw(headline(device) + table + "".join(text + "\n" for text in troubles(rows)))

    return draw


def lines(names: list[str]) -> Callable[[Device], None]:
    """One line for each change, for pipes and logs."""
    told: dict[str, Row] = {}

    def draw(device: Device) -> None:
        for row in chosen(device, names):
            if told.get(row.name) != row and (row.time_ms or row.error):
                told[row.name] = row
                read_at = datetime.fromtimestamp(row.time_ms / 1000).isoformat(timespec="milliseconds")
                error = "  " + row.error if row.error else ""
                output.say(f"{read_at}  {row.name}  {row.value} {row.unit}".rstrip() + f"  {row.quality}{error}\n")

    return draw


# ---- set


def assignments(words: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, separator, value = word.partition("=")
        if not separator or not name:
            raise Failure(f"{word!r}: give PROPERTY=VALUE, such as setpoint=62.5", EXIT_USAGE)
        found[name] = value
    return found


def set_values(given: argparse.Namespace) -> int:
    wanted = assignments(given.properties)
    timeout_s = seconds(given.timeout, "--timeout")
    device = loaded(given)
    device.want({name: {"value": value} for name, value in wanted.items()})
    if not given.wait:
        output.say(f"{device.name}: desired; its node writes it when it is reached\n")
        return EXIT_OK
    return settle(device, {name: value for name, value in wanted.items() if value}, timeout_s)


def settle(device: Device, wanted: dict[str, str], timeout_s: int) -> int:
    """Say what becomes of each value as soon as the node has told; the exit code."""
    deadline_s = time.monotonic() + timeout_s
    waiting, code = dict(wanted), EXIT_OK
    while waiting:
        for name, value in list(waiting.items()):
            outcome = device.outcome(name, value)
            if outcome is not None:
                tell(device, name, value, outcome)
                code = EXIT_FAILED if outcome else code
                del waiting[name]
        if waiting and time.monotonic() > deadline_s:
            tell_waiting(device, waiting, timeout_s)
            return EXIT_FAILED
        if waiting:
            time.sleep(POLL_S)
            device.load()
    return code


def tell(device: Device, name: str, value: str, problem: str) -> None:
    mark = output.paint("failed", "red") if problem else output.paint("ok", "green")
    output.say(f"{device.name}/{name}: {mark}, {problem or 'the device holds ' + value}\n")


def tell_waiting(device: Device, waiting: dict[str, str], timeout_s: int) -> None:
    node = device.node or "its node"
    for name, value in waiting.items():
        sys.stderr.write(
            f"edgelite: {device.name}/{name}: nothing heard of {value} within {timeout_s} s. It stays desired: {node} "
            f"writes it when it can (edgelite get nodes; edgelite device watch {device.name})\n"
        )


# ---- the command line


def add_device(made: argparse.ArgumentParser, properties: str, count: str) -> None:
    made.add_argument("device", help="the Device's name")
    made.add_argument("properties", nargs=count, metavar=properties, help="of the device")
    options.add_kubeconfig(made)
    options.add_namespace(made)
    text = "ask the agent of this machine, without a hub (agent.conf: bus = yes)"
    made.add_argument("--local", action="store_true", help=text)
    made.add_argument("--socket", metavar="PATH", default="", help="the same, and which agent's, where several run")


def build() -> argparse.ArgumentParser:
    made = options.parser("device", "Read, follow and set the values of a device.", EPILOG)
    actions = made.add_subparsers(dest="action", required=True, metavar="get|watch|set")
    one = actions.add_parser("get", help="its values, as the hub knows them")
    add_device(one, "PROPERTY", "*")
    one.add_argument("-q", "--quiet", action="store_true", help="only the values, one a line, for scripts")
    one.set_defaults(run=get)
    one = actions.add_parser("watch", help="its values as they change, drawn with their course (Ctrl-C ends)")
    add_device(one, "PROPERTY", "*")
    one.set_defaults(run=watch)
    one = actions.add_parser("set", help="give properties a desired value, and wait until the device holds it")
    add_device(one, "PROPERTY=VALUE", "+")
    one.add_argument("--no-wait", dest="wait", action="store_false", help="do not wait for the device")
    one.add_argument("--timeout", default="30s", metavar="TIME", help="wait at most so long (default 30s)")
    one.set_defaults(run=set_values)
    return made


@reporting
def main(arguments: list[str]) -> int:
    made = build()
    given, rest = made.parse_known_args(arguments)
    if any(word.startswith("-") for word in rest):
        made.error("unrecognized arguments: " + " ".join(rest))
    given.properties += rest  # names behind an option: argparse itself gives them to nobody
    return int(given.run(given))
