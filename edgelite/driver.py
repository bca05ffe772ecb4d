"""The driver contract: how a device protocol plugs into the agent.

A driver is a module. It has no I/O: its buses are channels (`edgelite.effects.Channel`) that the port opens and
feeds. The module offers

    NAME                                   "modbus"
    check_protocol(config) -> protocol     DEVICE_PROTOCOL validated; ConfigurationError names the path
    check_visitor(config, property) -> visitor   the same for one property's visitor; `property` is the compact form
    check_device(protocol, visitors)       may be left out; what only all properties together show, say two that share
                                           registers: `visitors` is [(property name, visitor), ...] in the Device's
                                           order, and paths begin with "properties[INDEX]."
    target(protocol) -> tuple              what `effects.Open` opens; devices with an equal target share one bus.
                                           What it has behind the parts that `Open` knows is the driver's own
    make_bus(target, random_bytes) -> Bus  `random_bytes(count)` for the jitter of reconnects
    same_value(visitor, one, other) -> bool   True where the device could not tell the two values apart when they
                                           are written; ConfigurationError where it cannot hold one of them
    listens(visitor) -> bool               may be left out; True where the device sends this value by itself, so that
                                           nobody asks for it: the agent calls `Bus.listen` in place of `Bus.submit`
    make_server(target, random_bytes, devices, emit) -> Bus   may be left out; called in place of make_bus, where others
                                           are to reach this node's twins through the bus: `devices` has `view` and
                                           `want_locally`, and `emit` takes `effects.Listen` and `effects.Close`

What the checks return is the driver's own and comes back to it in requests; the agent looks into neither. Paths of
errors start at the Device's spec or its property: "protocol.configData.port", "visitors.configData.offset".

A bus serves requests one after another as its medium allows, and gives one result for each: a dead device must
never keep the requests for another one waiting longer than its own timeout.

`edgelite_drivers.testing` holds a suite that checks any driver against this contract.
"""

from edgelite.effects import Channel
from edgelite_protocol.errors import EdgeliteError


class ConfigurationError(EdgeliteError):
    """`path` names the field ("visitors.configData.offset"), `text` what is wrong and what would be right."""

    def __init__(self, path: str, text: str) -> None:
        super().__init__(path + ": " + text)
        self.path = path
        self.text = text


class Request:
    """Read the properties of `visitors` (validated, by property name) of one device, or write one value.

    `number` comes back with the result. `value` is None for a read; for a write `visitors` has one entry.
    """

    def __init__(
        self,
        number: int,
        protocol: object,
        visitors: "dict[str, object]",
        value: "int | float | str | bool | bytes | None" = None,
    ) -> None:
        self.number = number
        self.protocol = protocol
        self.visitors = visitors
        self.value = value


class Result:
    """`values` has what was read; `errors` why a property has none ("Modbus exception 2: illegal data address").
    A write that the device confirmed has neither. `answered` is False where the device said nothing at all: it
    counts as offline. `time_ms` is when the answer arrived (monotonic), None to take the time of `next_result`.

    The text of an error is the same as long as its cause is: no countdowns, no counters.
    """

    def __init__(
        self,
        number: int,
        values: "dict[str, int | float | str | bool | bytes]",
        errors: "dict[str, str]",
        answered: bool,
        time_ms: "int | None" = None,
    ) -> None:
        self.number = number
        self.values = values
        self.errors = errors
        self.answered = answered
        self.time_ms = time_ms


class Bus(Channel):
    """One medium with the devices on it. Whoever owns it calls `step` after it has submitted, then `wants_open` and
    `wants_close`, opens or closes the channel, and asks again when `closed` has come."""

    def submit(self, request: Request, now_ms: int) -> None:
        raise NotImplementedError

    def listen(self, request: Request, now_ms: int) -> None:
        """Give a result with the request's number each time that the device has sent one or more of its values, or has
        fallen silent, until `ignore`. Only of drivers that have `listens`; the medium is then kept open."""
        raise NotImplementedError

    def ignore(self, number: int, now_ms: int) -> None:
        """The end of `listen`; a result that was under way may still come."""
        raise NotImplementedError

    def next_result(self) -> "Result | None":
        """The results that there are, one a call; None when there is none now."""
        raise NotImplementedError

    def step(self, now_ms: int) -> "int | None":
        """Let timeouts pass; the next deadline, None when only input can change anything."""
        raise NotImplementedError

    def wants_open(self, now_ms: int) -> bool:
        """True while the channel is closed, there is work, and its reconnect backoff has passed."""
        raise NotImplementedError

    def wants_close(self, now_ms: int) -> bool:
        """True while the channel is open and of no use any more: the peer broke its framing or went silent."""
        return False

    def wants_settings(self, now_ms: int) -> "dict[str, object] | None":
        """Other settings for an open serial line (as of `effects.Open`), once each time that they change: what the bus
        has given to send, or has ready, still goes out under the old ones; nothing else before the next `step`."""
        return None
