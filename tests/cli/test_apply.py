"""What `apply` sends: a three-way merge, as a JSON merge patch that a strict reading of RFC 7386 carries out."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelite_cli.commands.apply import annotated, difference, manifests, patch_for
from edgelite_cli.failure import Failure


def merge(target: Any, patch: Any) -> Any:
    """RFC 7386, section 2."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merge(result.get(key), value)
    return result


leaves = st.integers(0, 3) | st.text("ab", max_size=2) | st.lists(st.integers(0, 2), max_size=2)
trees = st.recursive(leaves, lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=3), max_leaves=8)
objects = st.dictionaries(st.sampled_from("abcd"), trees, max_size=4)


@given(objects, objects)
def test_applying_over_the_last_applied_gives_the_new_manifest(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merge(old, difference(old, new, old)) == merge(old, difference(old, new, old))
    patched = merge(old, difference(old, new, old))
    assert all(patched[key] == value or isinstance(value, dict) for key, value in new.items())
    assert difference(new, new, patched) == {}


def test_what_others_set_stays_and_what_was_dropped_goes() -> None:
    live = {"a": 1, "b": 2, "status": {"x": 1}, "labels": {"mine": "1", "theirs": "2"}}
    old = {"a": 1, "b": 2, "labels": {"mine": "1"}}
    new = {"a": 3, "labels": {}}
    assert merge(live, difference(old, new, live)) == {"a": 3, "status": {"x": 1}, "labels": {"theirs": "2"}}


def test_the_same_manifest_twice_is_no_change() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v"}}
    live = annotated(manifest) | {"metadata": annotated(manifest)["metadata"] | {"uid": "1", "namespace": "default"}}
    assert patch_for(live, manifest) == {}
    assert patch_for(live, manifest | {"data": {"k": "w"}})["data"] == {"k": "w"}


def test_documents_of_lists_and_folders_are_taken_apart(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("kind: List\nitems:\n- {kind: A}\n- {kind: B}\n")
    (tmp_path / "a.json").write_text('{"kind": "C"}')
    (tmp_path / "notes.txt").write_text("not a manifest")
    assert [manifest["kind"] for _, manifest in manifests([str(tmp_path)])] == ["C", "A", "B"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [1", "m.yaml:2:1: not YAML"),
        ("just text", "m.yaml, document 1: a mapping with apiVersion, kind and metadata is needed"),
    ],
)
def test_a_bad_file_is_named_with_the_place(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(Failure) as caught:
        list(manifests([str(path)]))
    assert said in caught.value.text


def test_an_absent_file_is_named() -> None:
    with pytest.raises(Failure, match=r"cannot read absent\.yaml: No such file"):
        list(manifests(["absent.yaml"]))


def test_a_manifest_too_large_for_an_annotation_goes_without_one() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"k": "v" * 250_000}}
    assert annotated(manifest) == manifest
    assert patch_for(manifest, manifest) == {}
    assert patch_for(manifest | {"data": {"k": "w"}}, manifest) == {"data": manifest["data"]}
