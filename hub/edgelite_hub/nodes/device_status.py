"""A Device's status: KubeEdge's twins, state and lastOnlineTime, from what its node reports."""

from __future__ import annotations

from typing import Any

from edgelite_hub.compiler.compile_device import WINDOW_FUNCTIONS
from edgelite_hub.model.objects import Object, rfc3339, set_condition
from edgelite_protocol import messages as m
from edgelite_protocol.values import to_text

GOOD = "good"
ONLINE = "Online"  # a condition of our own beside `state`: it has room for a reason

Value = int | float | str | bool | bytes


def note_values(device: Object, values: dict[str, Value], time_ms: int) -> None:
    """Telemetry: the newest value of each property becomes its reported one, as text: all twin values are strings in
    KubeEdge's API. A backlog that arrives after an outage may be older than what is there, and then changes nothing.
    What is told of a window beside its last value ("power.min") is a sample and no twin."""
    status = device["status"]
    windowed = {one["name"] for one in device["spec"].get("properties") or [] if one.get("aggregate")}
    for name, value in values.items():
        base, _, function = name.rpartition(".")
        if not (base in windowed and function in WINDOW_FUNCTIONS):
            _report(_twin(status, name), to_text(value), time_ms, {"quality": GOOD})
    _note_online(status, time_ms)


def note_twin(status: Object, body: dict[int, Any], time_ms: int) -> None:
    """REPORT_TWIN: quality, error, and the desired value that the node has observed. An error beside a good quality
    says why the desired value is not applied: it stays with that value, whatever is read meanwhile."""
    twin = _twin(status, body[m.TWIN_PROPERTY])
    error: Object = {"error": body[m.TWIN_ERROR]} if body.get(m.TWIN_ERROR) else {}
    about: Object = {"quality": body[m.TWIN_QUALITY], "version": str(body[m.TWIN_VERSION])}
    is_of_desired = body[m.TWIN_QUALITY] == GOOD and m.TWIN_DESIRED in body
    _report(twin, body.get(m.TWIN_REPORTED), time_ms, about if is_of_desired else {**about, **error})
    if m.TWIN_DESIRED in body:
        metadata: Object = {"timestamp": str(time_ms), "version": str(body.get(m.TWIN_DESIRED_VERSION, 0))}
        if m.TWIN_DESIRED_ORIGIN in body:
            metadata["origin"] = body[m.TWIN_DESIRED_ORIGIN]
        twin["observedDesired"] = {
            "value": body[m.TWIN_DESIRED],
            "metadata": {**metadata, **error} if is_of_desired else metadata,
        }


def note_state(status: Object, body: dict[int, Any], time_ms: int, now_ms: int) -> None:
    """REPORT_DEVICE."""
    state, reason = body[m.DEVICE_STATE], body.get(m.DEVICE_STATE_REASON) or ""
    status["state"] = state
    is_online = state == "online"
    set_condition(status, ONLINE, "True" if is_online else "False", state.capitalize(), reason, now_ms)
    if is_online:
        _note_online(status, time_ms)


def _report(twin: Object, value: str | None, time_ms: int, about: Object) -> None:
    before = twin.get("reported") or {}
    metadata = before.get("metadata") or {}
    if int(metadata.get("timestamp", 0)) > time_ms:
        return
    kept = before.get("value", "") if value is None else value
    about = {**({"version": metadata["version"]} if "version" in metadata else {}), **about}
    twin["reported"] = {"value": kept, "metadata": {"timestamp": str(time_ms), **about}}


def _twin(status: Object, name: str) -> Object:
    twins = status.setdefault("twins", [])
    for twin in twins:
        if twin["propertyName"] == name:
            return twin  # type: ignore[no-any-return]
    twins.append({"propertyName": name})
    return twins[-1]  # type: ignore[no-any-return]


def _note_online(status: Object, time_ms: int) -> None:
    moment = rfc3339(time_ms)
    if moment > status.get("lastOnlineTime", ""):
        status["lastOnlineTime"] = moment
