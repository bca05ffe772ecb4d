"""Selectors as Kubernetes writes them: what they match, and what is none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelite_hub.model.selectors import (
    REQUIREMENTS_MAX,
    matches_label_selector,
    parse_field_selector,
    parse_label_selector,
    parse_selector,
)
from edgelite_hub.model.status import StatusError

LABELS = {"app": "web", "tier": "front", "example.com/x": "1", "empty": ""}

MATCHES = {
    "": True,
    "app=web": True,
    "app==web": True,
    "app = web , tier=front": True,
    "app=db": False,
    "app!=db": True,
    "app!=web": False,
    "none!=x": True,
    "app": True,
    "none": False,
    "!none": True,
    "! app": False,
    "app in (web)": True,
    "app in (db, web)": True,
    "app in (db)": False,
    "none in (db)": False,
    "app notin (db,cache)": True,
    "app notin (web)": False,
    "none notin (web)": True,
    "app in (db,web),tier notin (back),!none,example.com/x=1": True,
    "empty=": True,
    "empty in ()": True,
    "app=": False,
}


@pytest.mark.parametrize(("text", "matches"), MATCHES.items())
def test_label_selector(text: str, matches: bool) -> None:
    assert all(requirement.matches(LABELS) for requirement in parse_label_selector(text)) is matches


@pytest.mark.parametrize(
    "text",
    ["=", "a=b=c", "a in b", "a in (b", "a b", ",", "a=b,,c", "!", "a=!b", ",".join(["a"] * (REQUIREMENTS_MAX + 1))],
)
def test_what_is_no_label_selector_is_refused(text: str) -> None:
    with pytest.raises(StatusError) as caught:
        parse_label_selector(text)
    assert caught.value.code == 400


@given(st.text(alphabet="ab=!,() in", max_size=20))
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    try:
        requirements = parse_label_selector(text)
    except StatusError:
        return
    for requirement in requirements:
        assert requirement.matches({}) in (True, False)


def test_selector_object() -> None:
    selector: dict[str, Any] = {
        "matchLabels": {"app": "web"},
        "matchExpressions": [
            {"key": "tier", "operator": "NotIn", "values": ["back"]},
            {"key": "x", "operator": "DoesNotExist"},
        ],
    }
    assert matches_label_selector(selector, LABELS)
    assert not matches_label_selector(selector, {**LABELS, "x": "1"})
    assert not matches_label_selector(selector, {**LABELS, "tier": "back"})
    assert matches_label_selector({}, {})


POD = {"metadata": {"name": "a", "namespace": "n"}, "spec": {"nodeName": "n1"}, "status": {}}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("metadata.name=a", True),
        ("metadata.name==b", False),
        ("spec.nodeName!=n2,metadata.namespace=n", True),
        ("status.phase=", True),
        ("status.phase!=Running", True),
        ("status.phase=Running", False),
        ("", True),
    ],
)
def test_field_selector(text: str, matches: bool) -> None:
    assert parse_selector("", text, "pods").matches(POD) is matches


@pytest.mark.parametrize(
    ("text", "resource"), [("spec.color=red", "pods"), ("status.phase=x", "configmaps"), ("x", "pods")]
)
def test_a_field_that_cannot_be_selected_by_is_refused(text: str, resource: str) -> None:
    with pytest.raises(StatusError) as caught:
        parse_field_selector(text, resource)
    assert caught.value.code == 400


def test_the_node_that_a_selector_is_bound_to() -> None:
    assert parse_selector("", "spec.nodeName=n1", "pods").field_value("spec.nodeName") == "n1"
    assert parse_selector("", "spec.nodeName!=n1", "pods").field_value("spec.nodeName") is None
