"""Which hub a command talks to, and what it says where that cannot be known."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgelite_cli import kubeconfig
from edgelite_cli.commands import adopt, token
from edgelite_cli.failure import Failure


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("EDGELITE_KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    return tmp_path


def test_a_kubeconfig_that_may_not_be_read_is_said_and_not_passed_over(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(Failure, match=r"cannot read the kubeconfig .*Permission denied"):
        kubeconfig.load(None)


def test_a_kubeconfig_that_is_named_is_never_replaced_by_another_hubs(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / ".kube").mkdir()
    (home / ".kube/config").write_text("{}")
    assert kubeconfig.find(None) == home / ".kube/config"
    monkeypatch.setenv("EDGELITE_KUBECONFIG", str(home / "absent"))
    assert kubeconfig.find(None) == home / "absent"
    with pytest.raises(Failure, match="absent: No such file"):
        kubeconfig.load(None)


@pytest.mark.parametrize("arguments", [["--kubeconfig", "a b", "list"], ["list", "--kubeconfig", "a b"]])
def test_token_takes_the_kubeconfig_on_either_side_of_its_action(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert token.main(arguments) == 1
    assert "cannot read the kubeconfig a b: No such file" in capsys.readouterr().err


class FakeClient:
    def __init__(self, conditions: list[dict[str, str]]) -> None:
        self.conditions = conditions

    def request(self, method: str, path: str) -> object:
        return {"status": {"conditions": self.conditions}}


def test_nothing_is_adopted_ahead_of_a_divergence() -> None:
    follows = FakeClient([{"type": "Ready", "status": "True"}])
    with pytest.raises(Failure, match="nothing to adopt"):
        adopt.check_diverged(follows, "n1")  # type: ignore[arg-type]
    adopt.check_diverged(FakeClient([{"type": "Diverged", "status": "True"}]), "n1")  # type: ignore[arg-type]
