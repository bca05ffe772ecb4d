"""A Device with its DeviceModel into the compact form that its node gets. Pure functions of both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from edgelite_hub.compiler.compile_environment import CannotCompile
from edgelite_hub.model.objects import Object, name_of, namespace_of, parse_rfc3339, uid_of
from edgelite_protocol import messages as m

Compact = dict[int, object]

COLLECT_MS_DEFAULT = 10_000  # of a property that names no cycle
PROPERTY_TYPES = ("INT", "FLOAT", "DOUBLE", "STRING", "BOOLEAN", "BYTES")
STREAM = "STREAM"  # a model may have it; it has no value, so no twin
WINDOW_FUNCTIONS = {"min": m.WINDOW_MIN, "max": m.WINDOW_MAX, "mean": m.WINDOW_MEAN, "count": m.WINDOW_COUNT, "last": 0}

# What a node of protocol 1.0 would skip without a word, and the field that asks for it.
_LATER_KEYS = {
    m.PROPERTY_DEADBAND_PERCENT: "deadbandPercent",
    m.PROPERTY_WINDOW_MS: "aggregate",
    m.PROPERTY_DESIRED_EXPIRES: "desired.metadata, expiry",
    m.PROPERTY_FAIL_SAFE: "failSafe",
}


def device_key(device: Object) -> str:
    return f"{namespace_of(device)}/{name_of(device)}"


def compile_device(device: Object, find_model: Callable[[str], Object | None]) -> Compact:
    """CannotCompile says why it cannot go to its node."""
    spec = device["spec"]
    model_name = str((spec.get("deviceModelRef") or {}).get("name") or "")
    model = find_model(model_name)
    if model is None:
        raise CannotCompile("DeviceModelNotFound", f"no DeviceModel {model_name} in namespace {namespace_of(device)}")
    driver = driver_name(device, model)
    if not driver:
        raise CannotCompile("ProtocolMissing", "spec.protocol.protocolName names no driver")
    compact: Compact = {
        m.DEVICE_UID: uid_of(device),
        m.DEVICE_NAMESPACE: namespace_of(device),
        m.DEVICE_NAME: name_of(device),
        m.DEVICE_DRIVER: driver,
        m.DEVICE_PROTOCOL: protocol_of(device, model),
        m.DEVICE_PROPERTIES: [row for _, row in property_rows(device, model)],
        m.DEVICE_GENERATION: int(device["metadata"].get("generation") or 1),
    }
    state_report = spec.get("stateReport") or {}
    if state_report.get("reportToCloud") is False:
        compact[m.DEVICE_STATE_TO_CLOUD] = False
    if state_report.get("reportCycle"):
        compact[m.DEVICE_STATE_MS] = int(state_report["reportCycle"])
    return compact


def driver_name(device: Object, model: Object) -> str:
    protocol = device["spec"].get("protocol") or {}
    return str(protocol.get("protocolName") or model["spec"].get("protocol") or "").lower()


def protocol_of(device: Object, model: Object) -> Object:
    """What all devices of the model share, and what this one says."""
    own = (device["spec"].get("protocol") or {}).get("configData")
    return {**(model["spec"].get("protocolConfigData") or {}), **(own or {})}


def driver_of(device: Object, compact: Compact) -> tuple[str, str]:
    """The driver of a compiled device, and the field that named it."""
    named_here = (device["spec"].get("protocol") or {}).get("protocolName")
    field = "spec.protocol.protocolName" if named_here else "spec.protocol of its DeviceModel"
    return str(compact[m.DEVICE_DRIVER]), field


def property_rows(device: Object, model: Object) -> Iterator[tuple[int, Compact]]:
    """(index in the Device, compact form) of each property that is collected: a STREAM is not."""
    defined = {str(one["name"]): one for one in model["spec"].get("properties") or []}
    for index, instance in enumerate(device["spec"].get("properties") or []):
        definition = defined.get(str(instance["name"]))
        if definition is None:
            raise CannotCompile("PropertyUnknown", f"property {instance['name']} is not in the DeviceModel")
        if str(definition.get("type") or "").upper() != STREAM:
            yield index, _property(device, instance, definition)


def streams_of(device: Object, model: Object | None) -> list[str]:
    """Properties of the Device that nobody collects."""
    properties = ((model or {}).get("spec") or {}).get("properties") or []
    streams = {one["name"] for one in properties if str(one.get("type") or "").upper() == STREAM}
    return [str(one["name"]) for one in device["spec"].get("properties") or [] if one["name"] in streams]


def later_fields(compact: Compact) -> list[str]:
    """What the compiled device asks for that a node of protocol 1.0 does not know."""
    rows: list[Compact] = compact[m.DEVICE_PROPERTIES]  # type: ignore[assignment]
    return [
        f"property {row[m.PROPERTY_NAME]}: {field}" for row in rows for key, field in _LATER_KEYS.items() if key in row
    ]


def visitor_of(instance: Object, definition: Object) -> Object:
    visitors = instance.get("visitors") or definition.get("visitors") or {}
    return dict(visitors.get("configData") or {})


def _property(device: Object, instance: Object, definition: Object) -> Compact:
    name = str(instance["name"])
    kind = str(definition.get("type") or "").upper()
    if kind not in PROPERTY_TYPES:
        raise CannotCompile("PropertyTypeUnsupported", f"property {name}: type {kind or 'missing'} cannot be read")
    report_to_cloud = instance.get("reportToCloud")
    compact: Compact = {
        m.PROPERTY_NAME: name,
        m.PROPERTY_TYPE: kind,
        m.PROPERTY_WRITABLE: definition.get("accessMode") == "ReadWrite",
        m.PROPERTY_VISITOR: visitor_of(instance, definition),
        m.PROPERTY_COLLECT_MS: int(instance.get("collectCycle") or COLLECT_MS_DEFAULT),
        m.PROPERTY_REPORT_MS: int(instance.get("reportCycle") or 0),
        # A property goes up unless it is told not to: nobody joins a node to keep its readings there.
        m.PROPERTY_REPORT_TO_CLOUD: report_to_cloud is None or bool(report_to_cloud),
    }
    _add_desired(compact, device, instance, kind)
    _add_bounds(compact, definition)
    _add_report_rules(compact, instance)
    return compact


def _node_text(kind: str, value: object) -> str:
    """A value as a node takes it; what people write besides means the same."""
    text = str(value)
    if kind == "BOOLEAN":
        return {"1": "true", "0": "false"}.get(text, text)
    return text.removeprefix("+") if kind == "INT" else text


def _add_desired(compact: Compact, device: Object, instance: Object, kind: str) -> None:
    desired = instance.get("desired") or {}
    fail_safe = instance.get("failSafe")
    if fail_safe:
        compact[m.PROPERTY_FAIL_SAFE] = _node_text(kind, fail_safe["value"])
        compact[m.PROPERTY_FAIL_SAFE_MS] = int(fail_safe["afterMs"])
    value = desired.get("value")
    if value is None or value == "":
        return
    compact[m.PROPERTY_DESIRED] = _node_text(kind, value)
    # The Device's generation grows with each change of its spec, and so with each change of a desired value.
    compact[m.PROPERTY_DESIRED_VERSION] = int(device["metadata"].get("generation") or 1)
    metadata = desired.get("metadata") or {}
    time_ms = unix_ms(metadata.get("timestamp"))
    if time_ms is not None:
        compact[m.PROPERTY_DESIRED_TIME] = time_ms
    expires_ms = unix_ms(metadata.get("expires"))
    after = str(metadata.get("expiresAfterMs", ""))
    if expires_ms is None and time_ms is not None and after.isascii() and after.isdecimal():
        expires_ms = time_ms + int(after)
    if expires_ms is not None:
        compact[m.PROPERTY_DESIRED_EXPIRES] = expires_ms


def unix_ms(value: object) -> int | None:
    """A time in metadata: Unix milliseconds or RFC 3339; None where it is neither."""
    text = str(value) if value is not None else ""
    if text.isascii() and text.isdecimal():
        return int(text) if len(text) <= 15 else None
    try:
        return parse_rfc3339(text)
    except ValueError:
        return None


def _add_bounds(compact: Compact, definition: Object) -> None:
    for key, name in ((m.PROPERTY_MINIMUM, "minimum"), (m.PROPERTY_MAXIMUM, "maximum"), (m.PROPERTY_UNIT, "unit")):
        if definition.get(name) not in (None, ""):
            compact[key] = str(definition[name])


def _add_report_rules(compact: Compact, instance: Object) -> None:
    for key, name in ((m.PROPERTY_DEADBAND, "deadband"), (m.PROPERTY_DEADBAND_PERCENT, "deadbandPercent")):
        if instance.get(name) is not None:
            compact[key] = _number(instance, name)
    aggregate = instance.get("aggregate")
    if aggregate:
        compact[m.PROPERTY_WINDOW_MS] = int(aggregate["windowMs"])
        functions = sum(WINDOW_FUNCTIONS[one] for one in set(aggregate.get("functions") or []))
        if functions:
            compact[m.PROPERTY_WINDOW_FUNCTIONS] = functions


def _number(instance: Object, name: str) -> float:
    value = instance[name]
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise CannotCompile("DeadbandInvalid", f"property {instance['name']}: {name} {value!r}")
    return number
