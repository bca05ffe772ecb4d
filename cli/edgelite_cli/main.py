"""The console script's first step: find the subcommand, import its module and nothing else.

`edgelite agent` is the process whose memory is measured, so this file imports only `sys`.
"""

import sys

# name: (module, function, summary). The function takes the arguments after the name and returns the exit code.
# Groups are headings of the overview; None ends the list of what a heading covers.
COMMANDS: "dict[str, tuple[str, str, str]]" = {
    "demo": ("edgelite_sim.demo", "main", "see it all work: a hub, three nodes, a meter and two outages"),
    "hub": ("edgelite_hub.main", "main", "start a hub: one process, one data folder"),
    "token": ("edgelite_cli.commands.token", "main", "create, list or revoke what lets a node join"),
    "join": ("edgelite_cli.commands.join", "main", "make this machine a node of a hub"),
    "agent": ("edgelite_ports.linux.exec_agent", "exec_agent", "run the node that `join` set up"),
    "apply": ("edgelite_cli.commands.apply", "main", "create or change objects from YAML files"),
    "push": ("edgelite_cli.commands.push", "main", "upload a file or a folder as an artifact for workloads"),
    "get": ("edgelite_cli.commands.get", "main", "list objects, as a table, YAML or JSON; --watch follows"),
    "describe": ("edgelite_cli.commands.describe", "main", "tell all about one object"),
    "delete": ("edgelite_cli.commands.delete", "main", "delete objects"),
    "adopt": ("edgelite_cli.commands.adopt", "main", "let a node follow a hub that was restored or replaced"),
    "logs": ("edgelite_cli.commands.logs", "main", "read what a workload wrote, from its node"),
    "telemetry": ("edgelite_cli.commands.telemetry", "main", "query what devices reported"),
    "device": ("edgelite_cli.commands.device", "main", "read a device's values, follow them, set what it should hold"),
    "modbus": ("edgelite_cli.commands.modbus", "main", "find, read and write Modbus devices from this machine"),
    "serial": ("edgelite_cli.commands.serial", "main", "list serial lines, and show what goes over one"),
    "ble": ("edgelite_cli.commands.ble", "main", "look for Bluetooth devices and what they advertise"),
    "driver": ("edgelite_cli.commands.driver", "main", "list drivers, and check devices' files with them"),
    "provision": ("edgelite_cli.commands.provision", "main", "make the files of a device: identity, configuration"),
    "sim": ("edgelite_sim.commands", "main", "try a fleet against tunnels, outages and power cuts, from a seed"),
    "bundle": ("edgelite_cli.commands.bundle", "main", "pack what goes onto a device, without hub and simulator"),
    "completion": ("edgelite_cli.commands.completion", "main", "print the completion script of your shell"),
    "version": ("edgelite_cli.commands.version", "main", "print the versions of program, protocol and Python"),
}

SECTIONS = (
    ("Start here", ("demo",)),
    ("Hub", ("hub", "token")),
    ("Node", ("join", "agent")),
    ("Work with a hub", ("apply", "push", "get", "describe", "delete", "adopt", "logs", "telemetry")),
    ("Field devices", ("device", "driver", "modbus", "serial", "ble")),
    ("Before you ship", ("sim",)),
    ("Boards and bundles", ("provision", "bundle")),
    ("More", ("completion", "version")),
)

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_INTERRUPTED = 130


def overview() -> str:
    lines = ["usage: edgelite COMMAND [OPTION ...]", ""]
    for title, names in SECTIONS:
        lines.append(title + ":")
        lines.extend("  %-12s %s" % (name, COMMANDS[name][2]) for name in names)
        lines.append("")
    lines.append("`edgelite COMMAND --help` explains a command.")
    lines.append("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 hub not reached.")
    return "\n".join(lines) + "\n"


def unknown(name: str) -> int:
    import difflib

    close = difflib.get_close_matches(name, COMMANDS, 1)
    hint = "did you mean `edgelite %s`?" % close[0] if close else "`edgelite --help` lists the commands."
    sys.stderr.write("edgelite: there is no command '%s'; %s\n" % (name, hint))
    return EXIT_USAGE


def load(name: str) -> "object":
    module_name, function_name, _ = COMMANDS[name]
    module = __import__(module_name, None, None, [function_name])
    return getattr(module, function_name)


def missing(name: str, error: ImportError) -> int:
    """A room or a dependency that this installation leaves out: say which, and how to get it."""
    wanted = error.name or "?"
    if wanted.split(".")[0].startswith("edgelite"):
        advice = "it is not part of this bundle; install the whole distribution"
    else:
        extra = "sim" if COMMANDS[name][0].startswith("edgelite_sim") else "hub"
        advice = "install it with: pip install 'edgelite[%s]'" % extra
    sys.stderr.write("edgelite: %s needs the module %s; %s\n" % (name, wanted, advice))
    return EXIT_FAILED


def main(arguments: "list[str] | None" = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        sys.stdout.write(overview())
        return EXIT_OK if arguments else EXIT_USAGE
    name = {"--version": "version", "-V": "version"}.get(arguments[0], arguments[0])
    if name not in COMMANDS:
        return unknown(name)
    try:
        run = load(name)
    except ImportError as error:
        return missing(name, error)
    try:
        code = run(arguments[1:])  # type: ignore[operator]
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough
        sys.stderr.close()
        return EXIT_FAILED
    return int(code or 0)


if __name__ == "__main__":
    sys.exit(main())
