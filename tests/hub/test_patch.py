"""Merge, JSON and strategic merge patches: the RFCs' own examples, and what a list with a merge key does."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite_hub.kinds import default_registry
from edgelite_hub.model.patch import json_patch, merge_patch, strategic_merge_patch
from edgelite_hub.model.status import StatusError

POD = default_registry()["pods"].schema

# RFC 7396, appendix A: (original, patch, result)
MERGES: list[tuple[Any, Any, Any]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("original", "patch", "result"), MERGES)
def test_merge_patch_of_the_rfc(original: Any, patch: Any, result: Any) -> None:
    before = copy.deepcopy((original, patch))
    assert merge_patch(original, patch) == result
    assert (original, patch) == before


# After RFC 6902, appendix A: (document, operations, result)
STEPS: list[tuple[Any, list[dict[str, Any]], Any]] = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"foo": "bar", "baz": "qux"}),
    ({"foo": ["a", "c"]}, [{"op": "add", "path": "/foo/1", "value": "b"}], {"foo": ["a", "b", "c"]}),
    ({"foo": ["a"]}, [{"op": "add", "path": "/foo/-", "value": ["b"]}], {"foo": ["a", ["b"]]}),
    ({"foo": ["a"]}, [{"op": "add", "path": "/foo/1", "value": "b"}], {"foo": ["a", "b"]}),
    ({"foo": 1, "bar": 2}, [{"op": "remove", "path": "/foo"}], {"bar": 2}),
    ({"foo": ["a", "b", "c"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["a", "c"]}),
    ({"foo": 1}, [{"op": "replace", "path": "/foo", "value": None}], {"foo": None}),
    ({"foo": 1}, [{"op": "replace", "path": "", "value": 2}], 2),
    ({"a": {"b": 1}, "c": {}}, [{"op": "move", "from": "/a/b", "path": "/c/d"}], {"a": {}, "c": {"d": 1}}),
    ({"l": [1, 2, 3]}, [{"op": "move", "from": "/l/0", "path": "/l/2"}], {"l": [2, 3, 1]}),
    ({"a": [1]}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": [1], "b": [1]}),
    ({"a/b": 1, "m~n": 2}, [{"op": "test", "path": "/a~1b", "value": 1}, {"op": "remove", "path": "/m~0n"}],
     {"a/b": 1}),
    ({"": 1}, [{"op": "remove", "path": "/"}], {}),
]  # fmt: skip

MISFITS: list[tuple[Any, Any]] = [
    ({"foo": 1}, [{"op": "remove", "path": "/bar"}]),
    ({"foo": 1}, [{"op": "replace", "path": "/bar", "value": 1}]),
    ({"foo": 1}, [{"op": "add", "path": "/bar/baz", "value": 1}]),
    ({"foo": [1]}, [{"op": "add", "path": "/foo/2", "value": 1}]),
    ({"foo": [1]}, [{"op": "remove", "path": "/foo/-"}]),
    ({"foo": [1]}, [{"op": "replace", "path": "/foo/x", "value": 1}]),
    ({"foo": 1}, [{"op": "test", "path": "/foo", "value": True}]),
    ({"foo": 1}, [{"op": "test", "path": "/foo", "value": 2}]),
    ({"foo": 1}, [{"op": "add", "path": "/foo/x", "value": 2}]),
    ({"foo": {}}, [{"op": "move", "from": "/foo", "path": "/foo/x"}]),
    ({"foo": 1}, [{"op": "remove", "path": ""}]),
    ({"foo": 1}, [{"op": "add", "path": "bar", "value": 1}]),
    ({"foo": 1}, [{"op": "add", "path": "/bar"}]),
    ({"foo": 1}, [{"op": "swap", "path": "/bar"}]),
    ({"foo": 1}, [{"op": ["add"], "path": "/bar"}]),
    ({"foo": 1}, [{"path": "/bar"}]),
    ({"foo": 1}, {"op": "add"}),
    ({"foo": 1}, ["add"]),
    ({"foo": 1}, [{"op": "test", "path": "/foo", "value": 1}] * 1001),
]


@pytest.mark.parametrize(("document", "steps", "result"), STEPS)
def test_json_patch_after_the_rfc(document: Any, steps: Any, result: Any) -> None:
    before = copy.deepcopy((document, steps))
    assert json_patch(document, steps) == result
    assert (document, steps) == before


@pytest.mark.parametrize(("document", "steps"), MISFITS)
def test_json_patch_that_does_not_fit_gets_a_status(document: Any, steps: Any) -> None:
    before = copy.deepcopy(document)
    with pytest.raises(StatusError) as caught:
        json_patch(document, steps)
    assert caught.value.code in (400, 422)
    assert document == before


def spec(**fields: Any) -> dict[str, Any]:
    return {"spec": fields}


def containers(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return spec(containers=list(rows), **more)


A, B = {"name": "a", "image": "x:1", "args": ["1", "2"]}, {"name": "b", "image": "y:1"}

STRATEGIC: dict[str, tuple[Any, Any, Any]] = {
    "an item is merged by its key": (
        containers(A, B), containers({"name": "b", "image": "y:2"}), containers(A, {"name": "b", "image": "y:2"}),
    ),
    "a new item is added": (containers(A), containers(B), containers(A, B)),
    "an item is deleted": (containers(A, B), containers({"name": "a", "$patch": "delete"}), containers(B)),
    "a list is replaced": (containers(A), containers({"$patch": "replace"}, B), containers(B)),
    "a list without a key is replaced": (
        containers(A), containers({"name": "a", "args": ["3"]}), containers({**A, "args": ["3"]}),
    ),
    "an order is set": (
        containers(A, B), spec(**{"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}), containers(B, A),
    ),
    "an inner list is merged too": (
        containers({**A, "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]}),
        containers({"name": "a", "env": [{"name": "Y", "value": "3"}, {"name": "X", "$patch": "delete"}]}),
        containers({**A, "env": [{"name": "Y", "value": "3"}]}),
    ),
    "only some keys are retained": (
        spec(volumes=[{"name": "v", "configMap": {"name": "c"}}]),
        spec(volumes=[{"name": "v", "$retainKeys": ["name", "secret"], "secret": {"secretName": "s"}}]),
        spec(volumes=[{"name": "v", "secret": {"secretName": "s"}}]),
    ),
    "finalizers are taken out by value": (
        {"metadata": {"finalizers": ["a", "b"]}},
        {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}},
        {"metadata": {"finalizers": ["b"]}},
    ),
    "a map is merged": (
        {"metadata": {"labels": {"a": "1", "b": "2"}}}, {"metadata": {"labels": {"a": None, "c": "3"}}},
        {"metadata": {"labels": {"b": "2", "c": "3"}}},
    ),
    "an object is replaced": (
        {"metadata": {"name": "x", "labels": {"a": "1"}}}, {"metadata": {"$patch": "replace", "name": "y"}},
        {"metadata": {"name": "y"}},
    ),
    "null removes": (spec(nodeName="n", priority=0), spec(nodeName=None), spec(priority=0)),
}  # fmt: skip


@pytest.mark.parametrize(("target", "patch", "result"), STRATEGIC.values(), ids=STRATEGIC.keys())
def test_strategic_merge(target: Any, patch: Any, result: Any) -> None:
    before = copy.deepcopy((target, patch))
    assert strategic_merge_patch(target, patch, POD) == result
    assert (target, patch) == before


def test_strategic_merge_of_an_item_without_its_key_is_refused() -> None:
    with pytest.raises(StatusError, match="has no name"):
        strategic_merge_patch(containers(A), containers({"image": "z:1"}), POD)


values = st.recursive(
    st.one_of(st.none(), st.integers(0, 2), st.sampled_from(["a", "b"])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(st.sampled_from("ab"), inner, max_size=2)),
    max_leaves=6,
)
steps = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"])},
    optional={
        "path": st.sampled_from(["", "/a", "/a/b", "/a/0", "/b/-", "/b/1", "x"]),
        "from": st.sampled_from(["", "/a", "/a/0", "/b"]),
        "value": values,
    },
)


@settings(max_examples=200, deadline=None)
@given(document=values, patch=st.lists(steps, max_size=4))
def test_any_json_patch_fits_or_gets_a_status(document: Any, patch: Any) -> None:
    before = copy.deepcopy((document, patch))
    try:
        json_patch(document, patch)
    except StatusError as error:
        assert error.code in (400, 422)
    assert (document, patch) == before


@settings(max_examples=200, deadline=None)
@given(document=values, patch=st.dictionaries(st.sampled_from(["a", "b", "$patch", "$setElementOrder/a"]), values))
def test_any_strategic_patch_without_a_schema_is_a_merge_patch(document: Any, patch: Any) -> None:
    from edgelite_hub.model.schema import Type

    assert strategic_merge_patch(document, patch, Type()) == merge_patch(document, patch)
