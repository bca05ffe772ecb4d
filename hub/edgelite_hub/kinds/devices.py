"""Device and DeviceModel as in KubeEdge's devices.kubeedge.io/v1beta1, so that its users can bring theirs.

One field is ours: `deadband` of a Device's property. Where KubeEdge names a way of pushing data that the hub does not
have (pushMethod), it is refused by name.
"""

from __future__ import annotations

from edgelite_hub.kinds.common import AGE, NAME, age_of, object_schema
from edgelite_hub.kinds.statuses import DEVICE_STATUS
from edgelite_hub.model import text_checks
from edgelite_hub.model.objects import COMPILED, DEVICE_MODELS, Object, get_condition
from edgelite_hub.model.registry import Column, Kind
from edgelite_hub.model.schema import Boolean, Integer, IntegerOrText, Mapping, Open, Refused, Sequence, Struct, Text
from edgelite_hub.model.status import Cause, invalid_value, not_found_value
from edgelite_hub.model.strategy import Operation, Strategy

GROUP = "devices.kubeedge.io"
VERSION = "v1beta1"
PROPERTY_TYPES = ("INT", "FLOAT", "DOUBLE", "STRING", "BOOLEAN", "BYTES")
CYCLE_MS_MAX = 366 * 86_400_000

_VISITORS = Struct(fields={"protocolName": Text(), "configData": Open()})

_MODEL_PROPERTY = Struct(
    fields={
        "name": Text(required=True, empty=False),
        "description": Text(),
        "type": Text(required=True, enum=PROPERTY_TYPES),
        "accessMode": Text(default="ReadOnly", enum=("ReadWrite", "ReadOnly")),
        "minimum": IntegerOrText(check=text_checks.decimal),
        "maximum": IntegerOrText(check=text_checks.decimal),
        "unit": Text(),
        "visitors": _VISITORS,
    }
)

_MODEL_SPEC = Struct(
    required=True,
    fields={
        "protocol": Text(),
        "protocolConfigData": Open(),
        "properties": Sequence(item=_MODEL_PROPERTY, merge_key="name"),
    },
)

_TWIN_VALUE = Struct(
    fields={"value": IntegerOrText(), "metadata": Mapping(value=IntegerOrText())},
    description="All twin values are text.",
)

_CYCLE = Integer(minimum=0, maximum=CYCLE_MS_MAX, description="Milliseconds.")

_PROPERTY = Struct(
    fields={
        "name": Text(required=True, empty=False),
        "desired": _TWIN_VALUE,
        "visitors": _VISITORS,
        "collectCycle": _CYCLE,
        "reportCycle": _CYCLE,
        "reportToCloud": Boolean(),
        "deadband": IntegerOrText(check=text_checks.decimal, description="Absolute: smaller changes are not reported."),
        "pushMethod": Refused(reason="the hub does not push telemetry anywhere yet"),
        "anomalyDetection": Refused(),
    }
)

_METHOD = Struct(
    fields={
        "name": Text(required=True, empty=False),
        "description": Text(),
        "propertyNames": Sequence(item=Text()),
    }
)

_SPEC = Struct(
    required=True,
    fields={
        "deviceModelRef": Struct(
            required=True, fields={"name": Text(required=True, empty=False, check=text_checks.subdomain)}
        ),
        "nodeName": Text(check=text_checks.subdomain),
        "protocol": Struct(
            required=True, fields={"protocolName": Text(required=True, empty=False), "configData": Open()}
        ),
        "stateReport": Struct(fields={"reportToCloud": Boolean(), "reportCycle": _CYCLE}),
        "methods": Sequence(item=_METHOD, merge_key="name"),
        "properties": Sequence(item=_PROPERTY, merge_key="name"),
    },
)


def device_model() -> Kind:
    return Kind(
        group=GROUP,
        version=VERSION,
        kind="DeviceModel",
        plural="devicemodels",
        singular="devicemodel",
        schema=object_schema(spec=_MODEL_SPEC),
        columns=(
            NAME,
            Column("Protocol", lambda value, _: value["spec"].get("protocol", "")),
            Column("Properties", _property_count, type="integer"),
            AGE,
        ),
    )


def device() -> Kind:
    return Kind(
        group=GROUP,
        version=VERSION,
        kind="Device",
        plural="devices",
        singular="device",
        status=True,
        schema=object_schema(spec=_SPEC, status=DEVICE_STATUS),
        columns=(
            NAME,
            Column("Model", lambda value, _: value["spec"]["deviceModelRef"]["name"]),
            Column("Node", lambda value, _: value["spec"].get("nodeName") or "<none>"),
            Column("State", _state, description="What its node last said of it, or why its node does not know it."),
            Column("Twins", _good_twins, description="Properties that were read, of all."),
            Column("Last Online", _last_online, description="When the device last answered."),
            AGE,
            Column("Reason", _reason, priority=1),
        ),
        strategy=Strategy(validate=[_check_properties, _check_desired]),
    )


# ---- cells
def _state(value: Object, now_ms: int) -> str:
    status = value.get("status") or {}
    compiled = get_condition(status, COMPILED)
    return str(compiled["reason"] if compiled else status.get("state") or "unknown")


def _good_twins(value: Object, now_ms: int) -> str:
    names = {one["name"] for one in value["spec"].get("properties") or []}
    good = 0
    for twin in (value.get("status") or {}).get("twins") or []:
        metadata = (twin.get("reported") or {}).get("metadata") or {}
        good += twin["propertyName"] in names and metadata.get("quality") == "good"
    return f"{good}/{len(names)}"


def _last_online(value: Object, now_ms: int) -> str:
    time = (value.get("status") or {}).get("lastOnlineTime")
    return age_of(time, now_ms) + " ago" if time else "<never>"


def _reason(value: Object, now_ms: int) -> str:
    """Of the state: which registers are wrong, which port does not answer."""
    status = value.get("status") or {}
    condition = get_condition(status, COMPILED) or get_condition(status, "Online") or {}
    return str(condition.get("message") or "")


def _property_count(value: Object, now_ms: int) -> int:
    return len(value["spec"].get("properties") or [])


def _defined(operation: Operation, value: Object) -> dict[str, Object] | None:
    """The model's properties by name; None while the model is not there, which is no error: it may come later."""
    name = value["spec"]["deviceModelRef"]["name"]
    model = operation.transaction.get(DEVICE_MODELS, value["metadata"]["namespace"], name)
    if model is None:
        return None
    return {one["name"]: one for one in model["spec"].get("properties") or []}


def _check_properties(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    defined = _defined(operation, new)
    if defined is None:
        return []
    properties = enumerate(new["spec"].get("properties") or [])
    return [
        not_found_value(f"spec.properties[{index}].name", one["name"])
        for index, one in properties
        if one["name"] not in defined
    ]


def _check_desired(operation: Operation, new: Object, old: Object | None) -> list[Cause]:
    defined = _defined(operation, new) or {}
    causes = []
    for index, one in enumerate(new["spec"].get("properties") or []):
        value = (one.get("desired") or {}).get("value")
        definition = defined.get(one["name"])
        if value in (None, "") or definition is None:
            continue
        problem = _desired_problem(str(value), definition)
        if problem:
            causes.append(invalid_value(f"spec.properties[{index}].desired.value", value, problem))
    return causes


def _desired_problem(value: str, definition: Object) -> str:
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
