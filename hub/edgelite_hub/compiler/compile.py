"""Pods into the compact forms that nodes get; Devices: compile_device.py.

Pure functions of objects: `lookup` finds the others that an object names. CannotCompile says why one cannot go to
its node; the controllers put that where a person sees it.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from edgelite_hub.compiler.artifact_names import HOST_IMAGE, parse_image, resolve
from edgelite_hub.compiler.compile_environment import CannotCompile, Lookup, environment_of, expand, files_of
from edgelite_hub.model.objects import ARTIFACTS, Object, is_terminating, name_of, namespace_of, uid_of
from edgelite_protocol import messages as m

Compact = dict[int, object]

GRACE_SECONDS_DEFAULT = 30  # Kubernetes'
RUNTIMES = ("process", "container", "task")

_QUANTITY_SUFFIXES = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P"), 1)},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi"), 1)},
}


def workload_key(pod: Object) -> str:
    return f"{namespace_of(pod)}/{name_of(pod)}/{uid_of(pod)}"


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
