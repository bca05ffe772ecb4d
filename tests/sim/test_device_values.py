"""Values of simulated devices: what formulas may say, recordings hold, walks do; and that all of it is bounded."""

from __future__ import annotations

import math
import random
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgelite.driver import ConfigurationError
from edgelite_sim.devices.formula import FUNCTIONS, NAMES, formula
from edgelite_sim.devices.source import device_from
from edgelite_sim.devices.values import Clock, Value, Values

DAY_MS = 86_400_000
BLE_MODULES = ("edgelite_sim.devices.ble_", "edgelite_sim.devices.bumble_")


def value(row: object, folder: Path | None = None, seed: int = 1, **clock: int) -> Value:
    return Values(Clock(**clock), folder, seed).parse(row, "value")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("230 + 5 * sin(t / 60)", 230 + 5 * math.sin(2)),
        ("t // 7 % 5 - -1", 120 // 7 % 5 + 1),
        ("2 ** 10 if t > 100 and not reads else 0", 1024),
        ("0 <= t < 60 or reads == 0", 1),
        ("max(min(t, 50), 3) + round(pi, 2)", 53.14),
        ("log(exp(2)) + sqrt(16) + floor(1.9) + abs(-2) + log(8, 2)", 12),
        ("hour * 100 + day", 150 + 32),
    ],
)
def test_what_a_formula_gives(text: str, expected: float) -> None:
    assert formula(text, "f").at(120, 0, 1.5, 32) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("__import__('os').system('true')", "is no function; known are sin"),
        ("().__class__", "a '.' that takes an attribute"),
        ("t.real", "a '.' that takes an attribute"),
        ("[1][0]", "an index"),
        ("lambda: 1", "a lambda"),
        ("x + 1", "'x' is not known; known are t, reads, hour, day, pi"),
        ("'a' * 9", "is no number"),
        ("1e99", "is no number up to"),
        ("sin", "sin is a function: sin(...)"),
        ("sin(1, 2)", "sin() takes 1 arguments"),
        ("round(number=1)", "takes 1 to 2 arguments"),
        ("min(*t)", "min() takes 2 to 10 arguments, without names"),
        ("min(*t, 1)", "Starred is not allowed"),
        ("2 ^ 3", "a power is written **"),
        ("1 +", "is no formula"),
        ("4if t else 2", "is no formula: invalid decimal literal"),
        ("(" * 249 + "1" + ")" * 249, "is no formula"),
        ("-" * 400 + "1", "at most 200"),
        ("+".join("1" * 150), "at most 200"),
        ("1" * 501, "1 to 500 characters"),
        (7, "must be text"),
    ],
)
def test_what_is_no_formula_is_refused_by_what_is_wrong(text: object, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        formula(text, "value.formula")
    assert told in caught.value.text and caught.value.path == "value.formula"


@pytest.mark.parametrize(
    "text", ["1 / t", "log(t)", "9 ** 9 ** 9 ** 9", "(-8) ** 0.5", "exp(1e6)", "t % 0", "1e15 ** 9"]
)
def test_arithmetic_without_a_result_is_an_error_with_its_path(text: str) -> None:
    with pytest.raises(ConfigurationError, match="has no value at t = 0"):
        formula(text, "f").at(0, 0)


@given(st.recursive(
    st.one_of(st.sampled_from(sorted(NAMES)), st.floats(0, 1e6).map(repr), st.integers(0, 10**9).map(str)),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "<", "==", "and"]), inner).map(
            lambda row: "({} {} {})".format(*row)
        ),
        st.tuples(st.sampled_from(sorted(FUNCTIONS)), inner).map(lambda row: "{}({})".format(*row)),
    ),
    max_leaves=12,
), st.integers(0, 10**8))  # fmt: skip
def test_any_formula_gives_a_finite_number_or_the_one_error(text: str, t: int) -> None:
    try:
        assert math.isfinite(formula(text, "f").at(t, 3, 4.5, 6))
    except ConfigurationError:
        return


def test_hour_and_day_are_those_of_the_worlds_clock() -> None:
    noon = value({"formula": "hour + 1000 * day"}, unix_ms=40 * DAY_MS)  # the 10th of February 1970
    assert noon.at(12 * 3_600_000, 0) == 12 + 1000 * 41
    assert noon.at(DAY_MS, 0) == 1000 * 42


def recording(tmp_path: Path, text: str, **options: Any) -> Value:
    (tmp_path / "day.csv").write_text(text)
    return value({"recording": "day.csv", "column": "power", **options}, tmp_path)


CSV = "seconds,power\n0,10\n60,20\n120,40\n"


def test_a_recording_holds_or_draws_lines(tmp_path: Path) -> None:
    held = recording(tmp_path, CSV, time="seconds")
    assert [held.at(ms, 0) for ms in (0, 59_999, 60_000, 500_000)] == [10, 10, 20, 40]
    lines = recording(tmp_path, CSV, time="seconds", interpolate="linear")
    assert [lines.at(ms, 0) for ms in (0, 30_000, 90_000, 500_000)] == [10, 15, 30, 40]
    again = recording(tmp_path, CSV, time="seconds", repeat=True)
    assert [again.at(ms, 0) for ms in (179_999, 180_000, 240_000, 360_000)] == [40, 10, 20, 10]
    paced = recording(tmp_path, "power\n1\n2\n3\n", every_s=10)
    assert [paced.at(ms, 0) for ms in (0, 10_000, 29_000)] == [1, 2, 3]


def test_a_day_is_in_step_with_the_time_of_day(tmp_path: Path) -> None:
    for text in ("time,power\n06:00,1\n18:00:00,2\n", "time,power\n2026-05-01T06:00:00,1\n2026-05-01T18:00:00Z,2\n"):
        (tmp_path / "day.csv").write_text(text)
        row = {"recording": "day.csv", "column": "power", "time": "time", "align": "midnight"}
        day = value(row, tmp_path, started_ms=5 * 3_600_000, unix_ms=0)
        assert [day.at(hour * 3_600_000, 0) for hour in (6, 17, 18, 24 + 7)] == [1, 1, 2, 1]


@pytest.mark.parametrize(
    ("text", "options", "told"),
    [
        (CSV, {"time": "second"}, "has no column 'second'; it has seconds, power"),
        (CSV, {}, "needs either time, the column with the times, or every_s"),
        ("seconds,power\n0,1\n0,2\n", {"time": "seconds"}, "line 3: the time must be later"),
        ("seconds,power\n0,x\n", {"time": "seconds"}, "line 2: could not convert string to float: 'x'"),
        ("seconds,power\n0,nan\n", {"time": "seconds"}, "line 2: 'nan' is no finite number"),
        ("seconds,power\n0\n", {"time": "seconds"}, "line 2: list index out of range"),
        ("seconds,power\n", {"time": "seconds"}, "has no rows"),
        ("", {"time": "seconds"}, "has no column 'power'; it has nothing"),
        (CSV, {"time": "seconds", "period_s": 100}, "must be a number from 120"),
        (CSV, {"time": "seconds", "interpolate": "cubic"}, "must be one of hold, linear"),
        (CSV, {"recording": "night.csv", "time": "seconds"}, "No such file"),
    ],
)
def test_what_is_wrong_with_a_recording(tmp_path: Path, text: str, options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        recording(tmp_path, text, **options)
    assert told in str(caught.value)


WALK = {"walk": {"start": 5, "step": 2, "min": 0, "max": 10, "every_s": 60}}


def test_a_walk_is_the_same_whoever_asks_and_when() -> None:
    minutes = list(range(2000))
    straight = value(WALK, seed=9)
    course = [straight.at(minute * 60_000, 0) for minute in minutes]
    assert course[0] == 5 and all(0 <= one <= 10 for one in course)
    assert min(course) < 1 and max(course) > 9 and all(abs(a - b) <= 2 for a, b in pairwise(course))
    random.Random(1).shuffle(minutes)
    askew = value(WALK, seed=9)
    for minute in minutes[:60]:
        assert askew.at(minute * 60_000 + 59_999, 0) == course[minute]
    assert [value(WALK, seed=10).at(60_000 * one, 0) for one in range(9)] != course[:9]


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ("text", "value"),
        ({}, "value"),
        ({"formula": "1", "counter": "reads"}, "value"),
        ({"formula": "1 / t"}, "value.formula"),
        ({"formula": "1", "column": "x"}, "value.column"),
        ({"counter": "writes"}, "value.counter"),
        ({"walk": {"start": 11, "max": 10, "min": 0}}, "value.walk.start"),
        ({"walk": {"step": 5, "max": 2, "min": 0}}, "value.walk.step"),
        ({"walk": {"every_s": 0}}, "value.walk.every_s"),
        ({"walk": 3}, "value.walk"),
        ({"recording": "x.csv", "column": "a", "every_s": 1}, "value.recording"),
        (float("nan"), "value"),
        (float("inf"), "value"),
        (10**40, "value"),
        ({"steps": []}, "value.steps"),
        ({"steps": [[0, 1], [0, 2]]}, "value.steps[1]"),
        ({"steps": [[0, 1, 2]]}, "value.steps[0]"),
    ],
)  # fmt: skip
def test_a_value_that_is_none_is_refused_by_its_path(row: object, path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        value(row)
    assert caught.value.path == path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind = 'modbs'", "device.kind: must be one of modbus, gps"),
        ("kind = ", "is no TOML"),
        ("a = " + "[" * 5000, "is no TOML"),
        ("kind = 'gps'\nlatitude = 91", "gps.latitude: must be degrees from -90 to 90"),
        ("kind = 'gps'\nweight_kg = 1", "gps.weight_kg: unknown field"),
        ("kind = 'scale'\nperiod_s = 0", "scale.period_s"),
        ("kind = 'meter62056'", "meter62056.row: must be 1 to 200 tables"),
        ("kind = 'meter62056'\nbaud = 333\nrow = [{obis = '1', value = 1}]", "meter62056.baud: must be one of 300"),
        ("kind = 'meter62056'\nrow = [{obis = '1'}]", "row[0]: needs either value or text"),
        ("kind = 'modbus'\n[[unit]]\nnumber = 1\nrange = [{table = 'holding', address = 1, value = 1, access = 'rw'}]",
         "unit[0].range[0].access: what a `value` computes cannot be written"),
        ("kind = 'modbus'\n[[unit]]\nnumber = 1\nrange = [{table = 'input', address = 1, value = {formula = 'u'}}]",
         "unit[0].range[0].value.formula: 'u' is not known"),
        ("kind = 'modbus'\nframing = 'udp'", "map.framing"),
        ("kind = 'ble'", "ble.peripheral: must be a list of 1 to 64 tables"),
        ("kind = 'ble'\nperipheral = [{address = '00:11:22:33:44:55'}]", "peripheral[0].address: must be a static"),
        ("kind = 'ble'\nperipheral = [{address = 'C4:11:22:33:44:55', bthome = {warmth = 1}}]",
         "peripheral[0].bthome.warmth: is no measurement"),
        ("kind = 'ble'\nperipheral = [{address = 'C4:11:22:33:44:55', data = '1a" + "00" * 40 + "'}]",
         "peripheral[0]: advertises"),
    ],
)  # fmt: skip
def test_a_file_that_does_not_hold_is_refused_by_its_path(text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        device_from(text)
    assert told in str(caught.value)


HUGE = "value = {formula = '(10 ** 99) ** 1 * (10 ** 99) * (10 ** 99) * (1 - 2 * (t > 1))'}"
EXTREME = {
    "modbus": "[[unit]]\nnumber = 1\nrange = [" + ", ".join(
        f"{{table = 'input', address = {4 * at}, type = '{kind}', scale = 1e-9, {HUGE}}}"
        for at, kind in enumerate(("int16", "uint16", "int32", "uint64", "float32", "float64"))
    ) + "]",
    "gps": HUGE.replace("value", "latitude") + "\n" + HUGE.replace("value", "altitude"),
    "scale": HUGE.replace("value", "weight_kg"),
    "meter62056": "row = [{obis = '1', " + HUGE + "}]",
    "ble": "[[peripheral]]\naddress = 'C4:11:22:33:44:55'\n[[peripheral.service]]\nuuid = '181A'\ncharacteristic = ["
    + ", ".join(f"{{uuid = '2A6E', type = '{kind}', scale = 1e-9, {HUGE}}}" for kind in ("int8", "float32")) + "]",
}  # fmt: skip


@pytest.mark.parametrize("kind", EXTREME)
def test_no_value_is_too_large_for_a_device(kind: str) -> None:
    """Each holds it at its end, or shows what it showed before: no formula brings a world down."""
    source = device_from(f"kind = '{kind}'\n{EXTREME[kind]}")
    assert source.current(0) and source.current(5000)


def test_an_error_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "x.toml").write_text("kind = 'scale'\nweight_kg = {formula = '1 +'}")
    with pytest.raises(ConfigurationError, match=r"x\.toml: weight_kg\.formula: '1 \+' is no formula"):
        device_from(tmp_path / "x.toml")
    with pytest.raises(ConfigurationError, match=r"y\.toml: No such file"):
        device_from(tmp_path / "y.toml")


def test_without_bumble_there_is_a_line_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in sys.modules if one.partition(".")[0] == "bumble" or one.startswith(BLE_MODULES)]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoBumble(), *sys.meta_path])
    with pytest.raises(ConfigurationError, match="pip install bumble"):
        device_from("kind = 'ble'\nperipheral = [{address = 'C4:11:22:33:44:55'}]")


class NoBumble:
    def find_spec(self, name: str, *_rest: object) -> None:
        if name.partition(".")[0] == "bumble":
            raise ModuleNotFoundError(f"No module named '{name}'", name="bumble")
