"""What the hub's own loops do while the medium fails: go on as soon as it can be written again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from edgelite_protocol.errors import PlatformError

Result = TypeVar("Result")

RETRY_S = 5.0


async def until_written(what: str, attempt: Callable[[], Awaitable[Result]], log: Callable[[str], None]) -> Result:
    """`attempt`, again and again while the medium fails: it may be full only for now. Said once, and once when it is
    over. CorruptionError passes: that does not heal by itself."""
    is_told = False
    while True:
        try:
            result = await attempt()
        except PlatformError as error:
            if not is_told:
                log(f"{what}: {error}; trying again every {RETRY_S:.0f} s")
            is_told = True
            await asyncio.sleep(RETRY_S)
            continue
        if is_told:
            log(f"{what}: go on, the store can be written again")
        return result
