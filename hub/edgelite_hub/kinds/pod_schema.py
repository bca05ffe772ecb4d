"""Pod: what of Kubernetes' PodSpec a node can do, and what is refused by name.

Where a field asks for what happens anyway (dnsPolicy ClusterFirst, an empty securityContext), it is taken; where it
would change what the workload does and nobody here does it yet, it is refused.
"""

from __future__ import annotations

from edgelite_hub.kinds.common import TEMPLATE_METADATA
from edgelite_hub.model import text_checks
from edgelite_hub.model.schema import (
    Boolean,
    Integer,
    IntegerOrText,
    Mapping,
    Open,
    Refused,
    Sequence,
    Struct,
    Text,
    Type,
)

GRACE_SECONDS_DEFAULT = 30
GRACE_SECONDS_MAX = 24 * 3600
CONTAINERS_MAX = 16  # each is a process of its own on a small device
RUNTIMES = ("process", "task", "container")

_ONLY_REFERENCED = {"name": Text(required=True, empty=False, check=text_checks.subdomain), "optional": Boolean()}
_KEY_REFERENCE = Struct(
    fields={**_ONLY_REFERENCED, "key": Text(required=True, empty=False, check=text_checks.data_key)}
)

_VALUE_FROM = Struct(
    fields={
        "configMapKeyRef": _KEY_REFERENCE,
        "secretKeyRef": _KEY_REFERENCE,
        "fieldRef": Struct(
            fields={
                "apiVersion": Text(enum=("v1",)),
                "fieldPath": Text(required=True, empty=False, check=text_checks.field_path),
            }
        ),
        "resourceFieldRef": Refused(),
        "fileKeyRef": Refused(),
    }
)

_VARIABLE = Struct(
    fields={
        "name": Text(required=True, empty=False, check=text_checks.variable_name),
        "value": Text(check=text_checks.plain),
        "valueFrom": _VALUE_FROM,
    }
)

_VARIABLES_FROM = Struct(
    fields={
        "prefix": Text(check=text_checks.variable_name),
        "configMapRef": Struct(fields=_ONLY_REFERENCED),
        "secretRef": Struct(fields=_ONLY_REFERENCED),
    }
)

_QUANTITIES = Mapping(value=IntegerOrText(check=text_checks.quantity), key_check=text_checks.label_key)

_PORT = Struct(
    fields={
        "name": Text(check=text_checks.label),
        "containerPort": Integer(required=True, minimum=1, maximum=65535),
        "hostPort": Integer(minimum=0, maximum=65535),
        "hostIP": Text(),
        "protocol": Text(default="TCP", enum=("TCP", "UDP", "SCTP")),
    }
)

_MOUNT = Struct(
    fields={
        "name": Text(required=True, empty=False),
        "mountPath": Text(required=True, empty=False, check=text_checks.mount_path),
        "subPath": Text(check=text_checks.inside_path),
        "readOnly": Boolean(),
        "recursiveReadOnly": Text(enum=("Disabled",)),
        "mountPropagation": Text(enum=("None",)),
        "subPathExpr": Refused(),
    }
)

_NO_PROBES = Refused(reason="probes are not supported yet")
_NO_SECURITY = Refused(reason="a process runs as the agent's user; securityContext is not supported yet")
_WORDS = Sequence(item=Text(check=text_checks.plain))

CONTAINER = Struct(
    fields={
        "name": Text(required=True, empty=False, check=text_checks.label),
        "image": Text(
            required=True,
            empty=False,
            check=text_checks.image,
            description="An artifact as name:tag or name@sha256:…, or host.",
        ),
        "command": _WORDS,
        "args": _WORDS,
        "env": Sequence(item=_VARIABLE, merge_key="name", unique=False),
        "envFrom": Sequence(item=_VARIABLES_FROM),
        "workingDir": Text(check=text_checks.plain),
        "ports": Sequence(item=_PORT, merge_key="containerPort", unique=False),
        "resources": Struct(fields={"limits": _QUANTITIES, "requests": _QUANTITIES, "claims": Refused()}),
        "volumeMounts": Sequence(item=_MOUNT, merge_key="mountPath"),
        "imagePullPolicy": Text(enum=("Always", "IfNotPresent", "Never")),
        "terminationMessagePath": Text(enum=("/dev/termination-log",)),
        "terminationMessagePolicy": Text(enum=("File",)),
        "livenessProbe": _NO_PROBES,
        "readinessProbe": _NO_PROBES,
        "startupProbe": _NO_PROBES,
        "lifecycle": Refused(),
        "securityContext": _NO_SECURITY,
        "volumeDevices": Refused(),
        "resizePolicy": Refused(),
        "restartPolicy": Refused(),
        "stdin": Refused(),
        "stdinOnce": Refused(),
        "tty": Refused(),
    }
)

_ITEMS = Sequence(
    item=Struct(
        fields={
            "key": Text(required=True, empty=False, check=text_checks.data_key),
            "path": Text(required=True, empty=False, check=text_checks.inside_path),
            "mode": Integer(minimum=0, maximum=0o777),
        }
    )
)
_FILE_SOURCE: dict[str, Type] = {
    "items": _ITEMS,
    "defaultMode": Integer(default=0o644, minimum=0, maximum=0o777),
    "optional": Boolean(),
}
VOLUME_SOURCES = ("configMap", "secret")
_OTHER_VOLUMES = (
    *("awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "downwardAPI", "emptyDir"),
    *("ephemeral", "fc", "flexVolume", "flocker", "gcePersistentDisk", "gitRepo", "glusterfs", "hostPath", "image"),
    *("iscsi", "nfs", "persistentVolumeClaim", "photonPersistentDisk", "portworxVolume", "projected", "quobyte"),
    *("rbd", "scaleIO", "storageos", "vsphereVolume"),
)
_NO_VOLUME = Refused(reason="only configMap and secret volumes are supported yet", even_empty=True)

_VOLUME = Struct(
    fields={
        "name": Text(required=True, empty=False, check=text_checks.label),
        "configMap": Struct(fields={"name": _ONLY_REFERENCED["name"], **_FILE_SOURCE}),
        "secret": Struct(fields={"secretName": _ONLY_REFERENCED["name"], **_FILE_SOURCE}),
        **dict.fromkeys(_OTHER_VOLUMES, _NO_VOLUME),
    }
)

POD_SPEC = Struct(
    required=True,
    fields={
        "containers": Sequence(item=CONTAINER, merge_key="name", items_min=1, items_max=CONTAINERS_MAX, required=True),
        "volumes": Sequence(item=_VOLUME, merge_key="name"),
        "runtimeClassName": Text(
            required=True,
            enum=RUNTIMES,
            description="process: each container is a process of the host; task: a Python task inside the agent. A "
            "node that has told that it lacks the runtime is not given the Pod.",
        ),
        "nodeName": Text(check=text_checks.subdomain),
        "nodeSelector": Mapping(value=Text(check=text_checks.label_value), key_check=text_checks.label_key),
        "restartPolicy": Text(default="Always", enum=("Always", "OnFailure", "Never")),
        "terminationGracePeriodSeconds": Integer(default=GRACE_SECONDS_DEFAULT, minimum=0, maximum=GRACE_SECONDS_MAX),
        # taken, because it asks for what is so anyway
        "automountServiceAccountToken": Refused(reason="there are no service accounts"),
        "dnsPolicy": Text(enum=("ClusterFirst", "Default", "ClusterFirstWithHostNet")),
        "enableServiceLinks": Boolean(),
        "os": Struct(fields={"name": Text(enum=("linux",))}),
        "preemptionPolicy": Text(enum=("PreemptLowerPriority", "Never")),
        "priority": Integer(),
        "schedulerName": Text(enum=("default-scheduler",)),
        "serviceAccount": Text(enum=("default", "")),
        "serviceAccountName": Text(enum=("default", "")),
        "tolerations": Sequence(item=Open()),
        # refused, because it would change what runs, where or how
        "activeDeadlineSeconds": Refused(harmless=()),
        "affinity": Refused(reason="use nodeSelector or nodeName"),
        "dnsConfig": Refused(),
        "ephemeralContainers": Refused(),
        "hostAliases": Refused(),
        "hostIPC": Refused(),
        "hostNetwork": Refused(reason="a process shares the host's network in any case; leave it out"),
        "hostPID": Refused(),
        "hostUsers": Refused(harmless=(True,)),
        "hostname": Refused(),
        "imagePullSecrets": Refused(),
        "initContainers": Refused(),
        "overhead": Refused(),
        "priorityClassName": Refused(),
        "readinessGates": Refused(),
        "resourceClaims": Refused(),
        "resources": Refused(),
        "schedulingGates": Refused(),
        "securityContext": _NO_SECURITY,
        "setHostnameAsFQDN": Refused(),
        "shareProcessNamespace": Refused(),
        "subdomain": Refused(),
        "topologySpreadConstraints": Refused(),
    },
)

POD_TEMPLATE = Struct(required=True, fields={"metadata": TEMPLATE_METADATA, "spec": POD_SPEC})
