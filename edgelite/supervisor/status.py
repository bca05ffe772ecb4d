"""What the supervisor tells the hub: bodies of REPORT_WORKLOAD and REPORT_WORKLOAD_GONE."""

from edgelite.supervisor.table import ADOPTING, BACKOFF, COMPLETED, FAILED, IDLE, STARTING, STATE_NAMES, WAITING
from edgelite.supervisor.unit import IDENTITY_PID
from edgelite_protocol.messages import (
    CONTAINER_NAME,
    REPORT,
    REPORT_WORKLOAD,
    REPORT_WORKLOAD_GONE,
    STATUS_CONTAINER_EXIT_CODE,
    STATUS_CONTAINER_FINISHED,
    STATUS_CONTAINER_MESSAGE,
    STATUS_CONTAINER_NAME,
    STATUS_CONTAINER_PID,
    STATUS_CONTAINER_REASON,
    STATUS_CONTAINER_RESTARTS,
    STATUS_CONTAINER_SIGNAL,
    STATUS_CONTAINER_STARTED,
    STATUS_CONTAINER_STATE,
    STATUS_CONTAINERS,
    STATUS_GENERATION,
    STATUS_TIME,
    STATUS_UID,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.supervisor.unit import End, Unit
    from edgelite.supervisor.workload import Workload

REASON_PULL = "ArtifactPull"
REASON_PULL_FAILED = "ArtifactPullFailed"
REASON_CREATING = "ContainerCreating"
REASON_CRASH_LOOP = "CrashLoopBackOff"
REASON_COMPLETED = "Completed"
REASON_ERROR = "Error"
REASON_UNKNOWN_END = "ContainerStatusUnknown"
REASON_NO_RUNTIME = "RuntimeUnavailable"

_STATUS_BYTES = 3600  # for all containers of a workload: REPORT_BYTES_MAX less the head and the CBOR around them
_FIXED_BYTES = 190  # of one container's status without name and message: two monotonic times take half of it
_MESSAGE_BYTES_MAX = 512
_CANNOT_BYTES_MAX = 160  # the same text for each container of a workload


def gone_body(uid: str) -> "dict[int, object]":
    return {REPORT: REPORT_WORKLOAD_GONE, 1: uid}


def workload_body(workload: "Workload", time: "list[object]", cannot: "str | None" = None) -> "dict[int, object]":
    """`cannot` says why this node lacks the workload's runtime; None where it has it."""
    names = sorted(workload.units)
    containers = [_container_status(workload.units[name], len(names)) for name in names]
    if cannot is not None:
        containers = [_no_runtime(container, cannot) for container in workload.containers()]
    return {
        REPORT: REPORT_WORKLOAD,
        STATUS_UID: workload.uid,
        STATUS_TIME: time,
        STATUS_GENERATION: workload.generation(),
        STATUS_CONTAINERS: containers,
    }


def _no_runtime(container: "dict[int, object]", cannot: str) -> "dict[int, object]":
    return {
        STATUS_CONTAINER_NAME: container[CONTAINER_NAME],
        STATUS_CONTAINER_STATE: "waiting",
        STATUS_CONTAINER_REASON: REASON_NO_RUNTIME,
        STATUS_CONTAINER_MESSAGE: _clip(cannot, _CANNOT_BYTES_MAX),
    }


def _container_status(unit: "Unit", count: int) -> "dict[int, object]":
    state, reason, message = _state_of(unit)
    status: dict[int, object] = {
        STATUS_CONTAINER_NAME: unit.container_name,
        STATUS_CONTAINER_STATE: state,
        STATUS_CONTAINER_RESTARTS: unit.restarts,
    }
    if reason:
        status[STATUS_CONTAINER_REASON] = reason
    if message:
        status[STATUS_CONTAINER_MESSAGE] = _clip(message, _STATUS_BYTES // count - _FIXED_BYTES - len(unit.name))
    if unit.last_end is not None and (state == "terminated" or unit.last_end.ran()):
        _add_end(status, unit.last_end)
    if state == "running":
        _add_running(status, unit)
    return status


def _state_of(unit: "Unit") -> "tuple[str, str, str]":
    """(state, reason, message for a person)"""
    if unit.state in (COMPLETED, FAILED):
        return "terminated", _end_reason(unit), _end_message(unit)
    if unit.state == WAITING:
        return "waiting", REASON_PULL_FAILED if unit.pull_error else REASON_PULL, unit.pull_error
    if unit.state == BACKOFF:
        return "waiting", _backoff_reason(unit), _end_message(unit)
    if unit.state in (IDLE, STARTING):
        return "waiting", REASON_CREATING, ""
    return "running", "", ""


def _end_reason(unit: "Unit") -> str:
    return REASON_ERROR if unit.last_end is None else unit.last_end.reason


def _end_message(unit: "Unit") -> str:
    return "" if unit.last_end is None else unit.last_end.message


def _backoff_reason(unit: "Unit") -> str:
    """A unit that could not be started says why; one that ran and ended again and again is in a crash loop."""
    if unit.last_end is not None and not unit.last_end.ran():
        return unit.last_end.reason
    return REASON_CRASH_LOOP


def _add_end(status: "dict[int, object]", end: "End") -> None:
    status[STATUS_CONTAINER_EXIT_CODE] = end.exit_code
    if end.signal:
        status[STATUS_CONTAINER_SIGNAL] = end.signal
    if end.started is not None:
        status[STATUS_CONTAINER_STARTED] = end.started
    if end.finished is not None:
        status[STATUS_CONTAINER_FINISHED] = end.finished


def _add_running(status: "dict[int, object]", unit: "Unit") -> None:
    if unit.started is not None:
        status[STATUS_CONTAINER_STARTED] = unit.started
    if IDENTITY_PID in unit.identity:
        status[STATUS_CONTAINER_PID] = unit.identity[IDENTITY_PID]


def _clip(text: str, size_bytes_max: int) -> str:
    """`text` cut to at most that many UTF-8 bytes, between characters."""
    limit = max(0, min(size_bytes_max, _MESSAGE_BYTES_MAX))
    while len(text.encode()) > limit:
        text = text[: max(0, min(len(text) - 1, limit))]
    return text


def summary_row(unit: "Unit") -> "dict[str, object]":
    """One row for `edgelite status`."""
    state, reason, message = _state_of(unit)
    return {
        "unit": unit.name,
        "table_state": STATE_NAMES[unit.state],
        "state": "adopting" if unit.state == ADOPTING else state,
        "reason": reason,
        "message": message,
        "restarts": unit.restarts,
        "pid": unit.identity.get(IDENTITY_PID, 0),
    }
