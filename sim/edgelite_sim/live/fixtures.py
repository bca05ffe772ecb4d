"""Pytest fixtures for tests against live outages.

def test_my_service_survives_a_tunnel(outage_proxy):
    proxy = outage_proxy(to=("127.0.0.1", my_port), profile="lte")
    ...  # connect to proxy.port
    proxy.cut("silent", for_s=2)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import pytest

from edgelite_sim.live.proxy import Address
from edgelite_sim.live.threaded import ThreadedProxy
from edgelite_sim.network.profile import Profile


class OutageProxyFactory(Protocol):
    def __call__(self, to: Address, profile: Profile | str = "lan", seed: int = 0) -> ThreadedProxy:
        """A proxy that runs, on a free port of loopback; the test's end stops it."""
        ...


@pytest.fixture
def outage_proxy() -> Iterator[OutageProxyFactory]:
    proxies: list[ThreadedProxy] = []

    def make(to: Address, profile: Profile | str = "lan", seed: int = 0) -> ThreadedProxy:
        proxy = ThreadedProxy([(("127.0.0.1", 0), to)], profile, seed=seed)
        proxy.start()
        proxies.append(proxy)
        return proxy

    try:
        yield make
    finally:
        for proxy in proxies:
            proxy.stop()
