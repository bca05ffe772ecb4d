"""Statuses: what the tables and clients read of them is typed, everything else is kept as it is."""

from __future__ import annotations

from edgelite_hub.model import text_checks
from edgelite_hub.model.schema import Boolean, Integer, Open, Sequence, Struct, Text, Type


def _status(**fields: Type) -> Struct:
    return Struct(fields=fields, keeps_unknown=True)


_TIME = Text(check=text_checks.time)

CONDITION = _status(
    type=Text(required=True, empty=False),
    status=Text(required=True, enum=("True", "False", "Unknown")),
    reason=Text(),
    message=Text(),
    lastTransitionTime=_TIME,
    lastHeartbeatTime=_TIME,
)
_CONDITIONS = Sequence(item=CONDITION, merge_key="type")

_CONTAINER_STATE = _status(
    waiting=_status(reason=Text(), message=Text()),
    running=_status(startedAt=_TIME),
    terminated=_status(
        exitCode=Integer(required=True),
        signal=Integer(),
        reason=Text(),
        message=Text(),
        startedAt=_TIME,
        finishedAt=_TIME,
    ),
)

_CONTAINER_STATUS = _status(
    name=Text(required=True, empty=False),
    image=Text(required=True),
    imageID=Text(required=True),
    ready=Boolean(required=True),
    restartCount=Integer(required=True, minimum=0),
    started=Boolean(),
    state=_CONTAINER_STATE,
    lastState=_CONTAINER_STATE,
)

POD_STATUS = _status(
    phase=Text(enum=("Pending", "Running", "Succeeded", "Failed", "Unknown")),
    reason=Text(),
    message=Text(),
    hostIP=Text(),
    podIP=Text(),
    startTime=_TIME,
    conditions=_CONDITIONS,
    containerStatuses=Sequence(item=_CONTAINER_STATUS),
)

_ADDRESS = _status(type=Text(required=True), address=Text(required=True))
# Clients refuse a whole list of nodes where one of these is missing.
_NODE_INFO_NAMES = (
    *("architecture", "bootID", "containerRuntimeVersion", "kernelVersion", "kubeProxyVersion", "kubeletVersion"),
    *("machineID", "operatingSystem", "osImage", "systemUUID"),
)

NODE_STATUS = _status(
    addresses=Sequence(item=_ADDRESS),
    conditions=_CONDITIONS,
    nodeInfo=_status(**{name: Text(required=True) for name in _NODE_INFO_NAMES}),
    capacity=Open(),
    allocatable=Open(),
    phase=Text(),
)

_COUNT = Integer(minimum=0)
_REQUIRED_COUNT = Integer(minimum=0, required=True)

DAEMON_SET_STATUS = _status(
    currentNumberScheduled=_REQUIRED_COUNT,
    desiredNumberScheduled=_REQUIRED_COUNT,
    numberMisscheduled=_REQUIRED_COUNT,
    numberReady=_REQUIRED_COUNT,
    numberAvailable=_COUNT,
    numberUnavailable=_COUNT,
    updatedNumberScheduled=_COUNT,
    observedGeneration=_COUNT,
    collisionCount=_COUNT,
    conditions=_CONDITIONS,
)

DEVICE_STATUS = _status(
    state=Text(),
    lastOnlineTime=_TIME,
    twins=Sequence(item=_status(propertyName=Text(required=True, empty=False)), merge_key="propertyName"),
    extensions=Open(),
)

NAMESPACE_STATUS = _status(phase=Text(enum=("Active", "Terminating")), conditions=_CONDITIONS)
