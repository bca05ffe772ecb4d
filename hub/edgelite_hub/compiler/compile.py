"""API objects into the compact forms that nodes get: Pod to workload, Device with its DeviceModel to device.

Pure functions of objects: `lookup` finds the others that an object names. CannotCompile says why one cannot go to
its node; the controllers put that where a person sees it.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from edgelite_hub.compiler.artifact_names import HOST_IMAGE, parse_image, resolve
from edgelite_hub.compiler.compile_environment import CannotCompile, Lookup, environment_of, expand, files_of
from edgelite_hub.model.objects import ARTIFACTS, Object, is_terminating, name_of, namespace_of, uid_of
from edgelite_protocol import messages as m

Compact = dict[int, object]

GRACE_SECONDS_DEFAULT = 30  # Kubernetes'
RUNTIMES = ("process", "container", "task")
COLLECT_MS_DEFAULT = 10_000  # of a property that names no cycle
PROPERTY_TYPES = ("INT", "FLOAT", "DOUBLE", "STRING", "BOOLEAN", "BYTES")

_QUANTITY_SUFFIXES = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P"), 1)},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), 1)},
}


def workload_key(pod: Object) -> str:
    return f"{namespace_of(pod)}/{name_of(pod)}/{uid_of(pod)}"


def device_key(device: Object) -> str:
    return f"{namespace_of(device)}/{name_of(device)}"


def runtime_of(pod: Object) -> str:
    return str(pod["spec"].get("runtimeClassName") or "process")


def compile_workload(pod: Object, lookup: Lookup) -> Compact:
    spec = pod["spec"]
    runtime = runtime_of(pod)
    if runtime not in RUNTIMES:
        raise CannotCompile("RuntimeUnknown", f"spec.runtimeClassName {runtime}: use one of {', '.join(RUNTIMES)}")
    grace_seconds = spec.get("terminationGracePeriodSeconds")
    workload: Compact = {
        m.WORKLOAD_UID: uid_of(pod),
        m.WORKLOAD_NAMESPACE: namespace_of(pod),
        m.WORKLOAD_NAME: name_of(pod),
        m.WORKLOAD_RUNTIME: runtime,
        m.WORKLOAD_RESTART_POLICY: spec.get("restartPolicy") or "Always",
        m.WORKLOAD_GRACE_MS: (GRACE_SECONDS_DEFAULT if grace_seconds is None else int(grace_seconds)) * 1000,
        m.WORKLOAD_CONTAINERS: [_container(pod, container, lookup) for container in spec["containers"]],
        m.WORKLOAD_GENERATION: int(pod["metadata"].get("generation") or 1),
    }
    if is_terminating(pod):
        return terminating(workload, pod)
    return workload


def terminating(workload: Compact, pod: Object) -> Compact:
    """The same workload, to be stopped: within the grace that the deletion named, if it named one."""
    grace_seconds = pod["metadata"].get("deletionGracePeriodSeconds")
    stopped = {**workload, m.WORKLOAD_TERMINATING: True}
    if grace_seconds is not None:
        stopped[m.WORKLOAD_GRACE_MS] = max(0, int(grace_seconds)) * 1000
    return stopped


def _container(pod: Object, container: Object, lookup: Lookup) -> Compact:
    environment = environment_of(pod, container, lookup)
    compact: Compact = {
        m.CONTAINER_NAME: str(container["name"]),
        m.CONTAINER_IMAGE: str(container.get("image") or HOST_IMAGE),
        m.CONTAINER_COMMAND: _command(container, environment),
        m.CONTAINER_ENVIRONMENT: environment,
    }
    if compact[m.CONTAINER_IMAGE] != HOST_IMAGE:
        _add_artifact(compact, lookup)
    if container.get("workingDir"):
        compact[m.CONTAINER_WORKING_DIRECTORY] = str(container["workingDir"])
    files = files_of(pod, container, lookup)
    if files:
        compact[m.CONTAINER_FILES] = files
    resources = _resources(container)
    if resources:
        compact[m.CONTAINER_RESOURCES] = resources
    return compact


def _command(container: Object, environment: dict[str, str]) -> list[str]:
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    if not words:
        raise CannotCompile("CommandMissing", f"container {container['name']}: an artifact has no entry point, so "
                                              "command or args must name what to run")  # fmt: skip
    return [expand(str(word), environment) for word in words]


def _add_artifact(compact: Compact, lookup: Lookup) -> None:
    image = str(compact[m.CONTAINER_IMAGE])
    reference = parse_image(image)
    if reference is None:
        raise CannotCompile("InvalidImageName", f"image {image}: use name:tag, name@sha256:<hex> or host")
    artifact = lookup(ARTIFACTS, reference.name)
    resolved = resolve(artifact, reference) if artifact is not None else None
    if resolved is None:
        raise CannotCompile(
            "ArtifactNotFound", f"no artifact {image} has been pushed: edgelite push {reference.name} FILE"
        )
    compact[m.CONTAINER_DIGEST] = resolved.digest
    compact[m.CONTAINER_SIZE_BYTES] = resolved.size_bytes


def _resources(container: Object) -> dict[str, int]:
    limits = (container.get("resources") or {}).get("limits") or {}
    found: dict[str, int] = {}
    if "memory" in limits:
        found["memory_bytes"] = int(_quantity(limits["memory"]))
    if "cpu" in limits:
        found["cpu_milli"] = int(_quantity(limits["cpu"]) * 1000)
    return found


def _quantity(value: object) -> Decimal:
    """Kubernetes' quantity: a decimal number with an SI or binary suffix."""
    text = str(value)
    digits = text.rstrip("kMGTPimE")
    try:
        return Decimal(digits) * _QUANTITY_SUFFIXES[text[len(digits) :]]
    except (InvalidOperation, KeyError) as error:
        raise CannotCompile("InvalidQuantity", f"{text} is no quantity such as 64Mi or 500m") from error


# ---- devices


def compile_device(device: Object, find_model: Callable[[str], Object | None]) -> Compact:
    spec = device["spec"]
    model_name = str((spec.get("deviceModelRef") or {}).get("name") or "")
    model = find_model(model_name)
    if model is None:
        raise CannotCompile("DeviceModelNotFound", f"no DeviceModel {model_name} in namespace {namespace_of(device)}")
    protocol = spec.get("protocol") or {}
    driver = str(protocol.get("protocolName") or model["spec"].get("protocol") or "")
    if not driver:
        raise CannotCompile("ProtocolMissing", "spec.protocol.protocolName names no driver")
    defined = {str(one["name"]): one for one in model["spec"].get("properties") or []}
    return {
        m.DEVICE_UID: uid_of(device),
        m.DEVICE_NAMESPACE: namespace_of(device),
        m.DEVICE_NAME: name_of(device),
        m.DEVICE_DRIVER: driver.lower(),
        m.DEVICE_PROTOCOL: {**(model["spec"].get("protocolConfigData") or {}), **(protocol.get("configData") or {})},
        m.DEVICE_PROPERTIES: [_property(device, one, defined) for one in spec.get("properties") or []],
        m.DEVICE_GENERATION: int(device["metadata"].get("generation") or 1),
    }


def driver_of(device: Object, compact: Compact) -> tuple[str, str]:
    """The driver of a compiled device, and the field that named it."""
    named_here = (device["spec"].get("protocol") or {}).get("protocolName")
    field = "spec.protocol.protocolName" if named_here else "spec.protocol of its DeviceModel"
    return str(compact[m.DEVICE_DRIVER]), field


def _property(device: Object, instance: Object, defined: dict[str, Object]) -> Compact:
    name = str(instance["name"])
    definition = defined.get(name)
    if definition is None:
        raise CannotCompile("PropertyUnknown", f"property {name} is not in the DeviceModel")
    kind = str(definition.get("type") or "").upper()
    if kind not in PROPERTY_TYPES:
        raise CannotCompile("PropertyTypeUnsupported", f"property {name}: type {kind or 'missing'} cannot be read")
    state_report = device["spec"].get("stateReport") or {}
    compact: Compact = {
        m.PROPERTY_NAME: name,
        m.PROPERTY_TYPE: kind,
        m.PROPERTY_WRITABLE: definition.get("accessMode") == "ReadWrite",
        m.PROPERTY_VISITOR: _visitor(instance, definition),
        m.PROPERTY_COLLECT_MS: int(instance.get("collectCycle") or COLLECT_MS_DEFAULT),
        m.PROPERTY_REPORT_MS: int(instance.get("reportCycle") or state_report.get("reportCycle") or 0),
        m.PROPERTY_REPORT_TO_CLOUD: _first_given(instance.get("reportToCloud"), state_report.get("reportToCloud")),
    }
    _add_desired(compact, device, instance)
    _add_bounds(compact, instance, definition)
    return compact


def _visitor(instance: Object, definition: Object) -> Object:
    visitors = instance.get("visitors") or definition.get("visitors") or {}
    return dict(visitors.get("configData") or {})


def _add_desired(compact: Compact, device: Object, instance: Object) -> None:
    value = (instance.get("desired") or {}).get("value")
    if value is None or value == "":
        return
    compact[m.PROPERTY_DESIRED] = str(value)
    # The Device's generation grows with each change of its spec, and so with each change of a desired value.
    compact[m.PROPERTY_DESIRED_VERSION] = int(device["metadata"].get("generation") or 1)


def _add_bounds(compact: Compact, instance: Object, definition: Object) -> None:
    for key, name in ((m.PROPERTY_MINIMUM, "minimum"), (m.PROPERTY_MAXIMUM, "maximum"), (m.PROPERTY_UNIT, "unit")):
        if definition.get(name) not in (None, ""):
            compact[key] = str(definition[name])
    deadband = instance.get("deadband")
    if deadband is None:
        return
    try:
        compact[m.PROPERTY_DEADBAND] = float(deadband)
    except (TypeError, ValueError) as error:
        raise CannotCompile("DeadbandInvalid", f"property {instance['name']}: deadband {deadband!r}") from error


def _first_given(*values: object) -> bool:
    """A device reports to the hub unless it is told not to: nobody joins a node to keep its readings there."""
    return next((bool(value) for value in values if value is not None), True)
