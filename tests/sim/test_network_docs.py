"""The tables of docs/outages.md are those of the code."""

from pathlib import Path

import pytest

from edgelite_sim.network.conditions import CONDITIONS, KINDS
from edgelite_sim.network.outage_plans import WHENS
from edgelite_sim.network.profile import builtin, names
from edgelite_sim.network.profile_file import KEYS, OTHER_KEYS

PAGE = (Path(__file__).parents[2] / "docs" / "outages.md").read_text()


def rate(bit_s: int) -> str:
    return f"{bit_s / 1e6:g} Mbit/s" if bit_s >= 1_000_000 else f"{bit_s / 1e3:g} kbit/s"


def pair(texts: list[str]) -> str:
    return texts[0] if texts[0] == texts[1] else " / ".join(texts)


def time(value_ms: int) -> str:
    return "-" if not value_ms else f"{value_ms // 1000} s" if value_ms < 120_000 else f"{value_ms // 60_000} min"


@pytest.mark.parametrize("name", names())
def test_the_numbers_of(name: str) -> None:
    profile = builtin(name)
    cells = [
        f"`{name}`",
        pair([str(one) for one in profile.latency_ms]),
        str(profile.jitter_ms),
        pair([f"{one * 100:g} %" for one in profile.loss]),
        pair([rate(one) for one in profile.rate_bit_s]),
        time(profile.nat_idle_ms),
        time(profile.forget_ms),
    ]
    assert f"| {' | '.join(cells)} |\n" in PAGE


def test_every_kind_key_and_timetable_is_explained() -> None:
    for kind in KINDS:
        assert f"| `{kind}` | {CONDITIONS[kind].sentence} |\n" in PAGE
    for key in (*KEYS, *OTHER_KEYS):
        assert f"`{key}`" in PAGE
    for name, when in WHENS.items():
        row = next(
            line for line in PAGE.splitlines() if line.startswith(f"| `{name}` |") and "`" in line[len(name) + 6 :]
        )
        assert all(f"`{key}`" in row for key in when.keys), row


def test_the_profile_of_ones_own_that_the_page_shows_is_one() -> None:
    from edgelite_sim.network.profile import parse

    text = PAGE.partition("```toml\n")[2].partition("```")[0]
    assert list(parse(text, "docs/outages.md")) == ["quarry"]
