"""Small things that all who touch API objects need: times, conditions, names."""

from __future__ import annotations

import datetime
import re
import uuid
from collections.abc import Callable
from typing import Any

Object = dict[str, Any]

NODES = "nodes"
PODS = "pods"
CONFIG_MAPS = "configmaps"
SECRETS = "secrets"
DAEMON_SETS = "daemonsets.apps"
DEVICES = "devices.devices.kubeedge.io"
DEVICE_MODELS = "devicemodels.devices.kubeedge.io"
JOIN_TOKENS = "jointokens.edgelite.dev"
ARTIFACTS = "artifacts.edgelite.dev"

COMPILED = "Compiled"  # the condition of a Device that cannot go to its node
ADOPT_ANNOTATION = "edgelite.dev/adopt"

_DNS_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def is_object_name(name: str) -> bool:
    """RFC 1123 subdomain, as Kubernetes wants node names."""
    return len(name) <= 253 and _DNS_SUBDOMAIN.fullmatch(name) is not None


def rfc3339(time_ms: int) -> str:
    """Unix milliseconds as Kubernetes' Time, whole seconds."""
    return datetime.datetime.fromtimestamp(time_ms // 1000, tz=datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def rfc3339_ms(time_ms: int) -> str:
    moment = datetime.datetime.fromtimestamp(time_ms // 1000, tz=datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"


def parse_rfc3339(text: str) -> int:
    """Unix milliseconds; ValueError."""
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return int(moment.timestamp() * 1000)


def namespace_of(value: Object) -> str:
    return str(value["metadata"].get("namespace", ""))


def name_of(value: Object) -> str:
    return str(value["metadata"]["name"])


def uid_of(value: Object) -> str:
    return str(value["metadata"].get("uid", ""))


def is_terminating(value: Object) -> bool:
    return bool(value["metadata"].get("deletionTimestamp"))


def node_of(value: Object) -> str:
    """The node that a Pod or Device is bound to, "" for none."""
    return str((value.get("spec") or {}).get("nodeName") or "")


def get_condition(status: Object, kind: str) -> Object | None:
    for condition in status.get("conditions") or []:
        if condition.get("type") == kind:
            return dict(condition)
    return None


def set_condition(status: Object, kind: str, value: str, reason: str, message: str, now_ms: int) -> bool:
    """Set one condition; True where it differs from before. lastTransitionTime moves only with its status."""
    found = get_condition(status, kind)
    wanted = {"type": kind, "status": value, "reason": reason, "message": message}
    if found is not None and {**found, **wanted} == found:
        return False
    if found is not None and found["status"] == value:
        wanted["lastTransitionTime"] = found["lastTransitionTime"]
    else:
        wanted["lastTransitionTime"] = rfc3339(now_ms)
    conditions = [wanted if one.get("type") == kind else one for one in status.get("conditions") or []]
    status["conditions"] = conditions if found is not None else [*conditions, wanted]
    return True


def remove_condition(status: Object, kind: str) -> bool:
    before = status.get("conditions") or []
    after = [condition for condition in before if condition.get("type") != kind]
    if len(after) == len(before):
        return False
    status["conditions"] = after
    return True


def make_uid(random_bytes: Callable[[int], bytes]) -> str:
    return str(uuid.UUID(bytes=random_bytes(16), version=4))


def new_object(api_version: str, kind: str, metadata: Object, uid: str, now_ms: int) -> Object:
    """What every object that the hub itself creates starts with."""
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {**metadata, "uid": uid, "creationTimestamp": rfc3339(now_ms), "generation": 1},
    }
