"""The live proxy for programs and tests that are not asynchronous: it runs in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TypeVar

from edgelite_sim.live.proxy import CONNECTIONS_MAX, Address, LiveProxy, Status
from edgelite_sim.network.profile import Profile

Found = TypeVar("Found")


class ThreadedProxy:
    """As `LiveProxy`, with the same names; `with ThreadedProxy(...) as proxy:` or `start` and `stop`.

    What it raises, the caller gets: UnknownKindError, UnknownProfileError, OSError for a port that is taken.
    """

    def __init__(
        self,
        routes: Sequence[tuple[Address, Address]],
        profile: Profile | str = "lan",
        *,
        seed: int = 0,
        profiles: Mapping[str, Profile] | None = None,
        connections_max: int = CONNECTIONS_MAX,
    ) -> None:
        self._proxy = LiveProxy(routes, profile, seed=seed, profiles=profiles, connections_max=connections_max)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="edgelite-outage-proxy", daemon=True)

    def start(self) -> None:
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._proxy.start(), self._loop).result()
        except BaseException:
            self._end()
            raise

    def stop(self) -> None:
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._proxy.stop(), self._loop).result()
            self._end()

    def __enter__(self) -> ThreadedProxy:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """Of the first route."""
        return self._proxy.ports[0]

    @property
    def ports(self) -> list[int]:
        return self._proxy.ports

    def cut(self, kind: str = "silent", for_s: float | None = None) -> None:
        for_ms = None if for_s is None else round(for_s * 1000)
        self._ask(lambda: self._proxy.cut(kind, for_ms))

    def heal(self) -> None:
        self._ask(self._proxy.heal)

    def use(self, profile: Profile | str) -> None:
        self._ask(lambda: self._proxy.use(profile))

    def status(self) -> Status:
        return self._ask(self._proxy.status)

    def _ask(self, call: Callable[[], Found]) -> Found:
        async def ask() -> Found:
            return call()

        return asyncio.run_coroutine_threadsafe(ask(), self._loop).result()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
