"""The dispatcher: what a stranger types first, and what the agent's process may not load."""

import subprocess
import sys

import pytest

from edgelite_cli import main as dispatcher
from edgelite_cli.main import COMMANDS, EXIT_OK, EXIT_USAGE, SECTIONS, main


def test_the_overview_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == EXIT_OK
    shown = capsys.readouterr().out
    assert sorted(name for _, names in SECTIONS for name in names) == sorted(COMMANDS)
    assert all(f"\n  {name} " in shown for name in COMMANDS)


def test_no_command_is_wrong_usage_and_shows_the_overview(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == EXIT_USAGE
    assert "usage: edgelite COMMAND" in capsys.readouterr().out


def test_a_mistyped_command_is_answered_with_the_one_meant(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["aply"]) == EXIT_USAGE
    assert "did you mean `edgelite apply`?" in capsys.readouterr().err


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"agent"}))
def test_each_command_explains_itself(name: str) -> None:
    done = subprocess.run([sys.executable, "-m", "edgelite_cli", name, "--help"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"usage: edgelite {name}" in done.stdout


def test_a_missing_dependency_is_named_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(COMMANDS, "hub", ("edgelite_no_such_room", "main", ""))
    assert main(["hub"]) == 1
    assert "not part of this bundle" in capsys.readouterr().err
    monkeypatch.setitem(COMMANDS, "hub", ("no_such_dependency", "main", ""))
    assert main(["hub"]) == 1
    assert "pip install 'edgelite[hub]'" in capsys.readouterr().err


def test_the_dispatcher_imports_nothing_but_sys() -> None:
    code = "import sys; before = set(sys.modules); import edgelite_cli.main; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['edgelite_cli', 'edgelite_cli.main']"
    assert dispatcher.COMMANDS["agent"][0].startswith("edgelite_ports.")
