"""The Node object: made at joining, filled from a hello, its conditions kept by liveness and divergence."""

from __future__ import annotations

import copy
import re
from typing import Any

from edgelite_hub.model.objects import Object, new_object, set_condition
from edgelite_protocol import messages as m

TEXT_LENGTH_MAX = 256  # of what a node says about itself; a kernel version needs 100
NAMES_MAX = 32  # runtimes, drivers
PODS_CAPACITY = 110  # Kubernetes' usual number, for tools that read it

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386"}
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")

GATEWAY_ANNOTATION = "edgelite.dev/gateway"  # the node that carries this one's serial line
FRAME_ANNOTATION = "edgelite.dev/frame-bytes-max"
ABILITIES = "abilities"  # of the status: what the node told of `runtimes`, `drivers` and `cannot`
MINOR = "protocolMinor"  # of the abilities: which features of the protocol the node has
CANNOT_MAX = 16  # reasons that a node may give; the bounds stand in SPEC.md, section 6.3
CANNOT_BYTES_MAX = 120
CAPABILITY_LABELS = ("edgelite.dev/runtime-", "edgelite.dev/driver-")
READY = "Ready"
DIVERGED = "Diverged"


def new_node(name: str, labels: dict[str, str], uid: str, now_ms: int) -> Object:
    """A Node that has joined and not yet said hello. What the token puts on it never replaces the host name."""
    node = new_object("v1", "Node", {"name": name, "labels": {**labels, "kubernetes.io/hostname": name}}, uid, now_ms)
    node["spec"] = {}
    node["status"] = {}
    set_condition(node["status"], READY, "Unknown", "NeverConnected", "has joined, had no session yet", now_ms)
    return node


def with_hello(node: Object, hello: dict[int, Any], address: str) -> Object:
    """The Node as a hello describes it."""
    node = copy.deepcopy(node)
    raw = hello.get(m.HELLO_CAPABILITIES)
    capabilities = raw if isinstance(raw, dict) else {}
    earlier = node["metadata"].get("labels") or {}
    kept = {key: value for key, value in earlier.items() if not key.startswith(CAPABILITY_LABELS)}
    node["metadata"]["labels"] = {**kept, **_labels(capabilities)}
    annotations = {**(node["metadata"].get("annotations") or {}), FRAME_ANNOTATION: str(hello[m.HELLO_FRAME_BYTES_MAX])}
    node["metadata"]["annotations"] = annotations
    status = node.setdefault("status", {})
    status["nodeInfo"] = _node_info(hello, capabilities)
    status["addresses"] = [
        {"type": "InternalIP", "address": address},
        {"type": "Hostname", "address": node["metadata"]["name"]},
    ]
    status["capacity"] = status["allocatable"] = _capacity(capabilities)
    status[ABILITIES] = {**_abilities(capabilities), MINOR: int(hello.get(m.HELLO_MINOR) or 0)}
    return node


def with_gateway(node: Object, gateway: str) -> Object:
    """The Node, fresh from `with_hello`, says which gateway carries it; "" for none."""
    annotations = node["metadata"]["annotations"]
    annotations.pop(GATEWAY_ANNOTATION, None)
    if gateway:
        annotations[GATEWAY_ANNOTATION] = gateway
    return node


def abilities_of(node: Object | None) -> Object:
    """{"runtimes": [...], "drivers": [...], "cannot": {...}} as the last hello told them. What it did not tell is
    absent: nobody knows, and before the first hello nobody knows anything."""
    found = ((node or {}).get("status") or {}).get(ABILITIES)
    return found if isinstance(found, dict) else {}


def frame_bytes_max(node: Object | None) -> int:
    """The largest frame that a node takes, as its last hello said; 0 before the first."""
    annotations = (node or {}).get("metadata", {}).get("annotations") or {}
    text = str(annotations.get(FRAME_ANNOTATION, ""))
    return int(text) if text.isdecimal() and len(text) < 8 else 0


def _node_info(hello: dict[int, Any], capabilities: dict[Any, Any]) -> Object:
    """Kubernetes requires every key of it; what a node does not say is ""."""
    boot_id, journal_id = hello.get(m.HELLO_BOOT_ID, b""), hello.get(m.HELLO_JOURNAL_ID, b"")
    return {
        "machineID": bytes(journal_id).hex(),  # the journal outlives boots and names the card, as a machine id does
        "systemUUID": "",
        "bootID": bytes(boot_id).hex(),
        "kernelVersion": _text(capabilities.get("kernel")),
        "osImage": _text(capabilities.get("os_image")) or _text(capabilities.get("os")),
        "containerRuntimeVersion": "edgelite://" + _text(capabilities.get("runtime")),
        "kubeletVersion": _text(capabilities.get("agent")),
        "kubeProxyVersion": "",
        "operatingSystem": _text(capabilities.get("os")) or "unknown",
        "architecture": _architecture(capabilities),
    }


def _abilities(capabilities: dict[Any, Any]) -> Object:
    found: Object = {key: _names(capabilities[key]) for key in ("runtimes", "drivers") if key in capabilities}
    cannot = capabilities.get("cannot")
    if isinstance(cannot, dict):
        reasons = {name: text for name, text in cannot.items() if _is_reason(name) and _is_reason(text)}
        found["cannot"] = {name: reasons[name] for name in sorted(reasons)[:CANNOT_MAX]}
    return found


def _is_reason(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value.encode()) <= CANNOT_BYTES_MAX


def _labels(capabilities: dict[Any, Any]) -> dict[str, str]:
    found = {"kubernetes.io/arch": _architecture(capabilities), "kubernetes.io/os": _text(capabilities.get("os"))}
    runtime = _text(capabilities.get("runtime")).split(" ")[0]
    found["edgelite.dev/runtime"] = runtime
    for kind, key in (("runtime", "runtimes"), ("driver", "drivers")):
        for name in _names(capabilities.get(key)):
            found[f"edgelite.dev/{kind}-{name}"] = "true"
    return {key: value for key, value in found.items() if _LABEL_VALUE.fullmatch(value)}


def _capacity(capabilities: dict[Any, Any]) -> dict[str, str]:
    capacity = {"pods": str(PODS_CAPACITY)}
    for name, key in (("cpu", "cores"), ("memory", "memory_bytes")):
        amount = capabilities.get(key)
        if isinstance(amount, int) and not isinstance(amount, bool) and amount > 0:
            capacity[name] = str(amount)
    return capacity


def _architecture(capabilities: dict[Any, Any]) -> str:
    name = _text(capabilities.get("architecture"))
    return _ARCHITECTURES.get(name, name)


def _names(value: object) -> list[str]:
    names = value[:NAMES_MAX] if isinstance(value, list) else []
    return [name for name in names if isinstance(name, str) and _LABEL_VALUE.fullmatch(name) and len(name) <= 40]


def _text(value: object) -> str:
    return value[:TEXT_LENGTH_MAX] if isinstance(value, str) else ""
