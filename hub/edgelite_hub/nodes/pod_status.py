"""A Pod's status in Kubernetes' shapes, from what the hub knows (waiting) and from what a node reports."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from edgelite_hub.model.objects import Object, rfc3339, set_condition
from edgelite_protocol import messages as m

Dater = Callable[[list[Any]], int]  # a report's time to Unix milliseconds

CREATING = "ContainerCreating"


def with_waiting(pod: Object, reason: str, message: str, now_ms: int) -> Object:
    """The Pod while its containers wait for something that the hub knows."""
    pod = copy.deepcopy(pod)
    status = pod.setdefault("status", {})
    status["phase"] = "Pending"
    waiting = {"reason": reason, **({"message": message} if message else {})}
    status["containerStatuses"] = [
        _container_status(container["name"], container.get("image"), {"waiting": waiting}, {}, 0)
        for container in pod["spec"]["containers"]
    ]
    _set_conditions(status, False, reason, message, now_ms)
    return pod


def with_report(pod: Object, body: dict[int, Any], dater: Dater, host_address: str, now_ms: int) -> Object:
    """The Pod as its node reports it (REPORT_WORKLOAD)."""
    pod = copy.deepcopy(pod)
    status = pod.setdefault("status", {})
    images = {container["name"]: container.get("image") for container in pod["spec"]["containers"]}
    reports = [one for one in body[m.STATUS_CONTAINERS] if one[m.STATUS_CONTAINER_NAME] in images]
    status["containerStatuses"] = [
        _reported_status(one, images[one[m.STATUS_CONTAINER_NAME]], dater) for one in reports
    ]
    status["phase"] = phase_of(reports, pod["spec"].get("restartPolicy") or "Always")
    if host_address:
        status["hostIP"] = host_address
    status.setdefault("startTime", rfc3339(dater(body[m.STATUS_TIME])))
    unready = next((one for one in reports if one[m.STATUS_CONTAINER_STATE] != "running"), None)
    reason = unready.get(m.STATUS_CONTAINER_REASON, "ContainersNotReady") if unready else ""
    message = unready.get(m.STATUS_CONTAINER_MESSAGE, "") if unready else ""
    _set_conditions(status, bool(reports) and unready is None, reason, message, now_ms)
    return pod


def phase_of(reports: list[dict[int, Any]], restart_policy: str) -> str:
    """Kubernetes' rules: Running while anything runs or will run again; then Failed if one failed."""
    states = [one[m.STATUS_CONTAINER_STATE] for one in reports]
    if not states:
        return "Pending"
    if all(state == "terminated" for state in states) and restart_policy != "Always":
        failed = any(one.get(m.STATUS_CONTAINER_EXIT_CODE, 0) != 0 for one in reports)
        return "Failed" if failed else "Succeeded"
    never_ran = all(
        state == "waiting" and not one.get(m.STATUS_CONTAINER_RESTARTS) and m.STATUS_CONTAINER_EXIT_CODE not in one
        for state, one in zip(states, reports, strict=True)
    )
    return "Pending" if never_ran else "Running"


def _reported_status(report: dict[int, Any], image: str | None, dater: Dater) -> Object:
    state = report[m.STATUS_CONTAINER_STATE]
    ended = _terminated(report, dater) if m.STATUS_CONTAINER_EXIT_CODE in report else None
    if state == "running":
        current: Object = {"running": _present(startedAt=_date(report, m.STATUS_CONTAINER_STARTED, dater))}
    elif state == "terminated":
        current, ended = {"terminated": ended or _terminated(report, dater)}, None
    else:
        current = {"waiting": _reasons(report)}
    last = {"terminated": ended} if ended else {}
    restarts = int(report.get(m.STATUS_CONTAINER_RESTARTS, 0))
    return _container_status(report[m.STATUS_CONTAINER_NAME], image, current, last, restarts)


def _container_status(name: str, image: str | None, state: Object, last: Object, restarts: int) -> Object:
    return {
        "name": name,
        "image": image or "host",
        "imageID": "",
        "ready": "running" in state,
        "started": "running" in state,
        "restartCount": restarts,
        "state": state,
        "lastState": last,
    }


def _terminated(report: dict[int, Any], dater: Dater) -> Object:
    return {
        "exitCode": int(report.get(m.STATUS_CONTAINER_EXIT_CODE, 0)),
        **_present(
            signal=report.get(m.STATUS_CONTAINER_SIGNAL) or None,
            startedAt=_date(report, m.STATUS_CONTAINER_STARTED, dater),
            finishedAt=_date(report, m.STATUS_CONTAINER_FINISHED, dater),
        ),
        **_reasons(report),
    }


def _reasons(report: dict[int, Any]) -> Object:
    return _present(
        reason=report.get(m.STATUS_CONTAINER_REASON) or None, message=report.get(m.STATUS_CONTAINER_MESSAGE) or None
    )


def _date(report: dict[int, Any], key: int, dater: Dater) -> str | None:
    return rfc3339(dater(report[key])) if key in report else None


def _present(**values: object) -> Object:
    return {key: value for key, value in values.items() if value is not None}


def _set_conditions(status: Object, is_ready: bool, reason: str, message: str, now_ms: int) -> None:
    value = "True" if is_ready else "False"
    set_condition(status, "Initialized", "True", "", "", now_ms)
    for kind in ("ContainersReady", "Ready"):
        set_condition(status, kind, value, reason, message, now_ms)
