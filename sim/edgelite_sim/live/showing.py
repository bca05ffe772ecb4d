"""What a running proxy shows: a picture that follows it on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from edgelite_sim.live.proxy import LiveProxy
from edgelite_sim.network.conditions import CONDITIONS
from edgelite_sim.written import units

if TYPE_CHECKING:
    from rich.table import Table

REFRESH_S = 0.25


def rows(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Names and figures of a status, for people."""
    up, down = status["wire_bytes"]
    refused = status["refused_connections"]
    return [
        ("profile", status["profile"]),
        ("link", f"{status['state']} for {whole_seconds(status['for_ms'])}: {CONDITIONS[status['state']].sentence}"),
        ("changes in", "-" if status["next_ms"] is None else whole_seconds(status["next_ms"])),
        ("connections", f"{status['connections']}" + (f", {refused} turned away" if refused else "")),
        ("on the wire", f"{units.size_text(up)} up, {units.size_text(down)} down"),
    ]


def whole_seconds(value_ms: int) -> str:
    return units.duration_text(value_ms // 1000 * 1000)


def text(status: Mapping[str, Any]) -> str:
    return "".join(f"{name:<12} {value}\n" for name, value in rows(status))


def line(status: Mapping[str, Any]) -> str:
    up, down = status["wire_bytes"]
    parts = [
        datetime.now().strftime("%H:%M:%S"),
        status["state"],
        f"profile {status['profile']}",
        f"{status['connections']} connections",
        f"{units.size_text(up)} up, {units.size_text(down)} down",
    ]
    return "  ".join(parts) + "\n"


async def show(proxy: LiveProxy, until: asyncio.Event) -> None:
    if sys.stdout.isatty():
        await _show_picture(proxy, until)
    else:
        await _show_lines(proxy, until)


async def _show_lines(proxy: LiveProxy, until: asyncio.Event) -> None:
    def tell() -> None:
        sys.stdout.write(line(asdict(proxy.status())))
        sys.stdout.flush()

    proxy.on_change = tell
    tell()
    await until.wait()


async def _show_picture(proxy: LiveProxy, until: asyncio.Event) -> None:
    from rich.live import Live

    with Live(_picture(proxy), auto_refresh=False) as live:
        while not until.is_set():
            live.update(_picture(proxy), refresh=True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(until.wait(), REFRESH_S)


def _picture(proxy: LiveProxy) -> Table:
    from rich.table import Table

    status = asdict(proxy.status())
    table = Table.grid(padding=(0, 3))
    for name, value in rows(status):
        colour = {True: "green", False: "red"}[status["state"] == "up"] if name == "link" else "bold"
        table.add_row(f"[dim]{name}[/]", f"[{colour}]{value}[/]")
    return table
