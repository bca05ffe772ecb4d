"""The table of kinds, and what any JSON at all can do to it: be admitted or get a Status, nothing else."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite_hub.api import openapi
from edgelite_hub.api.tables import table
from edgelite_hub.kinds import default_registry
from edgelite_hub.kinds.common import AGE, NAME, duration_text, object_schema
from edgelite_hub.model.admission import IGNORE, STRICT, WARN, admit
from edgelite_hub.model.objects import Object
from edgelite_hub.model.registry import Kind, Registry
from edgelite_hub.model.schema import Integer, Struct
from edgelite_hub.model.status import StatusError
from edgelite_hub.model.strategy import Operation
from edgelite_hub.model.verbs import Verbs
from edgelite_hub.security.authz import ADMIN, Subject
from edgelite_hub.store.memory import MemoryStore
from tests.hub.api_server import config_map, pod, serving

REGISTRY = default_registry()
KINDS = list(REGISTRY)

SCHEDULE = Kind(
    group="example.com",
    version="v1",
    kind="Schedule",
    plural="schedules",
    singular="schedule",
    short_names=("sched",),
    schema=object_schema(spec=Struct(required=True, fields={"hour": Integer(required=True, minimum=0, maximum=23)})),
    columns=(NAME, AGE),
)


def test_one_entry_is_a_whole_kind() -> None:
    with serving(registry=Registry([*default_registry(), SCHEDULE])) as api:
        path = "/apis/example.com/v1/namespaces/default/schedules"
        assert api.post(path, {"metadata": {"name": "s"}, "spec": {"hour": 24}}).causes == [
            ("spec.hour", "FieldValueInvalid")
        ]
        assert api.post(path, {"metadata": {"name": "s"}, "spec": {"hour": 7}}).code == 201
        with api.watch(f"{path}?watch=1") as events:
            assert events.names(1) == [("ADDED", "s")]
        assert api.get("/apis/example.com/v1").json["resources"][0]["shortNames"] == ["sched"]
        assert api.delete(f"{path}/s").code == 200


def test_names_are_unique() -> None:
    for names in (
        [kind.resource for kind in KINDS],
        [kind.kind for kind in KINDS],
        [word for kind in KINDS for word in {kind.plural, kind.singular, *kind.short_names}],
    ):
        assert len(names) == len(set(names))


def test_strategies_are_each_registrys_own() -> None:
    first, second = default_registry(), default_registry()
    first["pods"].strategy.prepare.append(lambda operation, new, old: None)
    assert not second["pods"].strategy.prepare


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_schema_is_printed_whole(kind: Kind) -> None:
    described = openapi.describe(kind.schema)
    assert json.loads(json.dumps(described)) == described
    assert {"apiVersion", "kind", "metadata"} <= described["properties"].keys()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (119, "119s"), (120, "2m"), (125, "2m5s"), (599, "9m59s"), (600, "10m"), (3 * 3600, "3h"),
     (7 * 3600 + 60, "7h1m"), (47 * 3600, "47h"), (48 * 3600, "2d"), (7 * 86400 + 3600, "7d1h"), (100 * 86400, "100d"),
     (800 * 86400, "2y70d"), (9 * 365 * 86400, "9y")],
)  # fmt: skip
def test_ages_are_short(seconds: int, text: str) -> None:
    assert duration_text(seconds) == text


# ---- any JSON
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
    st.sampled_from(["process", "host", "app:1", "main", "default", "a", "10.5", "2026-01-01T00:00:00Z"]),
)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)

SEEDS: dict[str, Object] = {
    "pods": {
        **pod(
            volumes=[{"name": "v", "configMap": {"name": "c", "items": [{"key": "k", "path": "p"}]}}],
            containers=[
                {
                    "name": "main",
                    "image": "app:1",
                    "command": ["x"],
                    "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                    "envFrom": [{"configMapRef": {"name": "c"}}],
                    "volumeMounts": [{"name": "v", "mountPath": "etc"}],
                    "resources": {"limits": {"memory": "1Mi"}},
                }
            ],
        ),
        "status": {"containerStatuses": [], "conditions": [{"type": "Ready", "status": "True"}]},
    },
    "configmaps": {**config_map(a="b"), "binaryData": {"c": "ZA=="}},
    "secrets": {"metadata": {"name": "s"}, "stringData": {"a": "b"}, "data": {"c": "ZA=="}},
    "daemonsets.apps": {
        "metadata": {"name": "d"},
        "spec": {
            "selector": {
                "matchLabels": {"a": "b"},
                "matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}],
            },
            "template": {"metadata": {"labels": {"a": "b"}}, "spec": pod()["spec"]},
        },
    },
    "devicemodels.devices.kubeedge.io": {
        "metadata": {"name": "m"},
        "spec": {"properties": [{"name": "p", "type": "INT", "accessMode": "ReadWrite", "minimum": "1", "maximum": 9}]},
    },
    "devices.devices.kubeedge.io": {
        "metadata": {"name": "x"},
        "spec": {
            "deviceModelRef": {"name": "m"},
            "protocol": {"protocolName": "modbus", "configData": {"ip": "::1"}},
            "properties": [{"name": "p", "desired": {"value": "5"}, "visitors": {"configData": {"offset": 1}}}],
        },
    },
    "nodes": {"metadata": {"name": "n"}, "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}},
    "namespaces": {"metadata": {"name": "ns"}},
    "events": {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "a"}, "lastTimestamp": None},
    "jointokens.edgelite.dev": {"metadata": {"name": "t"}, "spec": {"uses": 1}},
    "artifacts.edgelite.dev": {"metadata": {"name": "art"}},
}


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


@st.composite
def mutated(draw: st.DrawFn) -> tuple[Kind, Any]:
    """A good object of some kind with some of its parts replaced, or something strange added."""
    resource = draw(st.sampled_from(sorted(SEEDS)))
    value: Any = copy.deepcopy(SEEDS[resource])
    for _ in range(draw(st.integers(0, 2))):
        place = draw(st.sampled_from(places(value)))
        strange = draw(json_values)
        if not place:
            value = strange
            continue
        target = value
        for key in place[:-1]:
            target = target[key]
        target[place[-1]] = strange
    return REGISTRY[resource], value


def test_every_seed_is_admitted_as_it_is() -> None:
    assert SEEDS.keys() == {kind.resource for kind in KINDS}
    for resource, value in SEEDS.items():
        kind = REGISTRY[resource]
        _, warnings = admit(kind, value, STRICT, kind.status)
        assert warnings == []


def test_a_status_counts_only_where_it_is_written() -> None:
    body = {**pod(), "status": {"phase": 7}}
    assert "status" not in admit(REGISTRY["pods"], body, STRICT)[0]
    with pytest.raises(StatusError) as caught:
        admit(REGISTRY["pods"], body, STRICT, for_status=True)
    assert caught.value.details["causes"][0]["field"] == "status.phase"


@settings(max_examples=300, deadline=None)
@given(case=mutated(), validation=st.sampled_from([STRICT, WARN, IGNORE]))
def test_any_object_is_stored_and_shown_or_gets_a_status(case: tuple[Kind, Any], validation: str) -> None:
    kind, body = case
    verbs, store = Verbs(REGISTRY), MemoryStore()
    namespace = "default" if kind.namespaced else ""
    model = REGISTRY["devicemodels.devices.kubeedge.io"]

    def create(tx: Any) -> None:
        operation = Operation(tx, Subject(ADMIN), 1_800_000_000_000)
        verbs.create(model, operation, "default", admit(model, SEEDS[model.resource], STRICT)[0])
        value, _ = admit(kind, body, validation, kind.status)
        assert admit(kind, value, STRICT, kind.status) == (value, []), "what was cleaned is clean"
        value["metadata"]["name"] = value["metadata"].get("name", "x") + "-x"
        created = verbs.create(kind, operation, namespace, value)
        name = created["metadata"]["name"]
        if kind.status:
            verbs.replace_status(kind, operation, namespace, name, {**value, "metadata": {"name": name}})
        stored = verbs.get(kind, operation, namespace, name)
        again, _ = admit(kind, stored, STRICT)
        assert verbs.replace(kind, operation, namespace, name, again) == stored
        table(kind, [stored], operation.now_ms, "Object", {})

    try:
        store.transact(create)
    except StatusError as error:
        assert error.code in (400, 422)
        json.dumps(error.body())


@settings(max_examples=100, deadline=None)
@given(body=json_values, kind=st.sampled_from(KINDS))
def test_garbage_gets_a_status(body: Any, kind: Kind) -> None:
    try:
        admit(kind, body, WARN)
    except StatusError as error:
        assert error.code in (400, 422)
