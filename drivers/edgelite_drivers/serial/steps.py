"""What is said to a device before it can be asked: `wakeUp`, a list of steps.

send: "/?!\\r\\n"                         a template; its fields are what earlier steps captured
expect: "/{maker:3}{code:1}{type}"       a pattern; with `start`, `end`, `maxBytes` of its own, `timeoutMs`
pauseMs: 300
baudRate: 9600                           or the name of a captured field, and `bauds`: what its values mean;
                                         with `dataBits`, `parity`, `stopBits` (as before where left out)
"""

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_drivers.line_settings import BAUD_MAX, BAUD_MIN, PARITIES
from edgelite_drivers.serial import framing
from edgelite_drivers.serial.pattern import CHECKSUM, Pattern, Template

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SEND, EXPECT, PAUSE, BAUD, ANSWER, CONFIRM = 0, 1, 2, 3, 4, 5
KINDS = ("send", "expect", "pauseMs", "baudRate")
STEPS_MAX = 16
PAUSE_MS_MAX = 10_000
TIMEOUT_MS_MAX = 60_000
_FIELDS = {
    "send": ("send",),
    "expect": ("expect", "start", "end", "maxBytes", "timeoutMs"),
    "pauseMs": ("pauseMs",),
    "baudRate": ("baudRate", "bauds", "dataBits", "parity", "stopBits"),
}


class Step:
    """`kind` is one of the numbers above. The last two are the driver's own: the answer that has the values of
    `names`, and the one that confirms a write."""

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.template: Template | None = None
        self.data = b""
        self.pattern: Pattern | None = None
        self.framing: framing.Framing | None = None
        self.timeout_ms = 0  # 0: the device's
        self.pause_ms = 0
        self.bauds: dict[str, int] = {}
        self.baud_field = ""
        self.settings: dict[str, Any] = {}
        self.names: list[str] = []


def check(config: object, path: str, has_line: bool, has_checksum: bool) -> "list[Step]":
    """ConfigurationError names the step. `has_line` False: a serial server's baud rate cannot be changed from here."""
    if not isinstance(config, list) or not 0 < len(config) <= STEPS_MAX:
        raise ConfigurationError(path, "must be a list of 1 to %d steps" % STEPS_MAX)
    steps: list[Step] = []
    known = [CHECKSUM] if has_checksum else []
    for index, one in enumerate(config):
        at = "%s[%d]" % (path, index)
        kinds = [name for name in KINDS if isinstance(one, dict) and name in one]
        if len(kinds) != 1:
            raise ConfigurationError(at, "must be a map with one of " + ", ".join(KINDS))
        fields = Fields(one, at, _FIELDS[kinds[0]])
        if kinds[0] == "send":
            steps.append(_send(fields, at, known))
        elif kinds[0] == "expect":
            steps.append(_expect(fields, at, one, known))
        elif kinds[0] == "pauseMs":
            steps.append(Step(PAUSE))
            steps[-1].pause_ms = fields.integer("pauseMs", 1, PAUSE_MS_MAX)
        elif has_line:
            steps.append(_baud(fields, at, one, known))
        else:
            raise fields.refuse("baudRate", "a serial server's baud rate is set at the server")
    return steps


def _send(fields: Fields, path: str, known: "list[str]") -> Step:
    step = Step(SEND)
    step.template = Template(fields.text("send", 256), path + ".send")
    for name in step.template.names:
        if name not in known:
            raise fields.refuse("send", "no step before this one captures " + name)
    return step


def _expect(fields: Fields, path: str, config: "Any", known: "list[str]") -> Step:
    step = Step(EXPECT)
    step.pattern = Pattern(fields.text("expect", 256), path + ".expect")
    known.extend(step.pattern.names)
    step.framing = framing.check({name: config.get(name) for name in ("start", "end", "maxBytes")}, path)
    step.timeout_ms = fields.integer("timeoutMs", 1, TIMEOUT_MS_MAX) if fields.has("timeoutMs") else 0
    return step


def _baud(fields: Fields, path: str, config: "Any", known: "list[str]") -> Step:
    step = Step(BAUD)
    if isinstance(config["baudRate"], str):
        step.baud_field = fields.choice("baudRate", known)
        bauds = config.get("bauds")
        if not isinstance(bauds, dict) or not bauds:
            raise fields.refuse("bauds", "must be a map of what %s may be to baud rates" % step.baud_field)
        for name in bauds:
            step.bauds[str(name)] = Fields(bauds, path + ".bauds", bauds).integer(name, BAUD_MIN, BAUD_MAX)
    else:
        step.settings["baud"] = fields.integer("baudRate", BAUD_MIN, BAUD_MAX)
    if fields.has("dataBits"):
        step.settings["data_bits"] = fields.integer("dataBits", 7, 8)
    if fields.has("parity"):
        step.settings["parity"] = fields.choice("parity", PARITIES)
    if fields.has("stopBits"):
        step.settings["stop_bits"] = fields.integer("stopBits", 1, 2)
    return step
