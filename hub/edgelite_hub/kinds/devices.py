"""Device and DeviceModel as in KubeEdge's devices.kubeedge.io/v1beta1, so that its users can bring theirs.

Fields of a Device's property that are ours: `deadband`, `deadbandPercent`, `aggregate`, `failSafe`, and of the metadata
of a desired value `expires` and `expiresAfterMs`. Where KubeEdge names a way of pushing data that the hub does not have
(pushMethod), it is refused by name.
"""

from __future__ import annotations

from edgelite_hub.compiler.compile_device import PROPERTY_TYPES, STREAM, WINDOW_FUNCTIONS
from edgelite_hub.kinds import device_checks as checks
from edgelite_hub.kinds.common import AGE, NAME, age_of, object_schema
from edgelite_hub.kinds.statuses import DEVICE_STATUS
from edgelite_hub.model import text_checks
from edgelite_hub.model.objects import COMPILED, Object, get_condition
from edgelite_hub.model.registry import Column, Kind
from edgelite_hub.model.schema import Boolean, Integer, IntegerOrText, Mapping, Open, Refused, Sequence, Struct, Text
from edgelite_hub.model.strategy import Strategy

GROUP = "devices.kubeedge.io"
VERSION = "v1beta1"
CYCLE_MS_MAX = 31 * 86_400_000  # a node's bound
WINDOW_MS_MIN = 100  # a node's bound too
FAIL_SAFE_MS_MIN = 1_000

_VISITORS = Struct(fields={"protocolName": Text(), "configData": Open()})

_MODEL_PROPERTY = Struct(
    fields={
        "name": Text(required=True, empty=False),
        "description": Text(),
        "type": Text(required=True, enum=(*PROPERTY_TYPES, STREAM)),
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
        "deadband": IntegerOrText(
            check=text_checks.not_negative, description="Absolute: smaller changes are not reported."
        ),
        "deadbandPercent": IntegerOrText(
            check=text_checks.not_negative, description="Of the value last reported: smaller changes are not reported."
        ),
        "aggregate": Struct(
            description="One report for each window, in place of reportCycle and deadband.",
            fields={
                "windowMs": Integer(required=True, minimum=WINDOW_MS_MIN, maximum=CYCLE_MS_MAX),
                "functions": Sequence(item=Text(enum=tuple(WINDOW_FUNCTIONS))),
            },
        ),
        "failSafe": Struct(
            description="What the node desires by itself when it has had no hub for so long.",
            fields={
                "value": IntegerOrText(required=True),
                "afterMs": Integer(required=True, minimum=FAIL_SAFE_MS_MIN, maximum=CYCLE_MS_MAX),
            },
        ),
        "pushMethod": Refused(reason="the hub does not push telemetry anywhere yet"),
        "anomalyDetection": Refused(),
    }
)

# Kept and shown; nothing calls them: KubeEdge's mappers serve them as paths of an HTTP server of their own.
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
        strategy=Strategy(validate=[checks.check_model_visitors]),
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
        strategy=Strategy(
            prepare=[checks.stamp_desired],
            validate=[
                checks.check_properties,
                checks.check_desired,
                checks.check_reports,
                checks.check_with_driver,
            ],
        ),
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
