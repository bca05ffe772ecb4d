"""What of Modbus configuration is a serial line's, or a framing's that comes from one. Loaded where there is one."""

from edgelite_drivers.line_settings import line_settings
from edgelite_drivers.modbus.echo import MODES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite_drivers.fields import Fields
    from edgelite_drivers.modbus.framing import Framing

IDLE_MS_MAX = 1000


def serial_target(fields: "Fields", config: "dict[str, Any]", path: str) -> "tuple[tuple[Any, ...], str]":
    for name in ("port", "transactionIds"):
        if fields.has(name):
            raise fields.refuse(name, "is of TCP; with serialPort there is none")
    settings = line_settings(fields, config, path)
    framing = fields.choice("framing", ("rtu", "ascii"), "rtu")
    if framing == "rtu" and settings["data_bits"] != 8:
        raise fields.refuse("dataBits", "framing rtu needs 8")
    options = {"framing": framing, "baud": settings["baud"], "echo": echo_mode(fields)}
    if fields.has("idleMs"):
        options["idle_ms"] = fields.integer("idleMs", 0, IDLE_MS_MAX)
    return ("serial", fields.text("serialPort", 253), settings, options), framing


def echo_mode(fields: "Fields") -> str:
    return fields.choice("echo", MODES, "auto")


def make_framing(options: "dict[str, Any]") -> "Framing":
    baud, echo, idle_ms = options["baud"], options["echo"], options.get("idle_ms")
    if options["framing"] == "ascii":
        from edgelite_drivers.modbus.ascii import AsciiFraming

        return AsciiFraming(baud, echo, idle_ms)
    from edgelite_drivers.modbus.rtu import RtuFraming

    return RtuFraming(baud, echo, idle_ms)
