"""What became of a desired value, told from a Device: by this wish's own word, never by that of an earlier one."""

from __future__ import annotations

from typing import Any

import pytest

from edgelite_cli.twins import HubDevice, is_same

GENERATION = 7


def device(reported: str, observed: str, **metadata: str) -> HubDevice:
    made = HubDevice(None, "default", "boiler")  # type: ignore[arg-type]
    twin: dict[str, Any] = {
        "propertyName": "setpoint",
        "reported": {"value": reported},
        "observedDesired": {"value": observed, "metadata": {"version": str(GENERATION)} | metadata},
    }
    made.device = {"metadata": {"generation": GENERATION}, "spec": {}, "status": {"twins": [twin]}}
    return made


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (device("60.0", "60"), ""),
        (device("55", "60", error="refused"), "refused"),
        (device("55", "60"), None),  # observed, and not read back yet
        (device("60", "50"), None),  # the node has not heard of it
        (device("55", "60", version="6", error="refused"), None),  # what an earlier wish for the same came to
        (device("60", "60", version="6"), None),
    ],
)
def test_only_the_word_about_this_wish_counts(found: HubDevice, outcome: str | None) -> None:
    assert found.outcome("setpoint", "60") == outcome


def test_a_device_may_keep_fewer_digits() -> None:
    assert is_same("21.3", "21.299999") and is_same("30", "30.0") and is_same("on", "on")
    assert not is_same("21.3", "21.4") and not is_same("on", "off") and not is_same("1", "on")
