"""The agent's command line, the same for every runtime."""

LEVELS = ("debug", "info", "warning", "error")

HELP = """usage: edgelite agent [--state DIR] [--log-level LEVEL]

Run the node that `edgelite join` set up.

  --state DIR        where the node keeps all it has (default: $EDGELITE_STATE or /var/lib/edgelite)
  --log-level LEVEL  %s (default: what agent.conf says)
""" % ", ".join(LEVELS)


def parse_options(arguments: "list[str]") -> "dict[str, str]":
    """{option: value}; ValueError says what is wrong."""
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        name, separator, value = rest.pop(0).partition("=")
        if name in ("--help", "-h"):
            return {"--help": ""}
        if name not in ("--state", "--log-level"):
            raise ValueError("there is no option " + name)
        if not separator:
            if not rest:
                raise ValueError(name + " needs a value")
            value = rest.pop(0)
        options[name] = value
    if options.get("--log-level", "info") not in LEVELS:
        raise ValueError("--log-level is one of " + ", ".join(LEVELS))
    return options
