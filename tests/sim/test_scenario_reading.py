"""Scenario files: what is read, what is refused, in which line, and with which advice."""

from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgelite_sim import faults
from edgelite_sim.scenario import Scenario, ScenarioError, check, library, load, read_text, reference, to_toml, writing
from edgelite_sim.scenario.model import ExpectPart, FaultPart, FleetPart, HubPart, WorkloadPart
from edgelite_sim.world import behaviour
from edgelite_sim.written import fields, units
from edgelite_sim.written.places import Places

BASE = """name = "base"
duration = "2h"

[[fleet]]
name = "shop-{n}"
count = 3
"""


@pytest.mark.parametrize(
    ("text", "expected_ms"),
    [("90s", 90_000), ("1h30m", 5_400_000), ("0.5s", 500), ("2d", 172_800_000), ("250ms", 250), ("1 h", 3_600_000)],
)
def test_durations(text: str, expected_ms: int) -> None:
    assert units.duration_ms(text) == expected_ms


@pytest.mark.parametrize("text", ["", "90", "h", "1x", "-1h", "1h x", "1h,5m"])
def test_no_durations(text: str) -> None:
    assert units.duration_ms(text) is None


@settings(deadline=None)
@given(st.integers(0, 10**12))
def test_a_duration_is_read_as_it_is_written(value_ms: int) -> None:
    assert units.duration_ms(units.duration_text(value_ms)) == value_ms


def test_lines_of_values() -> None:
    text = """name = "x" # a comment
text = \"\"\"
[[fault]]
at = 3
\"\"\"
list = [
  "a", # ]
  "b",
]
[[fault]]
kind = "a"
[fault.more]
deep.key = 1
[[fault]]
"kind" = 'b'
"""
    places = Places(text)
    assert places.line(("name",)) == 1
    assert places.line(("text",)) == 2
    assert places.line(("list",)) == 6
    assert places.line(("fault", 0)) == 10
    assert places.line(("fault", 0, "kind")) == 11
    assert places.line(("fault", 0, "more", "deep", "key")) == 13
    assert places.line(("fault", 1, "kind")) == 15
    assert places.line(("fault", 1, "absent")) == 14
    assert places.line(("nothing",)) == 0


# What is added to BASE, the line that is named, and pieces of what is said.
WRONG = {
    "no TOML": ("[[fleet\n", 8, ["no TOML"]),
    "unknown table": ("[[flet]]\n", 8, ["'flet'", "did you mean 'fleet'?"]),
    "unknown key": ("[[hub]]\nstor_ms = 3\n", 9, ["'stor_ms'", "did you mean 'store_ms'?"]),
    "wrong type": ("[[hub]]\nstore_ms = 'fast'\n", 9, ["store_ms", "no whole number"]),
    "out of bounds": ("[[hub]]\nstore_ms = 70000\n", 9, ["out of bounds", "0 to 60000"]),
    "no duration": ("[[fault]]\nkind = 'power-cut'\nat = '5 minutes'\n", 10, ["no duration", "90s"]),
    "no kind": ("[[fault]]\nat = '1h'\n", 8, ["has no kind", "power-cut"]),
    "unknown fault": ("[[fault]]\nkind = 'powercut'\n", 9, ["no fault 'powercut'", "did you mean 'power-cut'?"]),
    "unknown parameter": (
        "[[fault]]\nkind = 'outage'\nat = '1h'\ntarget = 'all'\nhwo = 'silent'\n",
        12,
        ["'hwo'", "did you mean 'how'?"],
    ),
    "unknown choice": (
        "[[fault]]\nkind = 'outage'\nat = '1h'\ntarget = 'all'\nhow = 'quiet'\n",
        12,
        ["'quiet'", "silent"],
    ),
    "unknown node": (
        "[[fault]]\nkind = 'outage'\nat = '1h'\ntarget = 'shop-4'\n",
        11,
        ["no node is named 'shop-4'", "shop-3"],
    ),
    "too many drawn": (
        "[[fault]]\nkind = 'outage'\nat = '1h'\ntarget = '4 random'\n",
        11,
        ["4 of 3", "1 to 3"],
    ),
    "a fault after the end": (
        "[[fault]]\nkind = 'outage'\nat = '3h'\ntarget = 'all'\n",
        10,
        ["after the end", "lasts 2h"],
    ),
    "no time": ("[[fault]]\nkind = 'outage'\ntarget = 'all'\n", 8, ["at, every and per_hour", "none"]),
    "two times": ("[[fault]]\nkind = 'outage'\nat = '1h'\nevery = '1h'\ntarget = 'all'\n", 8, ["at and every"]),
    "until before from": (
        "[[fault]]\nkind = 'outage'\nevery = '1m'\nfrom = '1h'\nuntil = '30m'\ntarget = 'all'\n",
        12,
        ["before 'from'"],
    ),
    "until with at": (
        "[[fault]]\nkind = 'outage'\nat = '1h'\nuntil = '90m'\ntarget = 'all'\n",
        11,
        ["goes with every"],
    ),
    "no target": ("[[fault]]\nkind = 'outage'\nat = '1h'\n", 8, ["needs a target", "shop-1"]),
    "heal without cut": (
        "[[fault]]\nkind = 'heal'\nat = '1h'\ntarget = 'shop-1'\n",
        8,
        ["nothing is cut", "shop-1"],
    ),
    "restore without backup": ("[[fault]]\nkind = 'hub-restore'\nat = '1h'\n", 8, ["no backup 'backup'", "hub-backup"]),
    "restore before backup": (
        "[[fault]]\nkind = 'hub-restore'\nat = '30m'\n[[fault]]\nkind = 'hub-backup'\nat = '1h'\n",
        8,
        ["no backup 'backup'"],
    ),
    "unknown profile": ("[[fleet]]\nname = 'a'\nprofile = 'lt'\n", 10, ["no profile 'lt'", "lte"]),
    "unknown profile of a fault": (
        "[[fault]]\nkind = 'profile'\nat = '1h'\ntarget = 'all'\nprofile = 'gprss'\n",
        12,
        ["did you mean 'gprs'?"],
    ),
    "own profile with a known name": ("[profiles.lte]\nloss = 0.5\n", 8, ["'lte' already"]),
    "own profile with a wrong key": ("[profiles.mine]\nlos = 0.5\n", 9, ["los"]),
    "two nodes of one name": ("[[fleet]]\nname = 'shop-2'\n", 9, ["two nodes named 'shop-2'"]),
    "a name without number": ("[[fleet]]\nname = 'van'\ncount = 2\n", 9, ["van-{n}"]),
    "a fleet of none": ("[[fleet]]\nname = 'van'\ncount = 0\n", 10, ["out of bounds", "1 to"]),
    "hub missing": ("[[fleet]]\nname = 'van'\nhub = 'north'\n", 10, ["no hub 'north'", "hub"]),
    "two hubs of one name": ("[[hub]]\n[[hub]]\n", 9, ["two named 'hub'"]),
    "unknown setting": ("[[fleet]]\nname = 'van'\nsettings = {jurnal = 1}\n", 10, ["jurnal", "journal_bytes_max"]),
    "settings that do not fit": (
        "[[fleet]]\nname = 'van'\nsettings = {telemetry_bytes_max = '1 KiB'}\n",
        10,
        ["segments"],
    ),
    "a setting of another type": ("[[fleet]]\nname = 'van'\n[fleet.settings]\nbus = 3\n", 11, ["bus: yes or no"]),
    "a name that no node can have": ("[[fleet]]\nname = 'Van_1'\n", 9, ["lower-case"]),
    "a kind that is no text": ("[[fault]]\nkind = ['outage']\n", 9, ["no fault"]),
    "a device on nobody": (
        "[[device]]\nname = 'm'\nfile = 'x.toml'\non = 'van-*'\n",
        11,
        ["no node is named 'van-*'", "shop-1"],
    ),
    "a device without a map": ("[[device]]\nname = 'm'\non = 'all'\n", 8, ["needs a register map"]),
    "a device whose file is not there": (
        "[[device]]\nname = 'm'\non = 'all'\nfile = 'm.toml'\n",
        11,
        ["no file 'm.toml'"],
    ),
    "a device whose map is wrong": (
        "[[device]]\nname = 'm'\non = 'all'\nmodel = {kind = 'modbus', unit = [{numbr = 1}]}\n",
        11,
        ["numbr"],
    ),
    "a workload without sim": (
        "[[workload]]\nname = 'w'\non = 'all'\ncommand = ['sh']\n",
        11,
        ["'sh' is no simulated process"],
    ),
    "a workload of an unknown kind": (
        "[[workload]]\nname = 'w'\non = 'all'\ncommand = ['sim', 'run']\n",
        11,
        ["runs"],
    ),
    "a change of nothing": ("[[change]]\nat = '1h'\n", 8, ["one of apply, text"]),
    "a change of an unknown device": (
        "[[change]]\nat = '1h'\ndevice = 'm@shop-1'\nproperty = 'p'\nvalue = 3\n",
        10,
        ["no device is named"],
    ),
    "a change that is no YAML": ("[[change]]\nat = '1h'\ntext = '{a'\n", 10, ["this text is no YAML"]),
    "a change without objects": ("[[change]]\nat = '1h'\ntext = 'a: 1'\n", 10, ["apiVersion and kind"]),
    "a file that is not there": ("[[change]]\nat = '1h'\napply = 'x.yaml'\n", 10, ["no file 'x.yaml'"]),
    "unknown figure": ("[[expect]]\nfigure = 'deliverd'\nat_least = 1\n", 9, ["did you mean 'delivered'?"]),
    "an expectation of nothing": ("[[expect]]\nfigure = 'delivered'\n", 8, ["at_least"]),
    "an impossible expectation": (
        "[[expect]]\nfigure = 'polls'\nat_least = 5\nat_most = 4\n",
        10,
        ["nothing can pass"],
    ),
    "a figure without its time": ("[[expect]]\nfigure = 'live'\nat_least = 1\n", 8, ["needs 'at'"]),
    "a figure that has no time": ("[[expect]]\nfigure = 'polls'\nat = '1h'\nat_least = 1\n", 10, ["has no 'at'"]),
    "unknown invariant": ("[invariants]\nnothing-lost = true\n", 9, ["no invariant 'nothing-lost'"]),
    "unknown bound": ("[invariants]\nno-reconnect-storm = {window = '5s'}\n", 9, ["did you mean 'window_ms'?"]),
}


@pytest.mark.parametrize(("addition", "line", "said"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named_with_its_line_and_what_is_allowed(addition: str, line: int, said: list[str]) -> None:
    with pytest.raises(ScenarioError) as caught:
        read_text(BASE + "\n" + addition, "wrong.toml")
    assert str(caught.value).startswith(f"wrong.toml:{line}: "), str(caught.value)
    for piece in said:
        assert piece in str(caught.value)


def test_a_scenario_without_nodes_is_refused() -> None:
    with pytest.raises(ScenarioError, match="at least one"):
        read_text('duration = "1h"\n')


def test_a_scenario_without_an_end_is_refused() -> None:
    with pytest.raises(ScenarioError, match="needs 'duration'"):
        read_text('[[fleet]]\nname = "a"\n')


def test_a_scenario_that_is_not_there_lists_those_that_are() -> None:
    with pytest.raises(ScenarioError, match=r"did you mean 'train-line'\?"):
        load("train-lin")


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="no text"):
        load(tmp_path / "x.toml")


def test_a_file_of_objects_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("{a")
    with pytest.raises(ScenarioError, match=r"s\.toml:2: 'x\.yaml' is no YAML"):
        read_text('duration = "1h"\nobjects = "x.yaml"\n[[fleet]]\nname = "a"\n', str(tmp_path / "s.toml"))


def test_defaults() -> None:
    found = read_text(BASE, "some/where.toml")
    assert found.nodes() == ["shop-1", "shop-2", "shop-3"]
    assert (found.seed, found.hubs, found.folder) == (1, [HubPart()], Path("some"))
    assert read_text(BASE.replace('name = "base"\n', ""), "some/where.toml").name == "where"


@pytest.mark.parametrize("name", library.names())
def test_a_scenario_of_the_library_is_written_as_it_was_read(name: str) -> None:
    found = load(name)
    again = read_text(to_toml(found), str(found.folder / "again.toml"))
    assert again == found
    assert found.description


def values_of(field: fields.Field) -> st.SearchStrategy[object]:
    low, high = int(field.minimum or 0), int(field.maximum if field.maximum is not None else 1 << 40)
    whole = st.integers(low, high)
    return {
        "flag": st.booleans(),
        "count": whole,
        "size": whole,
        "duration": whole,
        "jump": whole,
        "span": whole | st.tuples(whole, whole).map(lambda two: (min(two), max(two))),
        "number": st.floats(float(low), float(high)),
        "moment": st.integers(0, 4_000_000_000).map(lambda seconds: seconds * 1000),
        "text": st.sampled_from(field.choices) if field.choices else st.text(min_size=1, max_size=8),
    }[field.type]


def fault_parts() -> st.SearchStrategy[FaultPart]:
    def of(kind: faults.Kind) -> st.SearchStrategy[FaultPart]:
        given_or_not = {field.name: values_of(field) for field in kind.fields}
        return st.builds(
            FaultPart,
            kind=st.just(kind.name),
            target=st.lists(st.sampled_from(["all", "a-*", "3 random"]), min_size=1, max_size=2),
            at=st.integers(0, 10**9),
            jitter=st.integers(0, 10**9),
            parameters=st.fixed_dictionaries({}, optional=given_or_not),
        )

    return st.sampled_from(list(faults.KINDS.values())).flatmap(of)


@settings(deadline=None)
@given(st.lists(fault_parts(), max_size=4))
def test_what_a_program_writes_is_read_back(parts: list[FaultPart]) -> None:
    """Text of any kind too: quotes, newlines, controls."""
    from edgelite_sim.scenario.reading import read

    scenario = Scenario(
        'found "by" a\nhunt\x01',
        3_600_000,
        fleets=[FleetPart("a-{n}", 3, drift_ppm=0.1, settings={"bus": True})],
        workloads=[WorkloadPart("w", ["all"], ["sim", "runs"], environment={"A": "'\\"})],
        faults=parts,
        expectations=[ExpectPart("polls", at_least=1.5)],
        profiles={"mine": {"base": "lte", "outages": [{"when": "nightly", "from": "02:00", "length": "1h"}]}},
        invariants={"bounds-hold": False, "no-reconnect-storm": {"window_ms": 5000}},
    )
    assert read(to_toml(scenario), "x.toml")[0] == scenario


ODD = st.sampled_from([0, -1, 1.5, True, "", "x", "1h", [], ["x"], [1], {}, {"x": 1}, [{}], "2 random", 10**30])


@given(
    st.sampled_from(library.names()), st.randoms(use_true_random=False), ODD, st.sampled_from(["put", "drop", "add"])
)
def test_whatever_stands_in_a_file_is_a_scenario_or_an_error_with_its_place(
    name: str, draw: random.Random, odd: object, how: str
) -> None:
    path = library.folder() / f"{name}.toml"
    document: Any = tomllib.loads(path.read_text())
    place: Any = document
    while True:
        key = draw.choice(list(place) if isinstance(place, dict) else range(len(place)))
        if not isinstance(place[key], dict | list) or not place[key] or draw.random() < 0.3:
            break
        place = place[key]
    if how == "drop":
        del place[key]
    elif how == "add" and isinstance(place, dict):
        place["odd"] = odd
    else:
        place[key] = odd
    try:
        check(read_text(writing.document(document), str(path)))
    except ScenarioError as error:
        assert error.text


def test_a_scenario_made_by_hand_is_checked_too() -> None:
    scenario = Scenario("by hand", 1000, fleets=[FleetPart("a", profile="none")])
    with pytest.raises(ScenarioError, match="no profile 'none'"):
        check(scenario)


def page() -> str:
    return (Path(__file__).parents[2] / "docs" / "simulator.md").read_text("utf-8")


@pytest.mark.parametrize("name", reference.tables())
def test_the_page_has_the_tables_of_the_code(name: str) -> None:
    """`python -m edgelite_sim.scenario.reference` prints what belongs there."""
    assert reference.tables()[name].split("\n\n", 1)[-1] in page()


def test_the_page_names_every_behaviour_of_a_simulated_process() -> None:
    assert [name for name in behaviour.NAMES if f"`sim {name}" not in page()] == []


def test_the_scenario_of_the_page_holds_together() -> None:
    text = next(piece for piece in page().split("```toml\n")[1:] if piece.startswith("name = ")).split("```")[0]
    assert read_text(text).nodes() == ["shop-1", "shop-2"]
