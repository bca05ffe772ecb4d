"""KubeEdge's topics and JSON payloads, so that its mappers and applications meet what they know (docs/bus.md).

    $hw/events/device/NAMESPACE/NAME/twin/update     -> .../twin/update/result, then delta and document
                                    /twin/get        -> .../twin/get/result
                                    /state/update    -> .../state/update/result
    $hw/events/node/NODE/membership/get              -> .../membership/get/result

`expected` is what is desired, `actual` what is reported. An update counts as a whole or not at all.
"""

from edgelite.bus.serving import Refused, Serving, refusal_of, request_of, text_of
from edgelite.devices.desired import IMPOSSIBLE, NONE, SETTLED, Desired
from edgelite_protocol.values import from_text, to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.bus.bus import Message, MessageBus
    from edgelite.context import Context
    from edgelite.devices import Devices
    from edgelite.devices.device import Device
    from edgelite.devices.twin import Twin

DEVICE_TOPIC = "$hw/events/device/"
NODE_TOPIC = "$hw/events/node/"
KEY_LENGTH_MAX = 128
VALUE_LENGTH_MAX = 512
EVENT_ID_LENGTH_MAX = 128
PROPERTIES_MAX = 20  # in one delta or document, where each takes 600 bytes
CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.,:/@#"
TYPES = {"INT": "int", "FLOAT": "float", "DOUBLE": "float", "BOOLEAN": "boolean"}  # all others: string
NO_UPLOAD = "nothing carries it to the hub: report a value of a device (twin/update), which gets there"
NOBODY = "the agent alone publishes there, or nobody serves it: docs/bus.md has the topics"


class Shown:
    """What programs have seen of one property; versions count what changed since the agent started."""

    def __init__(self) -> None:
        self.expected: str | None = None
        self.actual: str | None = None
        self.expected_version = 0
        self.actual_version = 0
        self.last: dict[str, Any] | None = None  # as the last document had it


class KubeEdge(Serving):
    """`has_hub()`: whether the node's session with the hub is live."""

    def __init__(
        self, bus: "MessageBus", devices: "Devices", context: "Context", node: str, has_hub: "Callable[[], bool]"
    ) -> None:
        super().__init__(bus, devices, context)
        self._node = node
        self._has_hub = has_hub
        self._had_hub = False
        self._shown: dict[str, dict[str, Shown]] = {}
        self._members: dict[str, bool] = {}
        for action in _ACTIONS:
            self.listen(DEVICE_TOPIC + "+/+/" + action)
        self._membership = NODE_TOPIC + node + "/membership/"
        self.listen(self._membership + "get")
        for topic in ("$hw/events/upload/#", "SYS/dis/upload_records"):
            bus.reserve(topic, NO_UPLOAD)
        bus.reserve("$hw/#", NOBODY)
        devices.add_watcher(self)

    def step(self, now_ms: int) -> "int | None":
        has_hub = self._has_hub()
        if has_hub != self._had_hub:
            self._had_hub = has_hub
            topic = "$hw/events/%s/%s" % ("connected" if has_hub else "disconnected", self._node)
            self.send(topic, self._base("", now_ms))
        return super().step(now_ms)

    # ---- requests

    def answer(self, message: "Message", now_ms: int) -> None:
        base = self._base("", now_ms)
        try:
            request = request_of(message.payload)
            if "event_id" in request and request["event_id"] != "":
                base["event_id"] = text_of(request, "event_id", EVENT_ID_LENGTH_MAX)
            result = self._result(message.topic, request, base, now_ms)
        except Refused as error:
            result = {"code": error.code, "reason": error.reason}
        if not self.send(message.topic + "/result", _joined(base, result)):
            self.send(message.topic + "/result", _joined(base, {"code": 500, "reason": "the answer is too long"}))

    def _result(self, topic: str, request: "dict[str, Any]", base: "dict[str, Any]", now_ms: int) -> "dict[str, Any]":
        if topic == self._membership + "get":
            keys = self.devices.keys()
            return {"devices": [self._device(key, now_ms) for key in keys]}
        levels = topic.split("/")
        key = levels[3] + "/" + levels[4]
        device = self.devices.view(key)
        if device is None:
            raise Refused(404, "there is no device %s on this node" % key)
        return _ACTIONS["/".join(levels[5:])](self, device, request, base, now_ms)

    def _twin_get(
        self, device: "Device", request: "dict[str, Any]", _base: "dict[str, Any]", now_ms: int
    ) -> "dict[str, Any]":
        """All properties, or those that the request names."""
        asked = request.get("twin") or device.twins
        if not isinstance(asked, dict):
            raise Refused(400, "twin must be an object of properties")
        return {"twin": {name: self._twin(device, name) for name in sorted(asked) if name in device.twins}}

    def _state_update(
        self, device: "Device", request: "dict[str, Any]", _base: "dict[str, Any]", now_ms: int
    ) -> "dict[str, Any]":
        state = text_of(request, "state", KEY_LENGTH_MAX)
        _must(refusal_of(self.devices.state_locally, device.key, state, now_ms))
        return {"state": state, "device": self._device(device.key, now_ms)}

    def _twin_update(
        self, device: "Device", request: "dict[str, Any]", base: "dict[str, Any]", now_ms: int
    ) -> "dict[str, Any]":
        twins = request.get("twin")
        if not isinstance(twins, dict) or not twins:
            raise Refused(400, "twin must be an object of properties")
        expected: list[tuple[str, str]] = []
        actual: list[tuple[str, str]] = []
        for name in sorted(twins):
            self._check_update(device, name, twins[name], expected, actual)
        if not expected and not actual:
            raise Refused(400, "no property has an expected or an actual value")
        for name, text in expected:
            _must(refusal_of(self.devices.want_locally, device.key, name, text, now_ms))
        for name, text in actual:
            _must(refusal_of(self.devices.report_locally, device.key, name, text, now_ms))
        self.forget(device.key, twins)
        self._tell_twins(device, sorted(twins), base["event_id"], now_ms)
        return {"twin": {name: self._twin(device, name) for name in sorted(twins)}}

    def _check_update(
        self,
        device: "Device",
        name: str,
        update: "Any",
        expected: "list[tuple[str, str]]",
        actual: "list[tuple[str, str]]",
    ) -> None:
        """Note the values of one property. Refused where one of them cannot be."""
        _check_text("the name of a property", name, KEY_LENGTH_MAX)
        twin = device.twins.get(name)
        if twin is None:
            raise Refused(404, "device %s has no property %s" % (device.key, name))
        metadata = update.get("metadata") if isinstance(update, dict) else None
        if update is None or (isinstance(metadata, dict) and metadata.get("type") == "deleted"):
            raise Refused(400, "%s: a property goes when its DeviceModel at the hub loses it" % name)
        if not isinstance(update, dict):
            raise Refused(400, "%s must be an object" % name)
        shown = self._seen(device.key, name, twin)
        _check_version(name, update, "expected_version", twin.desired.version, shown.expected_version)
        _check_version(name, update, "actual_version", 0, shown.actual_version)
        text = _value_of(name, update, "expected")
        if text is not None:
            _check_expected(twin, text)
            expected.append((name, text))
        text = _value_of(name, update, "actual")
        if text is not None:
            _check_actual(device, twin, text)
            actual.append((name, text))

    # ---- what changes

    def tell(self, key: str, names: "list[str]", now_ms: int) -> None:
        device = self.devices.view(key)
        if (device is not None) != (key in self._members):
            self._tell_membership(key, device, now_ms)
        if device is None:
            self._shown.pop(key, None)
            return
        if "" in names:
            topic = DEVICE_TOPIC + key + "/updated"
            if self.bus.is_wanted(topic):
                self.send(topic, _joined(self._base("", now_ms), self._device(key, now_ms)))
        self._tell_twins(device, [name for name in names if name in device.twins], "", now_ms)

    def _tell_membership(self, key: str, device: "Device | None", now_ms: int) -> None:
        message = self._base("", now_ms)
        message["added_devices"] = []
        message["removed_devices"] = []
        if device is None:
            self._members.pop(key)
            message["removed_devices"].append({"id": key, "name": _name(key)})
        else:
            self._members[key] = True
            message["added_devices"].append(self._device(key, now_ms))
        self.send(self._membership + "updated", message)

    def _tell_twins(self, device: "Device", names: "list[str]", event_id: str, now_ms: int) -> None:
        for start in range(0, len(names), PROPERTIES_MAX):
            self._tell_some(device, names[start : start + PROPERTIES_MAX], event_id, now_ms)

    def _tell_some(self, device: "Device", names: "list[str]", event_id: str, now_ms: int) -> None:
        topic = DEVICE_TOPIC + device.key + "/twin/update/"
        if self.bus.is_wanted(topic + "delta"):
            late = [name for name in names if _is_late(device.twins[name])]
            if late:
                message = self._base(event_id, now_ms)
                message["twin"] = {name: self._twin(device, name) for name in late}
                message["delta"] = {name: device.twins[name].desired.text for name in late}
                self.send(topic + "delta", message)
        if self.bus.is_wanted(topic + "document"):
            message = self._base(event_id, now_ms)
            message["twin"] = {name: self._document(device, name) for name in names}
            self.send(topic + "document", message)

    def forget(self, key: str, names: "dict[str, Any]") -> None:
        """These changes are told already."""
        changed = self._changed.get(key, {})
        for name in names:
            changed.pop(name, None)
        if not changed:
            self._changed.pop(key, None)

    # ---- forms

    def _base(self, event_id: str, now_ms: int) -> "dict[str, Any]":
        return {"event_id": event_id, "timestamp": self.unix_ms(now_ms)}

    def _device(self, key: str, now_ms: int) -> "dict[str, Any]":
        form: dict[str, Any] = {"id": key, "name": _name(key), "description": "", "attributes": {}}
        device = self.devices.view(key)
        if device is not None:
            form["state"] = device.state or "unknown"
            if device.last_online_ms is not None:
                form["last_online"] = str(self.unix_ms(device.last_online_ms))
        return form

    def _twin(self, device: "Device", name: str) -> "dict[str, Any]":
        twin = device.twins[name]
        shown = self._seen(device.key, name, twin)
        form: dict[str, Any] = {"optional": True, "metadata": {"type": TYPES.get(twin.property.type, "string")}}
        if shown.expected is not None:
            form["expected"] = {"value": shown.expected}
            form["expected_version"] = {"cloud": twin.desired.version, "edge": shown.expected_version}
        if shown.actual is not None:
            form["actual"] = {"value": shown.actual, "metadata": {"timestamp": self.unix_ms(twin.time_ms)}}
            form["actual_version"] = {"cloud": 0, "edge": shown.actual_version}
        return form

    def _document(self, device: "Device", name: str) -> "dict[str, Any]":
        current = self._twin(device, name)
        shown = self._shown[device.key][name]
        last, shown.last = shown.last, current
        return {"last": last, "current": current}

    def _seen(self, key: str, name: str, twin: "Twin") -> Shown:
        shown = self._shown.setdefault(key, {}).setdefault(name, Shown())
        expected = twin.desired.text
        actual = None if twin.value is None else to_text(twin.value)
        if expected != shown.expected:
            shown.expected = expected
            shown.expected_version += 1
        if actual != shown.actual:
            shown.actual = actual
            shown.actual_version += 1
        return shown


_ACTIONS: "dict[str, Callable[[KubeEdge, Device, dict[str, Any], dict[str, Any], int], dict[str, Any]]]" = {
    "twin/update": KubeEdge._twin_update,
    "twin/get": KubeEdge._twin_get,
    "state/update": KubeEdge._state_update,
}


def _joined(base: "dict[str, Any]", more: "dict[str, Any]") -> "dict[str, Any]":
    joined = dict(base)
    joined.update(more)
    return joined


def _name(key: str) -> str:
    return key[key.find("/") + 1 :]


def _is_late(twin: "Twin") -> bool:
    """Something is desired that the device does not have yet."""
    desired = twin.desired
    return desired.state not in (NONE, SETTLED, IMPOSSIBLE) and (twin.value is None or desired.value != twin.value)


def _value_of(name: str, update: "dict[str, Any]", kind: str) -> "str | None":
    part = update.get(kind)
    if part is None:
        return None
    if not isinstance(part, dict) or not isinstance(part.get("value"), str):
        raise Refused(400, "%s.%s.value must be a text" % (name, kind))
    text: str = part["value"]
    _check_text("%s.%s.value" % (name, kind), text, VALUE_LENGTH_MAX)
    return text


def _check_text(what: str, text: str, length_max: int) -> None:
    if not 0 < len(text) <= length_max or not all(character in CHARACTERS for character in text):
        raise Refused(400, "%s must have 1 to %d letters, digits and - _ . , : / @ #" % (what, length_max))


def _check_version(name: str, update: "dict[str, Any]", kind: str, cloud: int, edge: int) -> None:
    """409 where the sender knows less than what counts here."""
    version = update.get(kind)
    if version is None:
        return
    if not isinstance(version, dict) or not all(isinstance(version[part], int) for part in version):
        raise Refused(400, "%s.%s must have whole numbers cloud and edge" % (name, kind))
    if version.get("cloud", cloud) < cloud or version.get("edge", edge) < edge:
        raise Refused(409, "%s.%s is older than the cloud %d, edge %d of this node" % (name, kind, cloud, edge))


def _check_expected(twin: "Twin", text: str) -> None:
    _must(refusal_of(Desired().want_locally, twin.property, text), twin.property.name + ": ")


def _check_actual(device: "Device", twin: "Twin", text: str) -> None:
    if not device.is_mapped:
        reason = "%s is read by this node itself: only devices with protocolName mapper are reported" % device.key
        raise Refused(400, reason)
    _must(refusal_of(from_text, twin.property.type, text), twin.property.name + ": ")


def _must(reason: str, lead: str = "") -> None:
    if reason:
        raise Refused(400, lead + reason)
