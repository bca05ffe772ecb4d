"""The published budget holds: what a node takes at rest, and on its flash, has not grown.

Compared are figures that repeat: proportional size, private memory, and installed bytes. Between boots of one image
they differ by less than 0.5 %, so 3 % is growth and no noise. Where they have shrunk, or growth was decided, `./dev
bench-guest` writes the budget anew.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from edgelite_sim.qemu import budget
from edgelite_sim.qemu.image import Image
from edgelite_sim.site import Site

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "budget.json"
GROWTH_MAX = 1.03
BOOTS = 1
GUARDED = ("idle Pss kB", "idle Private_Dirty kB", "bundle, unpacked, bytes")


@pytest.mark.timeout(240)
def test_no_runtime_has_grown(tmp_path: Path, built: Image) -> None:
    published = budget.read(PUBLISHED)["runtimes"]

    async def measured() -> dict[str, dict[str, float]]:
        found = await asyncio.gather(*(one(tmp_path / runtime, runtime) for runtime in published))
        return dict(zip(published, found, strict=True))

    async def one(folder: Path, runtime: str) -> dict[str, float]:
        folder.mkdir()
        site = Site(folder)
        try:
            await site.start_hub()
            return await budget.measure(site, runtime, "", BOOTS, True, lambda figures: None)
        finally:
            await site.stop()

    grown = too_large(published, asyncio.run(measured()))
    assert not grown, "\n".join(grown)


def too_large(published: dict[str, dict[str, float]], found: dict[str, dict[str, float]]) -> list[str]:
    return [
        f"{runtime}: {name} was {figures[name]:,.0f}, and is {found[runtime][name]:,.0f}: "
        "save it again, or decide the growth and run ./dev bench-guest"
        for runtime, figures in published.items()
        for name in GUARDED
        if found[runtime][name] > figures[name] * GROWTH_MAX
    ]


def test_the_guard_notices_growth_and_nothing_else() -> None:
    was = {"cpython": dict.fromkeys(GUARDED, 1000.0)}
    assert too_large(was, {"cpython": dict.fromkeys(GUARDED, 1030.0)}) == []
    assert len(too_large(was, {"cpython": dict.fromkeys(GUARDED, 1031.0)})) == len(GUARDED)


def test_a_budget_that_is_none_says_what_writes_one(tmp_path: Path) -> None:
    (tmp_path / "budget.json").write_text("[]")
    with pytest.raises(ValueError, match=r"\./dev bench-guest writes one"):
        budget.read(tmp_path / "budget.json")
