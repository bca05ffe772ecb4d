"""The report as one page of HTML that needs nothing but itself: style, script and data are in it.

What an engineer wants first comes first: whether it is green, and if not, where and when. Every drawing is there
without the script, which adds zooming, what is under the pointer, and a filter of nodes.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files
from pathlib import Path

from edgelite_sim.report import page_tables, page_timeline, plan, words
from edgelite_sim.report.page_data import data_of
from edgelite_sim.report.page_timeline import Contents
from edgelite_sim.report.recording import Recording, Verdict

TICK = '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M4.5 12.5l5 5 10-11"/></svg>'
CROSS = '<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18"/></svg>'


def write_html(recording: Recording, path: Path | str) -> None:
    """Writes the page. The same recording gives the same bytes."""
    Path(path).write_text(html_of(recording), encoding="utf-8")


def html_of(recording: Recording) -> str:
    contents = Contents.of(recording)
    style, script = (files(__package__).joinpath(name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    verdict = "green" if recording.passed else "RED"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(recording.name)}: {verdict} (seed {recording.seed})</title>
<style>
{style}</style>
</head>
<body class="{"pass" if recording.passed else "fail"}">
{_head(recording)}
<main>
{_tiles(recording)}
{_violations(contents)}
{page_timeline.section(contents)}
{page_timeline.curves_section(contents)}
{_invariants(contents)}
{page_tables.section(contents)}
</main>
<footer>Drawn by the edgelite simulator from what could be seen of the run from outside. Times are UTC, of the simulated
calendar. The same seed and the same version give the same trace.</footer>
<script type="application/json" id="data">{data_of(contents)}</script>
<script>
{script}</script>
</body>
</html>
"""


def _head(recording: Recording) -> str:
    speed = recording.span_ms / 1000 / recording.real_s if recording.real_s > 0 else 0
    facts = [
        ("Seed", f"<code>{recording.seed}</code>"),
        ("Trace", f'<code title="{escape(recording.digest)}">{escape(recording.digest[:16])}</code>'),
        ("Simulated", escape(words.duration(recording.span_ms))),
        ("In real time", f"{words.duration(recording.real_s * 1000)}, {words.count(round(speed))} times as fast"),
        ("Begins", f"{words.moment(recording.start_unix_ms)} UTC"),
    ]
    items = "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in facts)
    return f"""<header>
<p class="kind">Simulated run</p>
<h1>{escape(recording.name)}</h1>
<p class="description">{escape(recording.description)}</p>
<div class="verdict" role="status">{_icon(recording.passed)}<div><strong>{escape(headline(recording))}</strong>
<span>{escape(below_headline(recording))}</span></div></div>
<dl class="facts">{items}</dl>
</header>"""


def _icon(passed: bool) -> str:
    return TICK if passed else CROSS


def headline(recording: Recording) -> str:
    broken = sum(not one.passed for one in recording.verdicts)
    missed = sum(not one.passed for one in recording.expectations)
    parts = []
    if broken:
        parts.append(f"{broken} of {words.plural(len(recording.verdicts), 'invariant')} broken")
    if missed:
        parts.append(f"{missed} of {words.plural(len(recording.expectations), 'expectation')} not met")
    return ", ".join(parts) if parts else "Everything held"


def below_headline(recording: Recording) -> str:
    if recording.passed:
        met = words.plural(len(recording.verdicts), "invariant")
        if recording.expectations:
            met += " and " + words.plural(len(recording.expectations), "expectation")
        return f"{met}, through {words.plural(plan.faults(recording), 'fault')}"
    times = [one.time_ms for one in recording.verdicts if not one.passed and one.time_ms is not None]
    if not times:
        return f"after {words.plural(plan.faults(recording), 'fault')}"
    return f"the first time {words.duration(min(times))} in, at {words.moment(recording.start_unix_ms + min(times))}"


def _tiles(recording: Recording) -> str:
    tiles = page_tables.tiles(recording)
    items = "".join(f"<div><dt>{name}</dt><dd>{value}<small>{note}</small></dd></div>" for name, value, note in tiles)
    return f'<dl class="tiles">{items}</dl>'


def _violations(contents: Contents) -> str:
    """Only there when something is wrong: what, where, when, and the way to that place in the timeline."""
    recording = contents.recording
    cards = []
    for one in recording.verdicts:
        if not one.passed:
            cards.append(
                f'<li><div class="card-head">{CROSS}<h3>{escape(one.name)}</h3>{_when(contents, one)}</div>'
                f"<p class=sentence>{escape(one.sentence)}</p><p class=violation-text>{escape(one.violation)}</p></li>"
            )
    for expectation in recording.expectations:
        if not expectation.passed:
            cards.append(
                f'<li><div class="card-head">{CROSS}<h3>expected: {escape(expectation.text)}</h3></div>'
                f"<p class=violation-text>found: {escape(expectation.found)}</p></li>"
            )
    if not cards:
        return ""
    return f'<section id="broken"><h2>What broke</h2><ol class="cards">{"".join(cards)}</ol></section>'


def _when(contents: Contents, broken: Verdict) -> str:
    time_ms = broken.time_ms
    if broken.passed or time_ms is None:
        return ""
    unix_ms = contents.recording.start_unix_ms + time_ms
    return (
        f'<a class="goto" href="#{contents.place_of(broken.violation)}" data-time="{time_ms}">'
        f"{escape(words.duration(time_ms))} in"
        f"<span> · {words.moment(unix_ms)}</span></a>"
    )


def _invariants(contents: Contents) -> str:
    recording = contents.recording
    rows = "".join(
        f'<li class="{"held" if one.passed else "broken"}">{_icon(one.passed)}<div><h3>{escape(one.name)}'
        f"<span class=says>{'held' if one.passed else 'broken'}</span>{_when(contents, one)}</h3>"
        f"<p>{escape(one.sentence)}</p>{_first(one.violation)}</div></li>"
        for one in recording.verdicts
    )
    expected = "".join(
        f'<li class="{"held" if one.passed else "broken"}">{_icon(one.passed)}<div><h3>{escape(one.text)}</h3>'
        f"<p>found: {escape(one.found)}</p></div></li>"
        for one in recording.expectations
    )
    expectations = f'<section id="expectations"><h2>Expectations</h2><ul class="list">{expected}</ul></section>'
    return (
        f'<section id="invariants"><h2>Invariants</h2><ul class="list">{rows}</ul></section>'
        f"{expectations if expected else ''}"
    )


def _first(violation: str) -> str:
    return f"<p class=violation-text>First: {escape(violation)}</p>" if violation else ""
