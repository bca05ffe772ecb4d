"""Tables, ages, sizes and kubeconfigs: small things that everybody reads."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from edgelite_cli import kubeconfig, output
from edgelite_cli.commands.describe import describe
from edgelite_cli.commands.get import Printer
from edgelite_cli.commands.telemetry import parse_since
from edgelite_cli.failure import Failure

NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("stamp", "shown"),
    [
        ("2026-01-02T11:59:30Z", "30s"),
        ("2026-01-02T11:50:00Z", "10m"),
        ("2026-01-02T03:00:00Z", "9h"),
        ("2025-12-02T12:00:00Z", "31d"),
        ("2026-01-02T12:00:05Z", "0s"),
        (None, "<unknown>"),
    ],
)
def test_age(stamp: str | None, shown: str) -> None:
    assert output.age(stamp, NOW) == shown


def test_columns_line_up_and_lines_have_no_blanks_behind() -> None:
    assert output.table(("NAME", "READY"), [["a-long-name", "1/1"], ["b", ""]]) == (
        "NAME          READY\na-long-name   1/1\nb\n"
    )


def test_a_watch_prints_the_header_once_and_keeps_the_widths(capsys: pytest.CaptureFixture[str]) -> None:
    printer = Printer(False, False)
    columns = [{"name": "Name", "priority": 0}, {"name": "Secret", "priority": 1}, {"name": "Age", "priority": 0}]
    printer.write({"columnDefinitions": columns, "rows": [{"cells": ["a-long-name", "x", "1s"], "object": {}}]})
    printer.write({"columnDefinitions": None, "rows": [{"cells": ["b", "y", "2s"], "object": {}}]})
    assert capsys.readouterr().out == "NAME          AGE\na-long-name   1s\nb             2s\n"


@pytest.mark.parametrize(("text", "since"), [("10m", "400000"), ("30s", "970000"), ("1970-01-01T00:00:01Z", "1000")])
def test_since(text: str, since: str) -> None:
    assert parse_since(text, 1_000_000) == since


def test_a_wrong_since_says_what_would_be_right() -> None:
    with pytest.raises(Failure, match="give an age"):
        parse_since("yesterday", 0)


def test_a_secret_is_described_by_its_sizes_only() -> None:
    secret = {"kind": "Secret", "metadata": {"name": "s", "namespace": "default"}, "data": {"password": "aHVudGVyMg=="}}
    shown = describe(secret)
    assert "7 bytes" in shown
    assert "aHVudGVyMg" not in shown


def test_a_part_with_nothing_to_tell_has_no_heading() -> None:
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    metadata = {"name": "a", "annotations": annotations, "labels": {"app": "x"}}
    shown = describe({"kind": "Pod", "metadata": metadata, "spec": {"volumes": [{}]}})
    assert [line.strip() for line in shown.splitlines()] == ["Pod a", "Labels:", "App:                 x"]


def test_a_kubeconfig_is_read_from_its_current_context(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    document = {
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "k", "user": "u", "namespace": "plant"}}],
        "clusters": [{"name": "k", "cluster": {"server": "https://h:1", "certificate-authority-data": "Q0E="}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    path.write_text(json.dumps(document))
    assert kubeconfig.load(str(path)) == kubeconfig.Access("https://h:1", "CA", "t", "plant")


@pytest.mark.parametrize("text", ["{}", "[]", '{"current-context": "c", "contexts": []}', "\x00", "a: [1"])
def test_a_broken_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(text)
    with pytest.raises(Failure, match=str(path)):
        kubeconfig.load(str(path))


def test_an_absent_kubeconfig_tells_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("EDGELITE_KUBECONFIG", raising=False)
    monkeypatch.setattr(kubeconfig, "candidates", lambda: [tmp_path / "nowhere"])
    with pytest.raises(Failure, match="start a hub on this machine with `edgelite hub`"):
        kubeconfig.load(None)
