"""The picture: 1600 pixels wide, with the colours of what happened where it happened."""

from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from report_story import DAY_MS, HOUR_MS, Story, green, recorded, red

from edgelite_sim.commands import run
from edgelite_sim.report import NoPillow, Recorder, write_png
from edgelite_sim.report.canvas import Colour, colours
from edgelite_sim.report.image import LEFT, RIGHT, WIDTH


def drawn(path: Path, recording: Any) -> Image.Image:
    write_png(recording, path)
    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    image = Image.open(path)
    image.load()
    return image.convert("RGB")


def columns_with(image: Image.Image, colour: Colour) -> set[int]:
    found = set()
    for x in range(image.width):
        counted = image.crop((x, 0, x + 1, image.height)).getcolors(image.height) or []
        if any(pixel == colour for _, pixel in counted):
            found.add(x)
    return found


def test_a_picture_shows_the_verdict_the_lanes_and_the_violation(tmp_path: Path) -> None:
    story = Story(3, DAY_MS)
    image = drawn(tmp_path / "run.png", recorded(story).recording(red(story.nodes[1].name, DAY_MS // 2)))
    assert image.width == WIDTH and 600 < image.height < 4_000
    known = colours()
    assert image.getpixel((WIDTH // 2, 110)) == known["fail"]
    assert len(columns_with(image, known["ok-link"])) > (RIGHT - LEFT) * 0.8
    assert len(columns_with(image, known["silent"])) > 20
    assert any(abs(column - (LEFT + RIGHT) / 2) < 4 for column in columns_with(image, known["violation"]))


def test_a_green_one_is_green(tmp_path: Path) -> None:
    image = drawn(tmp_path / "run.png", recorded(Story(1, HOUR_MS)).recording(green()))
    assert image.getpixel((WIDTH // 2, 110)) == colours()["pass"]
    assert not columns_with(image, colours()["violation"])


def test_a_large_fleet_is_one_field_of_heat_and_few_nodes(tmp_path: Path) -> None:
    image = drawn(tmp_path / "run.png", recorded(Story(300, HOUR_MS, tunnels_a_day=60)).recording(green()))
    assert image.height < 3_500
    assert len(columns_with(image, colours()["h4"])) > 10


def test_the_same_recording_gives_the_same_picture(tmp_path: Path) -> None:
    recording = recorded(Story(2, HOUR_MS)).recording(green())
    write_png(recording, tmp_path / "one.png")
    write_png(recording, tmp_path / "two.png")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_names_that_no_font_has_and_a_run_of_nothing_are_drawn(tmp_path: Path) -> None:
    story = Story(2, HOUR_MS, names=["züg\n\u4e00", "x" * 400])
    drawn(tmp_path / "names.png", recorded(story).recording(green(name="n" * 300, description="d " * 900)))
    drawn(tmp_path / "empty.png", Recorder().recording(green(verdicts=[], expectations=[])))


@pytest.fixture
def no_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "PIL":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)


def test_without_pillow_it_is_said_what_is_missing(tmp_path: Path, no_pillow: None) -> None:
    recording = recorded(Story(1, HOUR_MS)).recording(green())
    with pytest.raises(NoPillow, match="pip install pillow"):
        write_png(recording, tmp_path / "run.png")
    assert not (tmp_path / "run.png").exists()


def test_without_pillow_a_run_for_a_picture_does_not_begin(
    tmp_path: Path, no_pillow: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run.main(["train-line", "--png", str(tmp_path / "run.png")])
    assert ended.value.code == 2
    assert "--png: a report as PNG needs Pillow: pip install pillow" in capsys.readouterr().err
