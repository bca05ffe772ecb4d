"""Bad manifests: each gets a Status that names the field, and nothing is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.hub.api_server import Api, config_map, pod, serving

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
SECRETS = "/api/v1/namespaces/default/secrets"
SETS = "/apis/apps/v1/namespaces/default/daemonsets"
DEVICES = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices"
MODELS = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devicemodels"
REQUIRED, INVALID, TYPE = "FieldValueRequired", "FieldValueInvalid", "FieldValueTypeInvalid"
FORBIDDEN, UNSUPPORTED = "FieldValueForbidden", "FieldValueNotSupported"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as made:
        yield made


def container(**fields: Any) -> dict[str, Any]:
    return {"name": "main", "image": "host", "command": ["/bin/true"], **fields}


def with_container(**fields: Any) -> dict[str, Any]:
    return pod(containers=[{key: value for key, value in container(**fields).items() if value is not ...}])


def without(value: dict[str, Any], *path: str) -> dict[str, Any]:
    copied: dict[str, Any] = json.loads(json.dumps(value))
    part = copied
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return copied


def daemon_set(**spec: Any) -> dict[str, Any]:
    template = {"metadata": {"labels": {"app": "a"}}, "spec": pod()["spec"]}
    whole = {"selector": {"matchLabels": {"app": "a"}}, "template": template, **spec}
    return {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "a"}, "spec": whole}


def device(**spec: Any) -> dict[str, Any]:
    whole = {"deviceModelRef": {"name": "m"}, "protocol": {"protocolName": "modbus"}, **spec}
    return {"kind": "Device", "metadata": {"name": "d"}, "spec": whole}


def model(**first: Any) -> dict[str, Any]:
    return {"metadata": {"name": "m"}, "spec": {"properties": [{"name": "p", "type": "INT", **first}]}}


def env(**variable: Any) -> dict[str, Any]:
    return with_container(env=[{"name": "A", **variable}])


C = "spec.containers[0]"
INVALID_OBJECTS: dict[str, tuple[str, Any, list[tuple[str, str]]]] = {
    # what is missing
    "no name": (PODS, without(pod(), "metadata", "name"), [("metadata.name", REQUIRED)]),
    "no metadata": (PODS, without(pod(), "metadata"), [("metadata.name", REQUIRED)]),
    "no spec": (PODS, without(pod(), "spec"), [("spec", REQUIRED)]),
    "null spec": (PODS, {**pod(), "spec": None}, [("spec", REQUIRED)]),
    "no containers": (PODS, without(pod(), "spec", "containers"), [("spec.containers", REQUIRED)]),
    "empty containers": (PODS, pod(containers=[]), [("spec.containers", REQUIRED)]),
    "no runtime class": (PODS, without(pod(), "spec", "runtimeClassName"), [("spec.runtimeClassName", REQUIRED)]),
    "no image": (PODS, with_container(image=...), [(f"{C}.image", REQUIRED)]),
    "empty image": (PODS, with_container(image=""), [(f"{C}.image", REQUIRED)]),
    "no container name": (PODS, with_container(name=...), [(f"{C}.name", REQUIRED)]),
    "nothing to run": (PODS, with_container(command=...), [(f"{C}.command", REQUIRED)]),
    "empty valueFrom": (PODS, env(valueFrom={}), [(f"{C}.env[0].valueFrom", REQUIRED)]),
    "key without key": (
        PODS, env(valueFrom={"secretKeyRef": {"name": "s"}}), [(f"{C}.env[0].valueFrom.secretKeyRef.key", REQUIRED)],
    ),
    "volume of nothing": (PODS, pod(volumes=[{"name": "v"}]), [("spec.volumes[0]", REQUIRED)]),
    "two at once": (
        PODS, pod(containers=[{"name": "x"}, container(image=7)]),
        [(f"{C}.image", REQUIRED), ("spec.containers[1].image", TYPE)],
    ),
    # wrong types
    "name is a number": (PODS, {**pod(), "metadata": {"name": 7}}, [("metadata.name", TYPE)]),
    "metadata is a list": (PODS, {**pod(), "metadata": []}, [("metadata", TYPE)]),
    "spec is text": (PODS, {**pod(), "spec": "x"}, [("spec", TYPE)]),
    "containers is an object": (PODS, pod(containers={}), [("spec.containers", TYPE)]),
    "container is text": (PODS, pod(containers=["x"]), [(C, TYPE)]),
    "command is text": (PODS, with_container(command="x"), [(f"{C}.command", TYPE)]),
    "argument is a number": (PODS, with_container(args=[1]), [(f"{C}.args[0]", TYPE)]),
    "env value is a number": (PODS, env(value=1), [(f"{C}.env[0].value", TYPE)]),
    "grace is text": (PODS, pod(terminationGracePeriodSeconds="30"), [("spec.terminationGracePeriodSeconds", TYPE)]),
    "grace is a boolean": (PODS, pod(terminationGracePeriodSeconds=True),
                           [("spec.terminationGracePeriodSeconds", TYPE)]),
    "label is a number": (PODS, {**pod(), "metadata": {"name": "a", "labels": {"a": 1}}},
                          [("metadata.labels[a]", TYPE)]),
    "data is a number": (MAPS, {"metadata": {"name": "a"}, "data": {"k": 1}}, [("data[k]", TYPE)]),
    "data is a list": (MAPS, {"metadata": {"name": "a"}, "data": []}, [("data", TYPE)]),
    "config is text": (DEVICES, device(protocol={"protocolName": "x", "configData": "y"}),
                       [("spec.protocol.configData", TYPE)]),
    # values outside what is allowed
    "upper-case name": (PODS, pod("A"), [("metadata.name", INVALID)]),
    "name too long": (PODS, {**pod(), "metadata": {"name": "a" * 254}}, [("metadata.name", INVALID)]),
    "label key": (PODS, {**pod(), "metadata": {"name": "a", "labels": {"-x": "y"}}}, [("metadata.labels", INVALID)]),
    "label value": (PODS, {**pod(), "metadata": {"name": "a", "labels": {"x": "a b"}}},
                    [("metadata.labels[x]", INVALID)]),
    "other runtime class": (PODS, pod(runtimeClassName="runc"), [("spec.runtimeClassName", UNSUPPORTED)]),
    "restart policy": (PODS, pod(restartPolicy="Sometimes"), [("spec.restartPolicy", UNSUPPORTED)]),
    "image of a registry": (PODS, with_container(image="docker.io/library/nginx:1"), [(f"{C}.image", INVALID)]),
    "image digest": (PODS, with_container(image="app@sha256:12"), [(f"{C}.image", INVALID)]),
    "negative grace": (PODS, pod(terminationGracePeriodSeconds=-1),
                       [("spec.terminationGracePeriodSeconds", INVALID)]),
    "variable name": (PODS, with_container(env=[{"name": "a b"}]), [(f"{C}.env[0].name", INVALID)]),
    "variable name that no shell hands on": (PODS, with_container(env=[{"name": "A"}, {"name": "tls.crt"}]),
                                             [(f"{C}.env[1].name", INVALID)]),
    "variable name with a digit first": (PODS, with_container(env=[{"name": "1A"}]), [(f"{C}.env[0].name", INVALID)]),
    "field path": (PODS, env(valueFrom={"fieldRef": {"fieldPath": "status.podIP"}}),
                   [(f"{C}.env[0].valueFrom.fieldRef.fieldPath", INVALID)]),
    "value and valueFrom": (PODS, env(value="x", valueFrom={"fieldRef": {"fieldPath": "metadata.name"}}),
                            [(f"{C}.env[0].valueFrom", INVALID)]),
    "zero byte in an argument": (PODS, with_container(args=["a\0b"]), [(f"{C}.args[0]", INVALID)]),
    "quantity": (PODS, with_container(resources={"limits": {"memory": "64 MB"}}),
                 [(f"{C}.resources.limits[memory]", INVALID)]),
    "mount leaves": (
        PODS,
        pod(volumes=[{"name": "v", "secret": {"secretName": "s"}}],
            containers=[container(volumeMounts=[{"name": "v", "mountPath": "../x"}])]),
        [(f"{C}.volumeMounts[0].mountPath", INVALID)],
    ),
    "item leaves": (
        PODS, pod(volumes=[{"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "/etc/x"}]}}]),
        [("spec.volumes[0].configMap.items[0].path", INVALID)],
    ),
    "mount of no volume": (PODS, with_container(volumeMounts=[{"name": "v", "mountPath": "x"}]),
                           [(f"{C}.volumeMounts[0].name", "FieldValueNotFound")]),
    "two containers of a name": (PODS, pod(containers=[container(), container()]),
                                 [("spec.containers[1].name", "FieldValueDuplicate")]),
    "too many containers": (PODS, pod(containers=[container(name=f"c{n}") for n in range(17)]),
                            [("spec.containers", "FieldValueTooMany")]),
    "data key": (MAPS, config_map(**{"a/b": "x"}), [("data", INVALID)]),
    "key in both": (MAPS, {**config_map(k="x"), "binaryData": {"k": "eA=="}},
                    [("binaryData[k]", "FieldValueDuplicate")]),
    "secret no base64": (SECRETS, {"metadata": {"name": "a"}, "data": {"k": "a!"}}, [("data[k]", INVALID)]),
    "selector misses": (SETS, daemon_set(selector={"matchLabels": {"app": "b"}}),
                        [("spec.template.metadata.labels", INVALID)]),
    "selector empty": (SETS, daemon_set(selector={}), [("spec.selector", REQUIRED)]),
    "no selector": (SETS, without(daemon_set(), "spec", "selector"), [("spec.selector", REQUIRED)]),
    "no template": (SETS, without(daemon_set(), "spec", "template"), [("spec.template", REQUIRED)]),
    "template without a runtime": (
        SETS, without(daemon_set(), "spec", "template", "spec", "runtimeClassName"),
        [("spec.template.spec.runtimeClassName", REQUIRED)],
    ),
    "template restarts never": (
        SETS, daemon_set(template={"metadata": {"labels": {"app": "a"}}, "spec": pod(restartPolicy="Never")["spec"]}),
        [("spec.template.spec.restartPolicy", UNSUPPORTED)],
    ),
    "no device model": (DEVICES, without(device(), "spec", "deviceModelRef"), [("spec.deviceModelRef", REQUIRED)]),
    "no protocol name": (DEVICES, device(protocol={}), [("spec.protocol.protocolName", REQUIRED)]),
    "two properties": (DEVICES, device(properties=[{"name": "p"}, {"name": "p"}]),
                       [("spec.properties[1].name", "FieldValueDuplicate")]),
    "property type": (MODELS, model(type="HALF"), [("spec.properties[0].type", UNSUPPORTED)]),
    "access mode": (MODELS, model(accessMode="WriteOnly"), [("spec.properties[0].accessMode", UNSUPPORTED)]),
    "minimum": (MODELS, model(minimum="low"), [("spec.properties[0].minimum", INVALID)]),
    "token without time": ("/apis/edgelite.dev/v1/jointokens", {"metadata": {"name": "t"}, "spec": {"ttlSeconds": 0}},
                           [("spec.ttlSeconds", INVALID)]),
}  # fmt: skip

PROBE = {"exec": {"command": ["x"]}}
# What would change how a workload runs, and no node does: (spec fields, the path that is named)
REFUSED_IN_PODS: list[tuple[dict[str, Any], str]] = [
    ({"initContainers": [container()]}, "spec.initContainers"),
    ({"hostNetwork": True}, "spec.hostNetwork"),
    ({"hostPID": True}, "spec.hostPID"),
    ({"hostIPC": True}, "spec.hostIPC"),
    ({"securityContext": {"runAsUser": 1000}}, "spec.securityContext"),
    ({"affinity": {"nodeAffinity": {}}}, "spec.affinity"),
    ({"activeDeadlineSeconds": 5}, "spec.activeDeadlineSeconds"),
    ({"imagePullSecrets": [{"name": "x"}]}, "spec.imagePullSecrets"),
    ({"priorityClassName": "high"}, "spec.priorityClassName"),
    ({"shareProcessNamespace": True}, "spec.shareProcessNamespace"),
    ({"volumes": [{"name": "v", "emptyDir": {}}]}, "spec.volumes[0].emptyDir"),
    ({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]}, "spec.volumes[0].hostPath"),
    ({"containers": [container(livenessProbe=PROBE)]}, f"{C}.livenessProbe"),
    ({"containers": [container(readinessProbe=PROBE)]}, f"{C}.readinessProbe"),
    ({"containers": [container(startupProbe=PROBE)]}, f"{C}.startupProbe"),
    ({"containers": [container(lifecycle={"preStop": PROBE})]}, f"{C}.lifecycle"),
    ({"containers": [container(securityContext={"privileged": True})]}, f"{C}.securityContext"),
    ({"containers": [container(tty=True)]}, f"{C}.tty"),
]

HARMLESS = {
    "dnsPolicy": "ClusterFirst", "enableServiceLinks": True, "schedulerName": "default-scheduler",
    "securityContext": {}, "serviceAccount": "default", "serviceAccountName": "default", "hostNetwork": False,
    "preemptionPolicy": "PreemptLowerPriority", "priority": 0, "initContainers": [], "affinity": {},
    "tolerations": [{"operator": "Exists"}], "automountServiceAccountToken": False, "imagePullSecrets": None,
    "containers": [container(imagePullPolicy="IfNotPresent", terminationMessagePath="/dev/termination-log",
                             terminationMessagePolicy="File", securityContext={}, stdin=False, resources={},
                             livenessProbe=None, ports=[{"containerPort": 80}])],
}  # fmt: skip


def stored(api: Api) -> int:
    return api.hub.store.revision()


@pytest.mark.parametrize(("path", "body", "causes"), INVALID_OBJECTS.values(), ids=INVALID_OBJECTS.keys())
def test_invalid_object_is_refused_by_field(api: Api, path: str, body: Any, causes: list[tuple[str, str]]) -> None:
    api.get(MAPS)  # the first request makes the default namespace
    before = stored(api)
    answer = api.post(path, body)
    assert (answer.code, answer.json["kind"], answer.json["reason"]) == (422, "Status", "Invalid")
    assert answer.causes == causes
    assert all(field in answer.json["message"] for field, _ in causes)
    assert stored(api) == before


@pytest.mark.parametrize(("spec", "path"), REFUSED_IN_PODS, ids=[path for _, path in REFUSED_IN_PODS])
def test_what_no_node_does_is_refused_by_name(api: Api, spec: dict[str, Any], path: str) -> None:
    before = stored(api)
    answer = api.post(PODS, pod("refused", **spec))
    assert answer.code == 422
    assert answer.causes[0] == (path, FORBIDDEN)
    assert stored(api) == before


def test_defaults_that_clients_send_are_taken(api: Api) -> None:
    answer = api.post(PODS, pod("harmless", **HARMLESS))
    assert answer.code == 201, answer.text
    assert "affinity" not in answer.json["spec"]
    assert answer.json["spec"]["tolerations"] == [{"operator": "Exists"}]


BAD_REQUESTS: dict[str, tuple[str, str, bytes, str, int, str]] = {
    "malformed JSON": ("POST", PODS, b"{", "application/json", 400, "BadRequest"),
    "not UTF-8": ("POST", PODS, b'{"a":"\xff"}', "application/json", 400, "BadRequest"),
    "half a surrogate pair": ("POST", PODS, b'{"metadata":{"name":"\\ud800"}}', "application/json", 400, "BadRequest"),
    "NaN": ("POST", PODS, b'{"spec":NaN}', "application/json", 400, "BadRequest"),
    "a number beyond all": ("POST", PODS, b'{"spec":1e999}', "application/json", 400, "BadRequest"),
    "an integer of 5000 digits": ("POST", PODS, b'{"spec":' + b"9" * 5000 + b"}", "application/json", 400,
                                  "BadRequest"),
    "nested too deep": ("POST", PODS, b'{"a":' * 70 + b"1" + b"}" * 70, "application/json", 400, "BadRequest"),
    "nested beyond the parser": ("POST", PODS, b"[" * 100_000, "application/json", 400, "BadRequest"),
    "a list": ("POST", PODS, b"[]", "application/json", 400, "BadRequest"),
    "empty": ("POST", PODS, b"", "application/json", 400, "BadRequest"),
    "kind of another path": ("POST", PODS, b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}}',
                             "application/json", 400, "BadRequest"),
    "unknown kind": ("POST", PODS, b'{"apiVersion":"v1","kind":"Pot"}', "application/json", 400, "BadRequest"),
    "unknown version": ("POST", PODS, b'{"apiVersion":"v2","kind":"Pod"}', "application/json", 400, "BadRequest"),
    "kind is a list": ("POST", PODS, b'{"kind":["Pod"]}', "application/json", 400, "BadRequest"),
    "protobuf": ("POST", MAPS, b"k8s\0", "application/vnd.kubernetes.protobuf", 415, "UnsupportedMediaType"),
    "YAML": ("POST", PODS, b"kind: Pod", "application/yaml", 415, "UnsupportedMediaType"),
    "server-side apply": ("PATCH", f"{PODS}/a", b"{}", "application/apply-patch+yaml", 415, "UnsupportedMediaType"),
    "too large": ("POST", MAPS, b'"' + b"x" * (3 * 1024 * 1024) + b'"', "application/json", 413,
                  "RequestEntityTooLarge"),
    "kind that is not there": ("POST", "/api/v1/namespaces/default/pots", b"{}", "application/json", 404, "NotFound"),
    "group that is not there": ("GET", "/apis/nobody.example/v1/things", b"", "", 404, "NotFound"),
    "path outside": ("GET", "/elsewhere", b"", "", 404, "NotFound"),
    "empty path part": ("GET", "/api/v1/namespaces//pods", b"", "", 404, "NotFound"),
    "namespaced kind without one": ("GET", "/api/v1/pods/a", b"", "", 404, "NotFound"),
    "cluster's kind in a namespace": ("GET", "/api/v1/namespaces/default/nodes", b"", "", 404, "NotFound"),
    "subresource that is not there": ("GET", f"{PODS}/a/exec", b"", "", 404, "NotFound"),
    "namespace that is not there": ("POST", "/api/v1/namespaces/none/pods", json.dumps(pod()).encode(),
                                    "application/json", 404, "NotFound"),
    "other namespace than the path's": ("POST", PODS,
                                        json.dumps({**pod(), "metadata": {"name": "a", "namespace": "b"}}).encode(),
                                        "application/json", 400, "BadRequest"),
    "resourceVersion on create": ("POST", PODS,
                                  json.dumps({**pod(), "metadata": {"name": "a", "resourceVersion": "1"}}).encode(),
                                  "application/json", 400, "BadRequest"),
    "create in all namespaces": ("POST", "/api/v1/pods", b"{}", "application/json", 405, "MethodNotAllowed"),
    "put on a collection": ("PUT", PODS, b"{}", "application/json", 405, "MethodNotAllowed"),
    "patch of discovery": ("PATCH", "/version", b"{}", "application/json", 405, "MethodNotAllowed"),
    "token replaced": ("PUT", "/apis/edgelite.dev/v1/jointokens/t", b"{}", "application/json", 405,
                       "MethodNotAllowed"),
    "label selector": ("GET", f"{PODS}?labelSelector=a%3D%3D%3Db", b"", "", 400, "BadRequest"),
    "field selector": ("GET", f"{PODS}?fieldSelector=spec.color%3Dred", b"", "", 400, "BadRequest"),
    "limit": ("GET", f"{PODS}?limit=many", b"", "", 400, "BadRequest"),
    "continue": ("GET", f"{PODS}?continue=!!", b"", "", 400, "BadRequest"),
    "resource version": ("GET", f"{PODS}?resourceVersion=x", b"", "", 400, "BadRequest"),
    "field validation": ("POST", f"{PODS}?fieldValidation=Maybe", json.dumps(pod()).encode(), "application/json",
                         400, "BadRequest"),
    "dry run": ("POST", f"{PODS}?dryRun=Some", json.dumps(pod()).encode(), "application/json", 400, "BadRequest"),
    "propagation": ("DELETE", f"{PODS}/a?propagationPolicy=Sideways", b"", "", 400, "BadRequest"),
    "grace": ("DELETE", f"{PODS}/a", b'{"gracePeriodSeconds":-1}', "application/json", 400, "BadRequest"),
    "delete options": ("DELETE", f"{PODS}/a", b"[]", "application/json", 400, "BadRequest"),
    "preconditions": ("DELETE", f"{PODS}/a", b'{"preconditions":{"uid":7}}', "application/json", 400, "BadRequest"),
    "absent": ("GET", f"{PODS}/absent", b"", "", 404, "NotFound"),
    "absent, deleted": ("DELETE", f"{PODS}/absent", b"", "", 404, "NotFound"),
    "absent, patched": ("PATCH", f"{PODS}/absent", b"{}", "application/merge-patch+json", 404, "NotFound"),
    "absent, replaced": ("PUT", f"{PODS}/absent", json.dumps(pod("absent")).encode(), "application/json", 404,
                         "NotFound"),
    "future": ("GET", f"{PODS}?resourceVersion=999999", b"", "", 504, "Timeout"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_REQUESTS.values(), ids=BAD_REQUESTS.keys())
def test_bad_request_gets_a_status(api: Api, case: tuple[str, str, bytes, str, int, str]) -> None:
    method, path, body, media_type, code, reason = case
    before = stored(api)
    headers = {"Content_Type": media_type} if media_type else {}
    answer = api.request(method, path, body or None, **headers)
    status = answer.json
    assert (answer.code, status["kind"], status["status"], status["reason"]) == (code, "Status", "Failure", reason)
    assert status["code"] == code
    assert status["message"]
    assert answer.headers["content-type"] == "application/json"
    assert stored(api) == before


def test_unknown_kind_in_the_body_is_named_by_its_field(api: Api) -> None:
    answer = api.post(PODS, {"apiVersion": "v1", "kind": "Pot", "metadata": {"name": "a"}})
    assert answer.causes == [("kind", INVALID)]


def test_unknown_field_strict_is_refused_by_path(api: Api) -> None:
    before = stored(api)
    answer = api.post(f"{PODS}?fieldValidation=Strict", pod("strict", colour="red"))
    assert (answer.code, answer.json["reason"]) == (400, "BadRequest")
    assert [field for field, _ in answer.causes] == ["spec.colour"]
    assert 'strict decoding error: unknown field "spec.colour"' in answer.json["message"]
    assert stored(api) == before


@pytest.mark.parametrize("query", ["", "?fieldValidation=Warn"])
def test_unknown_field_is_left_out_with_a_warning(api: Api, query: str) -> None:
    body = pod(f"warned{len(query)}", colour="red")
    body["spec"]["containers"][0]["dolour"] = 1
    answer = api.post(PODS + query, body)
    assert answer.code == 201
    assert answer.headers["warning"] == (
        '299 - "unknown field \\"spec.colour\\"", 299 - "unknown field \\"spec.containers[0].dolour\\""'
    )
    assert "colour" not in answer.json["spec"]


def test_unknown_field_ignored_says_nothing(api: Api) -> None:
    answer = api.post(f"{PODS}?fieldValidation=Ignore", pod("ignored", colour="red"))
    assert answer.code == 201
    assert "warning" not in answer.headers


def test_without_a_token_nothing_is_served(api: Api) -> None:
    for token in (None, "wrong", ""):
        stranger = Api(api.port, api.hub, api.app, token)
        for path in ("/", "/api", "/version", "/readyz", "/livez", "/openapi/v3", "/elsewhere", PODS):
            answer = stranger.get(path)
            assert (answer.code, answer.json["reason"]) == (401, "Unauthorized"), path
            assert answer.headers["www-authenticate"] == "Bearer"
        assert stranger.post(PODS, pod("stranger")).code == 401
    assert api.get(f"{PODS}/stranger").code == 404


def test_an_unexpected_error_is_a_status_too_and_tells_no_secret(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> int:
        raise RuntimeError("the secret is 42")

    monkeypatch.setattr(api.hub, "now_ms", fails)
    answer = api.post(PODS, pod("unexpected"))
    assert (answer.code, answer.json["reason"]) == (500, "InternalError")
    assert "42" not in answer.text
