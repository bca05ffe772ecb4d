"""Pods and Devices into the compact forms, and why some cannot be."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from edgelite_hub.compiler.compile import compile_workload
from edgelite_hub.compiler.compile_device import compile_device, later_fields, streams_of
from edgelite_hub.compiler.compile_environment import CannotCompile, references_of
from edgelite_hub.model.objects import ARTIFACTS, CONFIG_MAPS, SECRETS, Object
from edgelite_hub.nodes.feed_values import decode_value, encode_value, keep_desired_versions
from edgelite_protocol import messages as m

DIGEST = "ab" * 32
OBJECTS: dict[tuple[str, str], Object] = {
    (CONFIG_MAPS, "settings"): {
        "data": {"rate": "9600", "motd": "hello"},
        "binaryData": {"blob": base64.b64encode(b"\xff\x00").decode()},
    },
    (SECRETS, "keys"): {"data": {"password": base64.b64encode(b"hunter2").decode()}},
    (ARTIFACTS, "app"): {
        "status": {
            "tags": {"v1": {"digest": "sha256:" + DIGEST}},
            "versions": [{"digest": "sha256:" + DIGEST, "sizeBytes": 4711}],
        }
    },
}


def lookup(resource: str, name: str) -> Object | None:
    return OBJECTS.get((resource, name))


def pod(container: Object | None = None, **spec: Any) -> Object:
    box = {"name": "main", "image": "host", "command": ["/bin/app"], **(container or {})}
    metadata = {"name": "p", "namespace": "default", "uid": "uid-1", "generation": 3, "labels": {"app": "x"}}
    return {"metadata": metadata, "spec": {"nodeName": "n1", "containers": [box], **spec}}


def compiled(container: Object | None = None, **spec: Any) -> dict[int, Any]:
    value: dict[int, Any] = compile_workload(pod(container, **spec), lookup)
    assert decode_value(encode_value(m.KIND_WORKLOAD, value, 60_000)) == value, "the protocol's tables take it"
    return value


def first(value: dict[int, Any]) -> dict[int, Any]:
    container: dict[int, Any] = value[m.WORKLOAD_CONTAINERS][0]
    return container


def test_a_plain_pod() -> None:
    assert compiled() == {
        m.WORKLOAD_UID: "uid-1",
        m.WORKLOAD_NAMESPACE: "default",
        m.WORKLOAD_NAME: "p",
        m.WORKLOAD_RUNTIME: "process",
        m.WORKLOAD_RESTART_POLICY: "Always",
        m.WORKLOAD_GRACE_MS: 30_000,
        m.WORKLOAD_GENERATION: 3,
        m.WORKLOAD_CONTAINERS: [
            {
                m.CONTAINER_NAME: "main",
                m.CONTAINER_IMAGE: "host",
                m.CONTAINER_COMMAND: ["/bin/app"],
                m.CONTAINER_ENVIRONMENT: {},
            }
        ],
    }


@pytest.mark.parametrize("image", ["app:v1", "app@sha256:" + DIGEST])
def test_an_image_becomes_digest_and_size(image: str) -> None:
    container = first(compiled({"image": image}))
    assert container[m.CONTAINER_DIGEST] == bytes.fromhex(DIGEST)
    assert container[m.CONTAINER_SIZE_BYTES] == 4711
    assert container[m.CONTAINER_IMAGE] == image


def test_the_environment_is_resolved_in_kubernetes_order() -> None:
    env = [
        {"name": "PLAIN", "value": "1"},
        {"name": "RATE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "rate"}}},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "password"}}},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "GONE", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "no", "optional": True}}},
        {"name": "S_motd", "value": "mine"},
    ]
    container = {"env": env, "envFrom": [{"prefix": "S_", "secretRef": {"name": "keys"}}]}
    assert first(compiled(container))[m.CONTAINER_ENVIRONMENT] == {
        "S_password": "hunter2",
        "PLAIN": "1",
        "RATE": "9600",
        "PASSWORD": "hunter2",
        "NODE": "n1",
        "APP": "x",
        "S_motd": "mine",
    }


def test_command_and_args_are_joined_and_expanded() -> None:
    container = {"args": ["--rate=$(RATE)", "$$(RATE)", "$(UNKNOWN)"], "env": [{"name": "RATE", "value": "5"}]}
    assert first(compiled(container))[m.CONTAINER_COMMAND] == ["/bin/app", "--rate=5", "$(RATE)", "$(UNKNOWN)"]


def test_volumes_become_files() -> None:
    mounts = [{"name": "conf", "mountPath": "/etc/app"}, {"name": "key", "mountPath": "/etc/key"}]
    volumes = [
        {"name": "conf", "configMap": {"name": "settings", "items": [{"key": "rate", "path": "sub/rate.txt"}]}},
        {"name": "key", "secret": {"secretName": "keys", "defaultMode": 0o400}},
    ]
    assert first(compiled({"volumeMounts": mounts}, volumes=volumes))[m.CONTAINER_FILES] == [
        ["/etc/app/sub/rate.txt", b"9600", 0o644],
        ["/etc/key/password", b"hunter2", 0o400],
    ]


def test_a_sub_path_mounts_one_file() -> None:
    mounts = [{"name": "conf", "mountPath": "/etc/rate", "subPath": "rate"}]
    volumes = [{"name": "conf", "configMap": {"name": "settings"}}]
    files = first(compiled({"volumeMounts": mounts}, volumes=volumes))[m.CONTAINER_FILES]
    assert files == [["/etc/rate", b"9600", 0o644]]


@pytest.mark.parametrize(
    ("limits", "wanted"),
    [
        ({"memory": "64Mi", "cpu": "500m"}, {"memory_bytes": 64 << 20, "cpu_milli": 500}),
        ({"memory": "1G", "cpu": 2}, {"memory_bytes": 10**9, "cpu_milli": 2000}),
        ({"cpu": "0.25"}, {"cpu_milli": 250}),
    ],
)
def test_resources_are_noted(limits: Object, wanted: dict[str, int]) -> None:
    assert first(compiled({"resources": {"limits": limits}}))[m.CONTAINER_RESOURCES] == wanted


def test_a_deleted_pod_is_terminating_within_the_grace_of_its_deletion() -> None:
    value = pod()
    value["metadata"].update({"deletionTimestamp": "2026-01-01T00:00:00Z", "deletionGracePeriodSeconds": 5})
    workload: dict[int, Any] = compile_workload(value, lookup)
    assert workload[m.WORKLOAD_TERMINATING] is True
    assert workload[m.WORKLOAD_GRACE_MS] == 5_000


def key_of(kind: str, name: str, key: str) -> Object:
    return {"env": [{"name": "X", "valueFrom": {kind: {"name": name, "key": key}}}]}


def mounted(volume: Object, path: str = "/m") -> tuple[Object, Object]:
    return {"volumeMounts": [{"name": "v", "mountPath": path}]}, {"volumes": [{"name": "v", **volume}]}


CANNOT: dict[str, tuple[Object, Object, str, str]] = {
    "no such artifact": ({"image": "nothing:v1"}, {}, "ArtifactNotFound", "nothing:v1"),
    "no such tag": ({"image": "app:v2"}, {}, "ArtifactNotFound", "app:v2"),
    "another digest": ({"image": "app@sha256:" + "00" * 32}, {}, "ArtifactNotFound", "app@"),
    "registry image": ({"image": "docker.io/library/nginx:1"}, {}, "InvalidImageName", "nginx"),
    "bad digest": ({"image": "app@sha256:1234"}, {}, "InvalidImageName", "1234"),
    "no command": ({"command": []}, {}, "CommandMissing", "main"),
    "runtime": ({}, {"runtimeClassName": "kata"}, "RuntimeUnknown", "kata"),
    "config map": (key_of("configMapKeyRef", "none", "k"), {}, "CreateContainerConfigError", "configmap none"),
    "config key": (key_of("configMapKeyRef", "settings", "k"), {}, "CreateContainerConfigError", "no key k"),
    "secret": (key_of("secretKeyRef", "none", "k"), {}, "CreateContainerConfigError", "secret none"),
    "binary as text": (key_of("configMapKeyRef", "settings", "blob"), {}, "CreateContainerConfigError", "UTF-8"),
    "envFrom": ({"envFrom": [{"secretRef": {"name": "none"}}]}, {}, "CreateContainerConfigError", "secret none"),
    "field": (
        {"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]},
        {},
        "CreateContainerConfigError",
        "status.podIP",
    ),
    "source": (
        {"env": [{"name": "X", "valueFrom": {"resourceFieldRef": {}, "other": {}}}]},
        {},
        "CreateContainerConfigError",
        "X",
    ),
    "no volume": (
        {"volumeMounts": [{"name": "v", "mountPath": "/m"}]},
        {},
        "CreateContainerConfigError",
        "no volume v",
    ),
    "volume kind": (*mounted({"hostPath": {"path": "/"}}), "CreateContainerConfigError", "volume v"),
    "leaves": (
        *mounted({"configMap": {"name": "settings", "items": [{"key": "rate", "path": "../../etc/passwd"}]}}),
        "CreateContainerConfigError",
        "leaves",
    ),
    "absolute": (
        *mounted({"configMap": {"name": "settings", "items": [{"key": "rate", "path": "/etc/passwd"}]}}),
        "CreateContainerConfigError",
        "leaves",
    ),
    "quantity": ({"resources": {"limits": {"memory": "lots"}}}, {}, "InvalidQuantity", "lots"),
    "large": (
        {"env": [{"name": "X", "value": "x" * 70_000}]},
        {},
        "CreateContainerConfigError",
        "larger",
    ),
}


@pytest.mark.parametrize("name", CANNOT)
def test_what_cannot_be_compiled_says_why(name: str) -> None:
    container, spec, reason, part = CANNOT[name]
    with pytest.raises(CannotCompile) as caught:
        compile_workload(pod(container, **spec), lookup)
    assert caught.value.reason == reason
    assert part in caught.value.text


def test_what_breaks_the_protocols_bounds_is_refused_by_path() -> None:
    value = compile_workload(pod({"name": "x" * 300}), lookup)
    with pytest.raises(CannotCompile, match="name") as caught:
        encode_value(m.KIND_WORKLOAD, value, 60_000)
    assert caught.value.reason == "InvalidWorkload"


def test_references_are_found_wherever_they_stand() -> None:
    container = {
        "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s1", "key": "k"}}}],
        "envFrom": [{"configMapRef": {"name": "c1"}}],
    }
    volumes = [{"name": "v", "secret": {"secretName": "s2"}}, {"name": "w", "configMap": {"name": "c2"}}]
    found = references_of(pod(container, volumes=volumes))
    assert found == {(SECRETS, "s1"), (SECRETS, "s2"), (CONFIG_MAPS, "c1"), (CONFIG_MAPS, "c2")}


# ---- devices


def model(**item: Any) -> Object:
    power = {"name": "power", "type": "INT", "accessMode": "ReadWrite", "unit": "W", "maximum": 9000, **item}
    return {"spec": {"protocol": "modbus", "protocolConfigData": {"timeout": 5}, "properties": [power]}}


def device(**item: Any) -> Object:
    visitors = {"protocolName": "modbus", "configData": {"register": "HoldingRegister", "offset": 2}}
    power = {"name": "power", "visitors": visitors, "collectCycle": 500, **item}
    spec = {
        "deviceModelRef": {"name": "meter"},
        "nodeName": "n1",
        "protocol": {"protocolName": "Modbus", "configData": {"ip": "192.0.2.1"}},
        "properties": [power],
        "stateReport": {"reportCycle": 9000},
    }
    return {"metadata": {"name": "d", "namespace": "default", "uid": "uid-2", "generation": 7}, "spec": spec}


def compiled_device(value: Object, of: Object) -> dict[int, Any]:
    compact: dict[int, Any] = compile_device(value, lambda name: of if name == "meter" else None)
    assert decode_value(encode_value(m.KIND_DEVICE, compact, 60_000)) == compact
    return compact


def test_a_device_takes_types_from_its_model_and_cycles_from_itself() -> None:
    compact = compiled_device(device(desired={"value": "12"}, deadband="0.5"), model())
    assert compact[m.DEVICE_DRIVER] == "modbus"
    assert compact[m.DEVICE_PROTOCOL] == {"timeout": 5, "ip": "192.0.2.1"}
    assert compact[m.DEVICE_STATE_MS] == 9000, "stateReport is about the state, not about properties"
    assert m.DEVICE_STATE_TO_CLOUD not in compact
    assert compact[m.DEVICE_PROPERTIES] == [
        {
            m.PROPERTY_NAME: "power",
            m.PROPERTY_TYPE: "INT",
            m.PROPERTY_WRITABLE: True,
            m.PROPERTY_VISITOR: {"register": "HoldingRegister", "offset": 2},
            m.PROPERTY_COLLECT_MS: 500,
            m.PROPERTY_REPORT_MS: 0,
            m.PROPERTY_REPORT_TO_CLOUD: True,
            m.PROPERTY_DESIRED: "12",
            m.PROPERTY_DESIRED_VERSION: 7,
            m.PROPERTY_MAXIMUM: "9000",
            m.PROPERTY_UNIT: "W",
            m.PROPERTY_DEADBAND: 0.5,
        }
    ]


def test_the_rules_about_when_a_value_goes_up_and_what_the_node_desires_itself() -> None:
    window = {"windowMs": 60_000, "functions": ["min", "max", "last"]}
    desired = {"value": "12", "metadata": {"timestamp": "1767225600000", "expiresAfterMs": 5000}}
    instance = device(
        aggregate=window, deadbandPercent="2.5", desired=desired, failSafe={"value": 5, "afterMs": 60_000}
    )
    row: Any = compiled_device(instance, model())[m.DEVICE_PROPERTIES]
    assert row[0][m.PROPERTY_WINDOW_MS] == 60_000
    assert row[0][m.PROPERTY_WINDOW_FUNCTIONS] == m.WINDOW_MIN + m.WINDOW_MAX
    assert row[0][m.PROPERTY_DEADBAND_PERCENT] == 2.5
    assert (row[0][m.PROPERTY_DESIRED_TIME], row[0][m.PROPERTY_DESIRED_EXPIRES]) == (1767225600000, 1767225605000)
    assert (row[0][m.PROPERTY_FAIL_SAFE], row[0][m.PROPERTY_FAIL_SAFE_MS]) == ("5", 60_000)
    assert later_fields(compile_device(instance, lambda name: model())) == [
        "property power: deadbandPercent",
        "property power: aggregate",
        "property power: desired.metadata, expiry",
        "property power: failSafe",
    ]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [("BOOLEAN", "1", "true"), ("BOOLEAN", 0, "false"), ("INT", "+5", "5"), ("STRING", "1", "1")],
)
def test_what_means_the_same_is_written_as_a_node_takes_it(kind: str, value: object, text: str) -> None:
    instance = device(desired={"value": value}, failSafe={"value": value, "afterMs": 1000})
    row: Any = compiled_device(instance, model(type=kind))[m.DEVICE_PROPERTIES]
    assert (row[0][m.PROPERTY_DESIRED], row[0][m.PROPERTY_FAIL_SAFE]) == (text, text)


def test_an_expiry_may_be_a_time() -> None:
    metadata = {"timestamp": "long ago", "expires": "2026-01-01T00:00:00Z"}
    row: Any = compiled_device(device(desired={"value": "12", "metadata": metadata}), model())[m.DEVICE_PROPERTIES]
    assert row[0][m.PROPERTY_DESIRED_EXPIRES] == 1_767_225_600_000 and m.PROPERTY_DESIRED_TIME not in row[0]


def test_a_stream_is_left_out_and_the_others_go_on() -> None:
    camera = model()
    camera["spec"]["properties"].append({"name": "video", "type": "STREAM"})
    value = device()
    value["spec"]["properties"].insert(0, {"name": "video", "visitors": {"configData": {"url": "rtsp://192.0.2.9"}}})
    compact: Any = compiled_device(value, camera)
    assert [row[m.PROPERTY_NAME] for row in compact[m.DEVICE_PROPERTIES]] == ["power"]
    assert streams_of(value, camera) == ["video"]


def test_visitors_may_stand_in_the_model() -> None:
    compact = compiled_device(device(visitors=None), model(visitors={"configData": {"offset": 9}}))
    assert compact[m.DEVICE_PROPERTIES][0][m.PROPERTY_VISITOR] == {"offset": 9}


def test_what_is_not_reported_to_the_cloud_says_so() -> None:
    compact = compiled_device(device(reportToCloud=False), model())
    assert compact[m.DEVICE_PROPERTIES][0][m.PROPERTY_REPORT_TO_CLOUD] is False


@pytest.mark.parametrize(
    ("value", "of", "reason"),
    [
        (device(), None, "DeviceModelNotFound"),
        (device(name="voltage"), model(), "PropertyUnknown"),
        (device(), model(type="VIDEO"), "PropertyTypeUnsupported"),
        (device(deadband="much"), model(), "DeadbandInvalid"),
    ],
)
def test_devices_that_cannot_be_compiled(value: Object, of: Object | None, reason: str) -> None:
    with pytest.raises(CannotCompile) as caught:
        compile_device(value, lambda name: of)
    assert caught.value.reason == reason


def test_an_unchanged_desired_value_keeps_its_version() -> None:
    held = compiled_device(device(desired={"value": "12"}), model())
    changed = device(desired={"value": "12"}, collectCycle=900)
    changed["metadata"]["generation"] = 8
    compact = compiled_device(changed, model())
    keep_desired_versions(compact, held)
    assert compact[m.DEVICE_PROPERTIES][0][m.PROPERTY_DESIRED_VERSION] == 7
    again = device(desired={"value": "12", "metadata": {"timestamp": "1767225600000"}})
    again["metadata"]["generation"] = 8
    compact = compiled_device(again, model())
    keep_desired_versions(compact, held)
    assert compact[m.DEVICE_PROPERTIES][0][m.PROPERTY_DESIRED_VERSION] == 8, "the same text, desired anew"
    other = device(desired={"value": "13"})
    other["metadata"]["generation"] = 9
    compact = compiled_device(other, model())
    keep_desired_versions(compact, held)
    assert compact[m.DEVICE_PROPERTIES][0][m.PROPERTY_DESIRED_VERSION] == 9
