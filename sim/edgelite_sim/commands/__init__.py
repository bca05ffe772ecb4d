"""`edgelite sim`: the simulator's commands, each loaded when it is asked for."""

from __future__ import annotations

import difflib
import sys
from importlib import import_module

# name: (module, function, summary), as the console script has its commands.
COMMANDS: dict[str, tuple[str, str, str]] = {
    "run": ("edgelite_sim.commands.run", "main", "run a scenario, and say what held"),
    "list": ("edgelite_sim.commands.tables", "list_main", "the scenarios that come with the simulator"),
    "check": ("edgelite_sim.commands.tables", "check_main", "say what is wrong with a scenario, without running it"),
    "faults": ("edgelite_sim.commands.tables", "faults_main", "every kind of fault, with its parameters"),
    "profiles": ("edgelite_sim.commands.tables", "profiles_main", "every kind of network that has a name"),
    "invariants": ("edgelite_sim.commands.tables", "invariants_main", "what must hold in every run"),
    "hunt": ("edgelite_sim.hunt.commands", "hunt_main", "look for bugs with random swarms of faults, on all cores"),
    "replay": ("edgelite_sim.hunt.commands", "replay_main", "run again what the hunt has found"),
    "device": ("edgelite_sim.devices.command", "main", "a simulated device for real nodes: Modbus, serial, Bluetooth"),
    "proxy": ("edgelite_sim.live.commands", "proxy_main", "stand between real nodes and a real hub, as a bad network"),
    "cut": ("edgelite_sim.live.commands", "cut_main", "cut a running proxy's link"),
    "heal": ("edgelite_sim.live.commands", "heal_main", "mend it"),
    "profile": ("edgelite_sim.live.commands", "profile_main", "make it another kind of network"),
    "status": ("edgelite_sim.live.commands", "status_main", "what a running proxy carries, and how its link is"),
}

SECTIONS = (
    ("Simulate, in virtual time", ("run", "list", "check", "faults", "profiles", "invariants")),
    ("Look for bugs", ("hunt", "replay")),
    ("Stand in for devices and networks, live", ("device", "proxy", "cut", "heal", "profile", "status")),
)

EXAMPLES = """examples:
  edgelite sim list
  edgelite sim run train-line --report out.html
  edgelite sim run my.toml --seed 7 --until 2h
"""

EXIT_OK, EXIT_FAILED, EXIT_USAGE = 0, 1, 2


def overview() -> str:
    lines = ["usage: edgelite sim COMMAND [OPTION ...]", ""]
    lines += ["A fleet's year of tunnels, outages and power cuts in a minute, replayed from a seed.", ""]
    for title, names in SECTIONS:
        lines += [title + ":", *(f"  {name:<12} {COMMANDS[name][2]}" for name in names), ""]
    lines.append(EXAMPLES)
    return "\n".join([*lines, "`edgelite sim COMMAND --help` explains a command."]) + "\n"


def main(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return EXIT_OK if arguments else EXIT_USAGE
    name = arguments[0]
    if name not in COMMANDS:
        close = difflib.get_close_matches(name, COMMANDS, 1)
        hint = f"did you mean `edgelite sim {close[0]}`?" if close else "`edgelite sim --help` lists the commands."
        sys.stderr.write(f"edgelite sim: there is no command '{name}'; {hint}\n")
        return EXIT_USAGE
    module, function, _ = COMMANDS[name]
    return int(getattr(import_module(module), function)(arguments[1:]) or 0)
