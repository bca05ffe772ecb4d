"""PyPI's `kubernetes` client against the real application over TLS, with a kubeconfig as the hub writes one."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes
import kubernetes.dynamic
import kubernetes.watch
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from kubernetes.client.exceptions import ApiException

from edgelite_hub.store.sqlite import SqliteStore
from tests.hub.api_server import TOKEN, Api, serving

# The client is annotated in part, which is worse for a type checker than not at all.
client: Any = kubernetes.client
dynamic: Any = kubernetes.dynamic
watch: Any = kubernetes.watch
config: Any = kubernetes.config

LABELS = {"app": "blink"}


def make_certificate(directory: Path) -> tuple[Path, Path]:
    """Self-signed for 127.0.0.1, dated as the hub dates its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test hub")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(True, None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False), True)
        .sign(key, hashes.SHA256())
    )
    chain_path, key_path = directory / "tls.crt", directory / "tls.key"
    chain_path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain_path, key_path


def write_kubeconfig(path: Path, port: int, chain_path: Path, token: str) -> Path:
    authority = base64.b64encode(chain_path.read_bytes()).decode()
    cluster = {"server": f"https://127.0.0.1:{port}", "certificate-authority-data": authority}
    path.write_text(
        yaml.safe_dump({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "edgelite", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": token}}],
            "contexts": [{"name": "edgelite", "context": {"cluster": "edgelite", "user": "admin"}}],
            "current-context": "edgelite",
        })
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Api, Path, Path]]:
    directory = tmp_path_factory.mktemp("hub")
    chain_path, key_path = make_certificate(directory)
    store = SqliteStore(directory / "hub.db")
    with serving(store, tls=(chain_path, key_path)) as api:
        yield api, write_kubeconfig(directory / "kubeconfig", api.port, chain_path, TOKEN), chain_path
    store.close()


@pytest.fixture
def api_client(server: tuple[Api, Path, Path]) -> Iterator[Any]:
    made = config.new_client_from_config(str(server[1]))
    made.configuration.retries = False
    core = client.CoreV1Api(made)
    yield made
    for pod in core.list_namespaced_pod("default").items:
        core.delete_namespaced_pod(pod.metadata.name, "default", grace_period_seconds=0)
    core.delete_collection_namespaced_config_map("default")
    made.close()


@pytest.fixture
def core(api_client: Any) -> Any:
    return client.CoreV1Api(api_client)


def pod(name: str, **spec: Any) -> Any:
    container = client.V1Container(
        name="main",
        image="host",
        command=["/bin/sleep", "60"],
        env=[client.V1EnvVar(name="A", value="1")],
        resources=client.V1ResourceRequirements(limits={"memory": "16Mi"}),
    )
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name, labels=LABELS),
        spec=client.V1PodSpec(containers=[container], runtime_class_name="process", **spec),
    )


def status_of(error: pytest.ExceptionInfo[ApiException]) -> dict[str, Any]:
    status: dict[str, Any] = yaml.safe_load(error.value.body or "")
    return status


def test_pods_are_created_listed_read_and_deleted(core: Any) -> None:
    created = core.create_namespaced_pod("default", pod("blink"))
    assert created.metadata.creation_timestamp.year >= 2024
    assert core.read_namespaced_pod("blink", "default").spec.containers[0].resources.limits == {"memory": "16Mi"}
    listed = core.list_namespaced_pod("default", label_selector="app=blink")
    assert [one.metadata.uid for one in listed.items] == [created.metadata.uid]
    assert int(listed.metadata.resource_version) >= int(created.metadata.resource_version)
    core.delete_namespaced_pod("blink", "default")
    assert core.list_pod_for_all_namespaces().items == []


def test_config_maps_are_created_replaced_patched_and_deleted(core: Any) -> None:
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="settings"), data={"mode": "slow"})
    created = core.create_namespaced_config_map("default", body)
    created.data["mode"] = "fast"
    assert core.replace_namespaced_config_map("settings", "default", created).data == {"mode": "fast"}
    with pytest.raises(ApiException) as stale:
        core.replace_namespaced_config_map("settings", "default", created)
    assert (stale.value.status, status_of(stale)["reason"]) == (409, "Conflict")
    patched = core.patch_namespaced_config_map("settings", "default", {"data": {"more": "yes"}})
    assert patched.data == {"mode": "fast", "more": "yes"}
    assert core.delete_namespaced_config_map("settings", "default")["status"] == "Success"
    with pytest.raises(ApiException) as absent:
        core.read_namespaced_config_map("settings", "default")
    assert (absent.value.status, status_of(absent)["reason"]) == (404, "NotFound")


def test_pods_are_watched(core: Any) -> None:
    version = core.list_namespaced_pod("default").metadata.resource_version
    seen = []
    core.create_namespaced_pod("default", pod("first"))
    for event in watch.Watch().stream(
        core.list_namespaced_pod, "default", resource_version=version, timeout_seconds=10
    ):
        seen.append((event["type"], event["object"].metadata.name))
        if seen[-1] == ("ADDED", "first"):
            core.patch_namespaced_pod("first", "default", {"metadata": {"labels": {"x": "y"}}})
        elif seen[-1] == ("MODIFIED", "first"):
            core.delete_namespaced_pod("first", "default")
        else:
            break
    assert seen == [("ADDED", "first"), ("MODIFIED", "first"), ("DELETED", "first")]


def test_config_maps_are_watched_from_what_is_there(core: Any) -> None:
    for name in ("a", "b"):
        core.create_namespaced_config_map("default", client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name)))
    stream = watch.Watch().stream(core.list_namespaced_config_map, "default", timeout_seconds=1)
    assert [(event["type"], event["object"].metadata.name) for event in stream] == [("ADDED", "a"), ("ADDED", "b")]


def test_a_watch_that_fell_behind_says_410(server: tuple[Api, Path, Path], core: Any) -> None:
    core.create_namespaced_config_map("default", client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a")))
    store = server[0].hub.store
    store.compact(store.revision())
    with pytest.raises(ApiException) as gone:
        list(watch.Watch().stream(core.list_namespaced_config_map, "default", resource_version="1", timeout_seconds=5))
    assert gone.value.status == 410


def test_a_bound_pod_is_terminating(core: Any) -> None:
    core.create_node(client.V1Node(metadata=client.V1ObjectMeta(name="n1")))
    core.create_namespaced_pod("default", pod("bound", node_name="n1"))
    deleted = core.delete_namespaced_pod("bound", "default", grace_period_seconds=5)
    assert deleted.metadata.deletion_grace_period_seconds == 5
    assert core.read_namespaced_pod("bound", "default").metadata.deletion_timestamp is not None
    assert [node.metadata.name for node in core.list_node().items] == ["n1"]
    core.delete_node("n1")


def test_pages_are_followed(core: Any) -> None:
    for number in range(5):
        name = client.V1ObjectMeta(name=f"m{number}")
        core.create_namespaced_config_map("default", client.V1ConfigMap(metadata=name))
    first = core.list_namespaced_config_map("default", limit=3)
    rest = core.list_namespaced_config_map("default", limit=3, _continue=first.metadata._continue)
    assert [one.metadata.name for one in first.items + rest.items] == [f"m{number}" for number in range(5)]


def test_an_invalid_pod_names_its_fields(core: Any) -> None:
    body = pod("bad", host_network=True, restart_policy="Never")
    body.spec.containers[0].image = "docker.io/library/nginx"
    with pytest.raises(ApiException) as refused:
        core.create_namespaced_pod("default", body)
    assert refused.value.status == 422
    fields = {cause["field"] for cause in status_of(refused)["details"]["causes"]}
    assert fields == {"spec.hostNetwork", "spec.containers[0].image"}


def test_daemon_sets_are_read_by_the_typed_client(api_client: Any) -> None:
    apps = client.AppsV1Api(api_client)
    template = client.V1PodTemplateSpec(metadata=client.V1ObjectMeta(labels=LABELS), spec=pod("x").spec)
    spec = client.V1DaemonSetSpec(selector=client.V1LabelSelector(match_labels=LABELS), template=template)
    body = client.V1DaemonSet(metadata=client.V1ObjectMeta(name="everywhere"), spec=spec)
    assert apps.create_namespaced_daemon_set("default", body).status.desired_number_scheduled == 0
    assert [one.metadata.name for one in apps.list_namespaced_daemon_set("default").items] == ["everywhere"]
    assert apps.delete_namespaced_daemon_set("everywhere", "default")["status"] == "Success"


def test_the_dynamic_client_finds_kubeedges_kinds(server: tuple[Api, Path, Path]) -> None:
    with config.new_client_from_config(str(server[1])) as made:
        finder = dynamic.DynamicClient(made)
        models = finder.resources.get(api_version="devices.kubeedge.io/v1beta1", kind="DeviceModel")
        properties = [{"name": "power", "type": "INT", "accessMode": "ReadOnly"}]
        body = {"metadata": {"name": "meter"}, "spec": {"protocol": "modbus", "properties": properties}}
        models.create(body=body, namespace="default")
        assert models.get(name="meter", namespace="default").spec.properties[0].accessMode == "ReadOnly"
        assert finder.resources.get(api_version="v1", kind="ConfigMap").short_names == ["cm"]


def test_the_version_is_read(api_client: Any) -> None:
    assert client.VersionApi(api_client).get_code().minor == "32"


def test_a_wrong_token_is_401(server: tuple[Api, Path, Path], tmp_path: Path) -> None:
    path = write_kubeconfig(tmp_path / "kubeconfig", server[0].port, server[2], "wrong")
    with config.new_client_from_config(str(path)) as made, pytest.raises(ApiException) as refused:
        client.CoreV1Api(made).list_node()
    assert (refused.value.status, status_of(refused)["reason"]) == (401, "Unauthorized")
