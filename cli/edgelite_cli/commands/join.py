"""`edgelite join HUB --token TOKEN`: make this machine a node."""

from __future__ import annotations

import os
import platform
import re
import shlex
import sys
from importlib.util import find_spec

from edgelite_cli import options
from edgelite_cli.failure import Failure, reporting
from edgelite_cli.main import EXIT_FAILED
from edgelite_protocol.errors import EdgeliteError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite_cli.installed_drivers import Driver

DEFAULT_STATE = "/var/lib/edgelite"

EPILOG = """examples:
  edgelite join hub.local:7444 --token edgelite1.1f2e3d4c....
  EDGELITE_TOKEN=... edgelite join hub.local:7444 --name sensor-7

The node's key is made here and never leaves this machine. One try: a refused token is not sent again."""


def own_name() -> str:
    """This machine's name as Kubernetes would take it."""
    return re.sub(r"[^a-z0-9.-]+", "-", platform.node().lower()).strip("-.") or "node"


@reporting
def main(arguments: list[str]) -> int:
    made = options.parser("join", "Make this machine a node of a hub.", EPILOG)
    made.add_argument("hub", metavar="HOST[:PORT]", help="where the hub takes nodes (port 7444 unless given)")
    made.add_argument("--token", help="from `edgelite token create` (default: $EDGELITE_TOKEN)")
    made.add_argument("--name", default=own_name(), help="the node's name (default: this machine's, %(default)s)")
    made.add_argument(
        "--state", metavar="DIR", help=f"where the node keeps all it has (default: $EDGELITE_STATE or {DEFAULT_STATE})"
    )
    made.add_argument("--force", action="store_true", help="replace the identity that is there")
    given = made.parse_args(arguments)
    token = given.token or os.environ.get("EDGELITE_TOKEN")
    if not token:
        raise Failure("a token is needed: --token TOKEN, made on the hub with `edgelite token create`", 2)
    state = given.state or os.environ.get("EDGELITE_STATE") or DEFAULT_STATE

    from edgelite_cli import installed_drivers
    from edgelite_ports.linux.exec_agent import room_paths
    from edgelite_ports.linux.join import join

    drivers = installed_drivers.of_others()
    try:
        lines = installed_drivers.config_lines(drivers, room_paths())
        join(given.hub, token, given.name, state, force=given.force, more_config=lines)
    except EdgeliteError as error:
        raise Failure(f"did not join {given.hub}: {error}", EXIT_FAILED) from error
    shown = "" if state == DEFAULT_STATE else f" --state {shlex.quote(state)}"
    sys.stdout.write(
        f"{given.name} joined {given.hub}; its identity is in {state}\n{driver_note(drivers)}{serial_note()}"
        f"Next: edgelite agent{shown}\n"
    )
    return 0


def driver_note(drivers: list[Driver]) -> str:
    names = ", ".join(f"{driver.name} ({driver.origin})" for driver in drivers)
    return f"Drivers of others that its devices may name: {names}\n" if names else ""


def serial_note() -> str:
    """Here, because an agent that has none says so when the first line is opened, perhaps months later."""
    if find_spec("serial") is not None:
        return ""
    return "This node has no serial lines: they need pyserial (pip install 'edgelite[serial]')\n"
