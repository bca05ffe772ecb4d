"""The node's devices for local programs and for `edgelite device` on the node, without a hub (docs/bus.md).

    edgelite/devices/list  {"id", "after"}                        -> .../list/result {"id", "devices", "more"}
    edgelite/devices/get   {"id", "device", "after"}              -> .../get/result {"id", "properties", "more", ...}
    edgelite/devices/set   {"id", "device", "property", "value"}  -> .../set/result {"id"}
    edgelite/devices/changed/NAMESPACE/NAME/PROPERTY              what changed: {"device", "property", "value", ...}
    edgelite/devices/changed/NAMESPACE/NAME                       the device itself: {"device", "state", "reason"}

A request that cannot be done has `error` in its result. What is too much for one answer comes in pages: `more` is where
the next one begins, to be asked for by `after`.
"""

from edgelite.bus.serving import Refused, Serving, refusal_of, request_of, text_of
from edgelite_protocol.values import to_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.bus.bus import Message, MessageBus
    from edgelite.context import Context
    from edgelite.devices import Devices
    from edgelite.devices.device import Device
    from edgelite.devices.twin import Twin

TOPIC = "edgelite/devices/"
CHANGED = TOPIC + "changed/"
ID_LENGTH_MAX = 64
NAME_LENGTH_MAX = 512
VALUE_LENGTH_MAX = 4096
DEVICES_PER_PAGE = 40
PROPERTIES_PER_PAGE = 20  # 3 ms on a PC under MicroPython
PAGE_LENGTH_MAX = 3 * 1024  # of their texts: an answer has 16 KiB, and JSON and UTF-8 may make more of each


class Requests(Serving):
    def __init__(self, bus: "MessageBus", devices: "Devices", context: "Context") -> None:
        super().__init__(bus, devices, context)
        for action in _ACTIONS:
            self.listen(TOPIC + action)
        bus.reserve("edgelite/#", "the agent alone publishes there: docs/bus.md has the topics")
        devices.add_watcher(self)

    def answer(self, message: "Message", now_ms: int) -> None:
        result: dict[str, Any] = {}
        try:
            request = request_of(message.payload)
            result["id"] = text_of(request, "id", ID_LENGTH_MAX)
            result.update(_ACTIONS[message.topic[len(TOPIC) :]](self, request, now_ms))
        except Refused as error:
            result["error"] = error.reason
        if not self.send(message.topic + "/result", result):
            self.send(message.topic + "/result", {"id": result["id"], "error": "the answer is too long"})

    def tell(self, key: str, names: "list[str]", now_ms: int) -> None:
        device = self.devices.view(key)
        if (not names or "" in names or device is None) and self.bus.is_wanted(CHANGED + key):
            self.send(CHANGED + key, self._summary(key, device, now_ms))
        for name in names:
            topic = CHANGED + key + "/" + name
            if device is not None and name in device.twins and self.bus.is_wanted(topic):
                form = self._property(device.twins[name])
                form["device"] = key
                form["property"] = name
                self.send(topic, form)

    # ---- requests

    def _list(self, request: "dict[str, Any]", now_ms: int) -> "dict[str, Any]":
        keys = _behind(self.devices.keys(), request)
        page = keys[:DEVICES_PER_PAGE]
        form: dict[str, Any] = {"devices": [self._summary(key, self.devices.view(key), now_ms) for key in page]}
        if len(keys) > len(page):
            form["more"] = page[-1]
        return form

    def _get(self, request: "dict[str, Any]", now_ms: int) -> "dict[str, Any]":
        key = text_of(request, "device", NAME_LENGTH_MAX)
        device = self.devices.view(key)
        if device is None:
            raise Refused(404, "there is no device %s on this node" % key)
        form = self._summary(key, device, now_ms)
        form["properties"] = {}
        length = 0
        for name in _behind(sorted(device.twins), request):
            one = self._property(device.twins[name])
            length += sum([len(text) for text in one.values() if isinstance(text, str)])
            found = form["properties"]
            if found and (len(found) == PROPERTIES_PER_PAGE or length > PAGE_LENGTH_MAX):
                form["more"] = sorted(found)[-1]
                break
            found[name] = one
        return form

    def _set(self, request: "dict[str, Any]", now_ms: int) -> "dict[str, Any]":
        key = text_of(request, "device", NAME_LENGTH_MAX)
        name = text_of(request, "property", NAME_LENGTH_MAX)
        value = text_of(request, "value", VALUE_LENGTH_MAX)
        reason = refusal_of(self.devices.want_locally, key, name, value, now_ms)
        if reason:
            raise Refused(400, reason)
        return {}

    # ---- forms

    def _summary(self, key: str, device: "Device | None", now_ms: int) -> "dict[str, Any]":
        if device is None:
            return {"device": key, "state": "removed", "reason": ""}
        form: dict[str, Any] = {"device": key, "state": device.state or "unknown", "reason": device.reason}
        if device.last_online_ms is not None:
            form["age_ms"] = now_ms - device.last_online_ms
        return form

    def _property(self, twin: "Twin") -> "dict[str, Any]":
        form: dict[str, Any] = {
            "type": twin.property.type,
            "writable": bool(twin.property.writable),
            "value": None if twin.value is None else to_text(twin.value),
            "quality": twin.quality,
            "error": twin.error,
            "time_ms": self.unix_ms(twin.time_ms) if twin.quality else 0,
        }
        if twin.desired.text is not None:
            form["desired"] = twin.desired.text
            form["desired_state"] = twin.desired.state
            form["desired_error"] = twin.desired.error
        return form


def _behind(names: "list[str]", request: "dict[str, Any]") -> "list[str]":
    """The sorted names of this page and the next ones."""
    if "after" not in request:
        return names
    after = text_of(request, "after", NAME_LENGTH_MAX)
    return [name for name in names if name > after]


_ACTIONS: "dict[str, Callable[[Requests, dict[str, Any], int], dict[str, Any]]]" = {
    "list": Requests._list,
    "get": Requests._get,
    "set": Requests._set,
}
