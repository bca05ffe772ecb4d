"""What no field of a Device or a DeviceModel tells alone: whether it fits its model, its driver, and itself."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from edgelite_hub.compiler.compile_device import STREAM, driver_name, property_rows, protocol_of, streams_of, unix_ms
from edgelite_hub.compiler.compile_environment import CannotCompile
from edgelite_hub.drivers import DriverUnusable, Fault, check_device, check_protocol, check_visitor, find_driver
from edgelite_hub.model import text_checks
from edgelite_hub.model.objects import DEVICE_MODELS, Object
from edgelite_hub.model.status import Cause, forbidden_value, invalid_value, not_found_value
from edgelite_hub.model.strategy import Operation
from edgelite_protocol import messages as m

VISITORS = "visitors.configData"


# ---- a desired value's time


def stamp_desired(operation: Operation, new: Object, old: Object | None) -> None:
    """Give each wish the time at which it was made: text and time together are what a node takes for one wish. Who
    gives a time of his own keeps it. Who gives none, or the one that is there (a patch of the value alone does), makes
    another wish where anything else of it changes, and repeats the old one where nothing does."""
    before = {one["name"]: one.get("desired") or {} for one in ((old or {}).get("spec") or {}).get("properties") or []}
    for one in new["spec"].get("properties") or []:
        desired = one.get("desired")
        if not desired or desired.get("value") in (None, ""):
            continue
        metadata = dict(desired.get("metadata") or {})
        given_time = metadata.pop("timestamp", None)
        earlier = before.get(one["name"]) or {}
        earlier_metadata = dict(earlier.get("metadata") or {})
        earlier_time = earlier_metadata.pop("timestamp", None)
        if given_time not in (None, earlier_time):
            continue
        is_same = earlier.get("value") == desired["value"] and earlier_metadata == metadata
        if is_same and earlier_time is None:
            continue  # of a hub that gave no times
        metadata["timestamp"] = earlier_time if is_same else str(operation.now_ms)
        one["desired"] = {**desired, "metadata": metadata}


# ---- a Device and its model


def check_properties(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    defined = _defined(operation, new)
    if defined is None:
        return []
    properties = enumerate(new["spec"].get("properties") or [])
    return [
        not_found_value(f"spec.properties[{index}].name", one["name"])
        for index, one in properties
        if one["name"] not in defined
    ]


def check_desired(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    defined = _defined(operation, new) or {}
    causes: list[Cause] = []
    for index, one in enumerate(new["spec"].get("properties") or []):
        path = f"spec.properties[{index}]"
        definition = defined.get(one["name"])
        desired = one.get("desired") or {}
        causes += _metadata_causes(f"{path}.desired.metadata", desired.get("metadata") or {})
        for field, value in (("desired", desired.get("value")), ("failSafe", (one.get("failSafe") or {}).get("value"))):
            problem = "" if value in (None, "") or definition is None else value_problem(str(value), definition)
            if problem:
                causes.append(invalid_value(f"{path}.{field}.value", value, problem))
    return causes


def _metadata_causes(path: str, metadata: Object) -> Iterator[Cause]:
    after = metadata.get("expiresAfterMs")
    if after is not None and not (str(after).isascii() and str(after).isdecimal() and len(str(after)) <= 15):
        yield invalid_value(f"{path}.expiresAfterMs", after, "must be milliseconds, counted from timestamp")
    expires = metadata.get("expires")
    if expires is not None and unix_ms(expires) is None:
        yield invalid_value(f"{path}.expires", expires, "must be an RFC 3339 time or Unix milliseconds")
    if after is not None and expires is not None:
        yield forbidden_value(f"{path}.expiresAfterMs", "expires says it already")
    if after is not None and "timestamp" in metadata and unix_ms(metadata["timestamp"]) is None:
        text = "must be an RFC 3339 time or Unix milliseconds where expiresAfterMs counts from it"
        yield invalid_value(f"{path}.timestamp", metadata["timestamp"], text)


def value_problem(value: str, definition: Object) -> str:
    """Why the property cannot be given this value; "" where it can."""
    if definition.get("accessMode") != "ReadWrite":
        return "the property is ReadOnly in the DeviceModel"
    kind = definition["type"]
    if kind == "BOOLEAN":
        return "" if value in ("true", "false", "0", "1") else "must be true or false"
    if kind not in ("INT", "FLOAT", "DOUBLE"):
        return ""
    problem = text_checks.whole(value) if kind == "INT" else text_checks.decimal(value)
    return problem or _bounds_problem(float(value), definition)


def _bounds_problem(number: float, definition: Object) -> str:
    minimum, maximum = definition.get("minimum"), definition.get("maximum")
    if minimum not in (None, "") and number < float(str(minimum)):
        return f"must be at least {minimum}"
    if maximum not in (None, "") and number > float(str(maximum)):
        return f"must be at most {maximum}"
    return ""


def check_reports(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    """A window takes the place of the other rules about when a value goes up."""
    defined = _defined(operation, new) or {}
    names = {one["name"] for one in new["spec"].get("properties") or []}
    causes = []
    for index, one in enumerate(new["spec"].get("properties") or []):
        aggregate = one.get("aggregate")
        if not aggregate:
            continue
        path = f"spec.properties[{index}]"
        for field in ("reportCycle", "deadband", "deadbandPercent"):
            if one.get(field) not in (None, 0):
                causes.append(forbidden_value(f"{path}.{field}", "aggregate says when it is reported"))
        kind = (defined.get(one["name"]) or {}).get("type", "INT")
        if kind not in ("INT", "FLOAT", "DOUBLE"):
            causes.append(forbidden_value(f"{path}.aggregate", f"only numbers have one, not {kind}"))
        for function in aggregate.get("functions") or []:
            if f"{one['name']}.{function}" in names:
                text = f"{one['name']}.{function} is a property of its own"
                causes.append(forbidden_value(f"{path}.aggregate.functions", text))
    return causes


def _defined(operation: Operation, value: Object) -> dict[str, Object] | None:
    """The model's properties by name; None while the model is not there, which is no error: it may come later."""
    model = _model(operation, value)
    return None if model is None else {one["name"]: one for one in model["spec"].get("properties") or []}


def _model(operation: Operation, value: Object) -> Object | None:
    name = value["spec"]["deviceModelRef"]["name"]
    return operation.transaction.get(DEVICE_MODELS, value["metadata"]["namespace"], name)


# ---- what its driver says


def check_with_driver(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    """Protocol and visitors, as the node would check them. What cannot be checked here is a warning."""
    model = _model(operation, new)
    if model is None:
        return []
    for name in streams_of(new, model):
        operation.warn(f"property {name} is a STREAM: it has no value to collect, the others go on")
    try:
        return _driver_causes(new, model)
    except DriverUnusable as error:
        operation.warn(f"spec.protocol: {error}")
    except CannotCompile:
        pass  # another check, or the controller, says what is wrong
    return []


def _driver_causes(device: Object, model: Object) -> list[Cause]:
    name = driver_name(device, model)
    if not name:
        return []
    driver = find_driver(name)
    causes = []
    visitors = []
    protocol = check_protocol(driver, copy.deepcopy(protocol_of(device, model)))
    if isinstance(protocol, Fault):
        causes.append(_cause("spec.", protocol, device))
    for index, row in property_rows(device, model):
        visitor = check_visitor(driver, copy.deepcopy(row))
        visitors.append((str(row[m.PROPERTY_NAME]), visitor))
        if isinstance(visitor, Fault):
            is_own = bool(device["spec"]["properties"][index].get("visitors"))
            text = visitor.text if is_own else f"{visitor.text} (it stands in the DeviceModel)"
            causes.append(_cause(f"spec.properties[{index}].", Fault(visitor.path, text), device))
    if not causes:
        fault = check_device(driver, protocol, visitors)
        if isinstance(fault, Fault):
            causes.append(_cause("spec.", fault, device))
    return causes


def check_model_visitors(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    """A visitor in a model serves every Device that has none of its own, so it must be whole."""
    causes = []
    for index, one in enumerate(new["spec"].get("properties") or []):
        visitors = one.get("visitors") or {}
        name = str(visitors.get("protocolName") or new["spec"].get("protocol") or "").lower()
        if not name or not visitors.get("configData") or one["type"] == STREAM:
            continue
        try:
            fault = check_visitor(find_driver(name), _row_of_model(one))
        except DriverUnusable as error:
            operation.warn(f"spec.properties[{index}].visitors: {error}")
            continue
        if isinstance(fault, Fault):
            causes.append(_cause(f"spec.properties[{index}].", fault, new))
    return causes


def _row_of_model(one: Object) -> dict[int, Any]:
    return {
        m.PROPERTY_NAME: one["name"],
        m.PROPERTY_TYPE: one["type"],
        m.PROPERTY_WRITABLE: one.get("accessMode") == "ReadWrite",
        m.PROPERTY_VISITOR: copy.deepcopy(one["visitors"]["configData"]),
    }


def _cause(prefix: str, fault: Fault, value: Object) -> Cause:
    field = prefix + fault.path
    return invalid_value(field, _value_at(value, field), fault.text)


def _value_at(value: Any, path: str) -> Any:
    """What stands at the path, None where nothing does: it is shown, so that a person finds it again."""
    for part in path.replace("]", "").replace("[", ".").split("."):
        if isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        elif isinstance(value, dict):
            value = value.get(part)
        else:
            return None
    return value
