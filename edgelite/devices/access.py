"""What others on this node may do to twins: desire a value, and report values and states of a device whose driver is a
local program. Each call raises ConfigurationError, with the field and the reason, where it cannot be."""

from edgelite.devices.device import Collection
from edgelite.devices.values import fault_of
from edgelite.driver import ConfigurationError, Result
from edgelite_protocol.errors import ProtocolError
from edgelite_protocol.values import from_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.devices.device import Device
    from edgelite.devices.twin import Twin

# What a program may say of its device, as KubeEdge names it: the state that the hub is told, and why.
STATES = {
    "online": ("online", ""),
    "ok": ("online", ""),
    "offline": ("offline", "its program says that it is offline"),
    "unknown": ("offline", "its program does not know its state"),
    "unhealthy": ("unhealthy", "its program says that it is unhealthy"),
}


def want_locally(device: "Device | None", key: str, name: str, text: str, now_ms: int) -> None:
    known = _known(device, key)
    known.want_locally(_twin(known, key, name), text, now_ms)


def report_locally(device: "Device | None", key: str, name: str, text: str, now_ms: int) -> None:
    mapped = _mapped(device, key)
    twin = _twin(mapped, key, name)
    type = twin.property.type
    try:
        value = from_text(type, text)
    except ProtocolError as error:
        raise ConfigurationError(name, error.text) from error
    if fault_of(type, value):
        raise ConfigurationError(name, "is no %s that can be reported" % type)
    mapped.finish(Collection(mapped, [twin], None, now_ms), Result(0, {name: value}, {}, True, now_ms), now_ms)


def state_locally(device: "Device | None", key: str, state: str, now_ms: int) -> None:
    mapped = _mapped(device, key)
    meaning = STATES.get(state)
    if meaning is None:
        raise ConfigurationError("state", "must be one of " + ", ".join(sorted(STATES)))
    mapped.state_locally(meaning[0], meaning[1], now_ms)


def _known(device: "Device | None", key: str) -> "Device":
    if device is None:
        raise ConfigurationError("device", "there is no device %s on this node" % key)
    return device


def _mapped(device: "Device | None", key: str) -> "Device":
    known = _known(device, key)
    if not known.is_mapped:
        raise ConfigurationError("device", "%s is read by this node: only protocolName mapper is reported to it" % key)
    return known


def _twin(device: "Device", key: str, name: str) -> "Twin":
    twin = device.twins.get(name)
    if twin is None:
        raise ConfigurationError(name, "device %s has no such property" % key)
    return twin
