"""Where a device on a serial line is, for any driver: KubeEdge's field names to a target of `effects.Open`.

`serialPort`, `baudRate`, `dataBits`, `parity`, `stopBits`, and `rs485`, a map of `rtsOnSend`, `rtsAfterSend`,
`receiveWhileSending`, `delayBeforeSendMs`, `delayAfterSendMs`.
"""

from edgelite_drivers.fields import Fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LINE_FIELDS = ("serialPort", "baudRate", "dataBits", "parity", "stopBits", "rs485")
BAUD_MIN, BAUD_MAX = 50, 4_000_000
PARITIES = ("none", "even", "odd")
DELAY_MS_MAX = 1000
_FLAGS = (
    ("rtsOnSend", "rts_on_send", True),
    ("rtsAfterSend", "rts_after_send", False),
    ("receiveWhileSending", "receive_while_sending", False),
)
_DELAYS = (("delayBeforeSendMs", "delay_before_send_ms"), ("delayAfterSendMs", "delay_after_send_ms"))


def line_settings(fields: Fields, config: "dict[str, Any]", path: str, baud: int = 9600) -> "dict[str, Any]":
    """The settings that `fields` of `config` (at `path`) have; ConfigurationError names the field."""
    settings: dict[str, Any] = {
        "baud": fields.integer("baudRate", BAUD_MIN, BAUD_MAX, baud),
        "data_bits": fields.integer("dataBits", 7, 8, 8),
        "parity": fields.choice("parity", PARITIES, "none"),
        "stop_bits": fields.integer("stopBits", 1, 2, 1),
    }
    if fields.has("rs485"):
        settings["rs485"] = _rs485(config["rs485"], path + ".rs485")
    return settings


def _rs485(config: object, path: str) -> "dict[str, bool | int]":
    fields = Fields(config, path, [one[0] for one in _FLAGS] + [one[0] for one in _DELAYS])
    made: dict[str, bool | int] = {}
    for name, ours, default in _FLAGS:
        made[ours] = fields.boolean(name, default)
    for name, ours in _DELAYS:
        made[ours] = fields.integer(name, 0, DELAY_MS_MAX, 0)
    return made
