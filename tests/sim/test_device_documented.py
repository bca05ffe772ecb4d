"""What docs/simulated-devices.md shows holds: its files, its program, the names in its tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgelite_sim.devices.condition import PARAMETERS
from edgelite_sim.devices.formula import FUNCTIONS, NAMES
from edgelite_sim.devices.library import folder, names
from edgelite_sim.devices.source import KINDS, device_from

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "simulated-devices.md").read_text()
SNIPPETS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize("text", SNIPPETS, ids=lambda text: text.split('"')[1])
def test_every_file_that_is_shown_holds(text: str) -> None:
    source = device_from(text)
    assert source.current(5_000) == source.current(5_000) != {}


def test_every_kind_is_shown() -> None:
    assert {device_from(text).kind for text in SNIPPETS} == set(KINDS)


def test_the_program_that_is_shown_runs(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(compile(program, "simulated-devices.md", "exec"), {})
    first, second, address = capsys.readouterr().out.splitlines()
    assert "power" in first and "power" in second and address.startswith("127.0.0.1:")


def test_the_tables_have_every_name() -> None:
    for name in (*NAMES, *FUNCTIONS, *PARAMETERS, *(one for row in PARAMETERS.values() for one in row)):
        assert re.search(rf"`[^`]*\b{name}\b[^`]*`", PAGE), name
    for name in names():
        assert f"`{name}.toml`" in PAGE
    assert folder() == ROOT / "sim" / "devices"
