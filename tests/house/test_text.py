"""Committed text names no place that only one machine has."""

import re
from pathlib import Path

import pytest
from house_files import ROOT, committed_files

# General shapes, each with an example that is planted below (in two pieces, so that this file passes its own test).
PLACES = [
    ("a home folder", r"(?<![\w.])/(?:home|Users)/[a-z][\w-]*/", "/ho" + "me/ann/edgelite/"),
    ("root's home", r"(?<![\w.])/root/[\w.]", "/ro" + "ot/.cache"),
    ("a work folder", r"(?<![\w./}])/wo" + r"rk/", "/wo" + "rk/edgelite"),
    ("a job's temporary folder", r"/tmp/(?:tmp|bash|pip|pytest)[\w.-]+/", "/tmp/" + "pytest-of-ann/x"),
    (
        "a package index",
        r"(?:files\.)?python" + r"hosted\.org|py" + r"pi\.org|(?<=/)simple/$",
        "https://py" + "pi.org/simple",
    ),
    ("an index option", r"--(?:extra-)?index" + r"-url[= ]\S*//", "--index" + "-url https://mirror.example/"),
    (
        "a Debian mirror",
        r"\b(?:deb|ftp|snapshot)\.debian\.org|deb" + r" https?://",
        "deb" + " http://mirror.example/debian",
    ),
    ("an npm registry", r"registry\.npm" + r"js\.org", "https://registry.npm" + "js.org/"),
]
# Data that others made, kept as it came.
AS_IT_CAME = ("LICENSE", "tests/protocol/data/rfc8949_appendix_a.json")


def found_in(text: str) -> list[str]:
    return [name for name, pattern, _ in PLACES if re.search(pattern, text, re.MULTILINE)]


def test_no_committed_file_names_such_a_place() -> None:
    bad = []
    for path in committed_files():
        name = str(path.relative_to(ROOT))
        if name not in AS_IT_CAME:
            bad += [f"{name}: {what}" for what in found_in(text_of(path))]
    assert not bad, "\n".join(bad)


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


@pytest.mark.parametrize(("name", "example"), [(name, example) for name, _, example in PLACES])
def test_a_planted_place_is_found(name: str, example: str) -> None:
    assert name in found_in(f"some text {example} and more\n")


@pytest.mark.parametrize(
    "text", ["/var/lib/edgelite/journal", "/run/edgelite/n1", "tests/work/", "/tmp/edgelite-demo/", "./root/x"]
)
def test_ordinary_places_are_left_alone(text: str) -> None:
    assert found_in(f"some text {text} and more\n") == []
