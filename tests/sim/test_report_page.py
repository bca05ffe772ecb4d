"""The page: whole by itself, safe, bounded, and it says what broke."""

from __future__ import annotations

import json
import re
from functools import cache
from html.parser import HTMLParser

import pytest
from report_story import DAY_MS, HELD, HOUR_MS, YEAR_MS, Story, green, recorded, red

from edgelite_sim.report import Recorder, Recording
from edgelite_sim.report.page import html_of
from edgelite_sim.report.plan import DETAIL_OF_FLEET, detailed, names_in

SIZE_BYTES_MAX = 3_000_000
VOID = {"meta", "input", "br", "link", "img"}
HOSTILE = ["<script>alert(1)</script>", 'a"onmouseover="x', "</script><b>", "&amp;'", "node\u2028"]


class Page(HTMLParser):
    """Elements must close in the order in which they were opened."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.mistakes: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.mistakes.append(f"</{tag}> at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


SCALES = {
    "8 nodes, 1 day": (8, DAY_MS, 40),
    "1 node, 1 year": (1, YEAR_MS, 40),
    "1,000 nodes, 1 hour": (1000, HOUR_MS, 60),
}


@cache
def recording_of(scale: str) -> Recording:
    nodes, span_ms, tunnels = SCALES[scale]
    # A year in steps of ten minutes: as many changes, and the test stays quick.
    story = Story(nodes, span_ms, 600_000 if span_ms == YEAR_MS else 60_000, tunnels)
    return recorded(story).recording(red(story.nodes[min(4, nodes - 1)].name, int(span_ms * 0.4)))


@cache
def page_of(scale: str) -> Page:
    return Page(html_of(recording_of(scale)))


@pytest.mark.parametrize("scale", SCALES)
def test_the_page_is_well_formed(scale: str) -> None:
    page = page_of(scale)
    assert (page.mistakes, page.open) == ([], [])
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {(attributes["href"] or "")[1:] for attributes in page.of("a")}
    assert targets <= set(ids)


@pytest.mark.parametrize("scale", SCALES)
def test_the_page_is_bounded(scale: str) -> None:
    assert len(html_of(recording_of(scale)).encode()) < SIZE_BYTES_MAX


@pytest.mark.parametrize("scale", SCALES)
def test_the_page_needs_nothing_but_itself(scale: str) -> None:
    page = page_of(scale)
    assert not page.of("link") and not page.of("img") and not page.of("iframe")
    for _, attributes in page.elements:
        assert not {"src", "srcset", "data", "action"} & attributes.keys()
        assert (attributes.get("href") or "#").startswith("#")
    assert "://" not in html_of(recording_of(scale))
    assert not re.search(
        r"url\(|@import|fetch\(|XMLHttpRequest|import\(", "".join(page.texts["style"] + page.texts["script"])
    )


def test_a_violation_is_told_first_with_its_place_and_time() -> None:
    text = html_of(recording_of("8 nodes, 1 day"))
    assert "2 of 9 invariants broken, 1 of 3 expectations not met" in text
    assert text.index("What broke") < text.index("Timeline<")
    card = text[text.index('id="broken"') : text.index('id="timeline"')]
    assert "report 1/7/1042 was acknowledged and is not in the hub&#x27;s store" in card
    assert "9 h 36 min in" in card and 'data-time="34560000"' in card and 'href="#node-4"' in card
    assert "23 of 24 are" in card
    assert text.count('class="violation"') >= 3  # over the faults, the hub, and the node


def test_every_invariant_and_expectation_is_there() -> None:
    text = html_of(recording_of("8 nodes, 1 day"))
    part = text[text.index('id="invariants"') :]
    for name, sentence, *_ in HELD:
        assert f"<h3>{name}<" in part and sentence.replace("'", "&#x27;") in part
    assert part.count('class="held"') == 7 + 2
    assert part.count('class="broken"') == 2 + 1


def test_a_green_page_says_so_and_has_nothing_broken() -> None:
    text = html_of(recorded(Story(2, HOUR_MS)).recording(green()))
    assert "Everything held" in text and '<body class="pass">' in text
    assert "What broke" not in text and 'class="flag' not in text
    assert "9 invariants and 2 expectations" in text


def test_hostile_names_stay_text() -> None:
    story = Story(len(HOSTILE), HOUR_MS, names=HOSTILE)
    recorder = recorded(story)
    recorder.unit(HOSTILE[0], HOSTILE[2], "u", "started", 5)
    recorder.session(HOSTILE[0], False, HOSTILE[2], HOUR_MS - 5)
    recorder.fault(HOSTILE[2], HOSTILE[0], HOSTILE[1], 7)
    outcome = green(
        name=HOSTILE[0], description=HOSTILE[2], digest=HOSTILE[1], expectations=[(HOSTILE[0], False, HOSTILE[2])]
    )
    outcome.verdicts = [(HOSTILE[0], HOSTILE[2], False, f"{HOSTILE[0]}: {HOSTILE[1]}", 60_000)]
    page = Page(html_of(recorder.recording(outcome)))
    assert (page.mistakes, page.open) == ([], [])
    assert len(page.of("script")) == 2
    assert not any("onmouseover" in attributes for _, attributes in page.elements)
    told = json.loads(page.texts["script"][0])
    assert [node["name"] for node in told["nodes"]] == sorted(HOSTILE)


def test_the_same_recording_gives_the_same_page() -> None:
    one, two = (recorded(Story(3, 2 * HOUR_MS)).recording(green()) for _ in range(2))
    assert html_of(one) == html_of(two)


def test_what_the_script_tells_is_what_is_drawn() -> None:
    recording = recording_of("8 nodes, 1 day")
    told = json.loads(page_of("8 nodes, 1 day").texts["script"][0])
    assert told["span"] == DAY_MS and len(told["nodes"]) == 8
    name, ends, texts = told["nodes"][0]["lanes"][1]
    pieces = recording.nodes[0].lanes["link"].pieces
    assert name == "link" and ends == [piece.end_ms for piece in pieces]
    assert [told["texts"][at] for at in texts] == [piece.state for piece in pieces]
    assert {"wire", "flash", "waiting", "delivery", "late", "live", "attempts", "lag"} == told["charts"].keys()


def test_of_a_fleet_those_with_violations_come_first_in_detail() -> None:
    recording = recording_of("1,000 nodes, 1 hour")
    nodes = detailed(recording)
    assert len(nodes) == DETAIL_OF_FLEET and nodes[0].name == "train-0005"
    assert len(page_of("1,000 nodes, 1 hour").of("tr")) > 1_000  # and all of them are in the table


def test_nodes_are_found_in_the_words_of_a_violation() -> None:
    names = ["gate", "gate-1", "gate-12"]
    assert names_in("gate-1: lost 3 reports.", names) == ["gate-1"]
    assert names_in("between gate and gate-12.", names) == ["gate", "gate-12"]
    assert names_in("gateway", names) == []


def test_a_run_of_nothing_still_has_a_page() -> None:
    assert Page(html_of(Recorder().recording(green(verdicts=[], expectations=[])))).mistakes == []


def test_a_page_without_its_script_shows_all() -> None:
    text = html_of(recording_of("8 nodes, 1 day"))
    before = text[: text.index("<script")]
    assert before.count("<svg") > 15 and "Jan 1" in before
    assert ".controls { display: none" in before  # what only the script can do is not offered


def test_a_busy_lane_is_drawn_twice_and_shown_once() -> None:
    year, day = html_of(recording_of("1 node, 1 year")), html_of(recording_of("8 nodes, 1 day"))
    assert '<g class="coarse">' in year and '<g class="fine">' in year
    assert '<g class="coarse">' not in day
    assert ".fine, .zoomed .coarse { display: none; }" in day
