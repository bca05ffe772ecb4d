"""The live proxy's outages are what they say, seen from both ends over real sockets, in real time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from edgelite_sim.live import ThreadedProxy
from edgelite_sim.network.conditions import UnknownKindError
from edgelite_sim.network.profile import Profile, UnknownProfileError, builtin
from edgelite_sim.network.timetable import FixedPlan

if TYPE_CHECKING:
    from edgelite_sim.live.fixtures import OutageProxyFactory

pytest_plugins = ["edgelite_sim.live.fixtures"]

NEAR = Profile("near", latency_ms=(5, 5))
PATIENCE_S = 0.4  # nothing that passes takes so long here
DEADLINE_S = 10.0
TAKEN_BYTES_MAX = 64 << 20  # more than the buffers of four sockets of the kernel and the proxy's own


class Echo:
    """Answers with what it gets; counts it, and how connections ended."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self.listening.getsockname()
        self.received = 0
        self.ended: list[str] = []
        self.is_reading = threading.Event()
        self.is_reading.set()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                self.is_reading.wait(DEADLINE_S)
                while data := connection.recv(65_536):
                    self.received += len(data)
                    connection.sendall(data)
                self.ended.append("closed")
            except OSError:
                self.ended.append("reset")


@pytest.fixture
def echo() -> Iterator[Echo]:
    made = Echo()
    yield made
    made.listening.close()


@pytest.fixture(autouse=True)
def nothing_is_raised_in_the_loop(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


def connect(proxy: ThreadedProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=DEADLINE_S)


def ask(channel: socket.socket, text: bytes, patience_s: float = DEADLINE_S) -> bytes:
    """What answers; b"" for nothing within the patience."""
    channel.sendall(text)
    channel.settimeout(patience_s)
    try:
        return channel.recv(65_536)
    except TimeoutError:
        return b""
    finally:
        channel.settimeout(DEADLINE_S)


def is_refused(proxy: ThreadedProxy) -> bool:
    try:
        connect(proxy).close()
    except ConnectionRefusedError:
        return True
    return False


def until(what: Callable[[], object]) -> None:
    end_s = time.monotonic() + DEADLINE_S
    while not what():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_bytes_take_the_latency_of_the_profile(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    proxy = outage_proxy(echo.address, replace(NEAR, latency_ms=(60, 60)))
    with connect(proxy) as channel:
        assert ask(channel, b"first") == b"first"  # connecting takes a round trip too
        began_s = time.monotonic()
        assert ask(channel, b"second") == b"second"
        assert 0.12 <= time.monotonic() - began_s < 1
    status = proxy.status()
    assert (status.profile, status.state) == ("near", "up")
    assert status.wire_bytes[0] > 11 + 2 * 52


def test_a_rate_holds_in_real_time(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    proxy = outage_proxy(echo.address, replace(NEAR, rate_bit_s=(800_000, 0)))
    with connect(proxy) as channel:
        began_s = time.monotonic()
        channel.sendall(bytes(50_000))
        until(lambda: echo.received == 50_000)
        assert 0.45 < time.monotonic() - began_s < 2


def test_a_tunnel_ends_nothing(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    proxy = outage_proxy(echo.address, NEAR)
    with connect(proxy) as channel:
        assert ask(channel, b"before") == b"before"
        proxy.cut("silent", for_s=PATIENCE_S)
        assert ask(channel, b"in it", PATIENCE_S / 2) == b""
        assert proxy.status().state == "silent"
        assert channel.recv(100) == b"in it"  # repeated once it is over
        assert proxy.status().state == "up"


def test_who_connects_in_a_tunnel_is_answered_after_it(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    proxy = outage_proxy(echo.address, NEAR)
    proxy.cut("silent")
    with connect(proxy) as channel:
        assert ask(channel, b"hello", PATIENCE_S) == b""
        proxy.heal()
        assert channel.recv(100) == b"hello"


def test_a_refused_connection_is_refused(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    proxy = outage_proxy(echo.address, NEAR)
    with connect(proxy) as channel:
        assert ask(channel, b"before") == b"before"
        proxy.cut("refused")
        with pytest.raises(ConnectionResetError):
            channel.recv(100)
        until(lambda: echo.ended == ["reset"])
    with pytest.raises(ConnectionRefusedError):
        connect(proxy)
    proxy.heal()
    with connect(proxy) as channel:
        assert ask(channel, b"after") == b"after"


def test_a_reset_ends_what_is_open_and_nothing_else(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    proxy = outage_proxy(echo.address, NEAR)
    with connect(proxy) as first:
        assert ask(first, b"before") == b"before"
        proxy.cut("reset")
        with pytest.raises(ConnectionResetError):
            first.recv(100)
    with connect(proxy) as second:
        assert ask(second, b"after") == b"after"


def test_half_open_connections_stay_dead_and_nobody_hears(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    proxy = outage_proxy(echo.address, NEAR)
    with connect(proxy) as first:
        assert ask(first, b"before") == b"before"
        proxy.cut("half-open")
        assert ask(first, b"dead", PATIENCE_S) == b""
        with connect(proxy) as second:
            assert ask(second, b"alive") == b"alive"
        assert "reset" not in echo.ended
    until(lambda: echo.ended == ["closed"])  # the second; of the first the server never hears


def test_a_nat_forgets_the_idle(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    proxy = outage_proxy(echo.address, replace(NEAR, nat_idle_ms=800))
    with connect(proxy) as channel:
        for _ in range(3):
            assert ask(channel, b"soon") == b"soon"
            time.sleep(0.1)
        time.sleep(1.0)
        assert ask(channel, b"late", PATIENCE_S) == b""


@pytest.mark.parametrize(("kind", "heard"), [("one-way-up", 0), ("one-way-down", 5)])
def test_one_way_loss(outage_proxy: OutageProxyFactory, echo: Echo, kind: str, heard: int) -> None:
    proxy = outage_proxy(echo.address, NEAR)
    with connect(proxy) as channel:
        assert ask(channel, b"hello") == b"hello"
        proxy.cut(kind)
        assert ask(channel, b"hello", PATIENCE_S) == b""
        assert echo.received == 5 + heard
        proxy.heal()
        assert channel.recv(100) == b"hello"


def test_an_mtu_hole_swallows_large_segments(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    proxy = outage_proxy(echo.address, NEAR)
    proxy.cut("mtu")
    with connect(proxy) as channel:
        assert ask(channel, b"small") == b"small"
        assert ask(channel, bytes(1_000), PATIENCE_S) == b""


def test_a_captive_portal_answers_http(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    proxy = outage_proxy(echo.address, NEAR)
    proxy.cut("captive")
    with connect(proxy) as channel:
        assert ask(channel, b"to the hub").startswith(b"HTTP/1.1 302 ")
        assert channel.recv(100) == b""
    assert echo.received == 0


def test_an_end_is_carried_behind_the_bytes(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    proxy = outage_proxy(echo.address, builtin("lan"))
    with connect(proxy) as channel:
        channel.sendall(b"x" * 200_000)
        channel.shutdown(socket.SHUT_WR)
        got = 0
        while data := channel.recv(65_536):
            got += len(data)
        assert got == 200_000
    until(lambda: proxy.status().connections == 0)
    assert echo.ended == ["closed"]


def test_a_slow_reader_holds_the_sender_back(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    """What lies in the proxy is bounded, however much is sent through it."""
    proxy = outage_proxy(echo.address, replace(NEAR, latency_ms=(0, 0)))
    echo.is_reading.clear()
    with connect(proxy) as channel:
        channel.settimeout(0.5)
        taken = 0
        with pytest.raises(TimeoutError):
            while taken < TAKEN_BYTES_MAX:
                taken += channel.send(bytes(65_536))


def test_connections_beyond_the_bound_are_turned_away(echo: Echo) -> None:
    with ThreadedProxy([(("127.0.0.1", 0), echo.address)], NEAR, connections_max=2) as proxy:
        with connect(proxy) as first, connect(proxy) as second, connect(proxy) as third:
            assert ask(first, b"1") == ask(second, b"1") == b"1"
            with pytest.raises(ConnectionResetError):
                third.recv(100)
        assert proxy.status().refused_connections == 1


def test_an_outage_does_not_fill_the_bound_with_connections_that_were_given_up(echo: Echo) -> None:
    with ThreadedProxy([(("127.0.0.1", 0), echo.address)], NEAR, connections_max=2) as proxy:
        proxy.cut("silent")
        for _ in range(5):
            with connect(proxy) as channel:
                assert ask(channel, b"hello", 0.05) == b""
                assert proxy.status().connections <= 2
        assert proxy.status().refused_connections == 0
        proxy.heal()
        with connect(proxy) as channel:
            assert ask(channel, b"hello") == b"hello"
        until(lambda: proxy.status().connections == 0)


def test_a_hub_that_is_not_there_refuses(outage_proxy: OutageProxyFactory) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    with connect(outage_proxy(address, NEAR)) as channel, pytest.raises(ConnectionResetError):
        channel.recv(100)


def test_a_profiles_timetable_runs_in_real_time(outage_proxy: OutageProxyFactory, echo: Echo) -> None:
    plan = FixedPlan("refused", 100_000, ((300, 900),), phase_ms=0)
    proxy = outage_proxy(echo.address, replace(NEAR, outages=(plan,)))
    connect(proxy).close()
    until(lambda: is_refused(proxy))
    assert proxy.status().state == "refused"
    until(lambda: not is_refused(proxy))
    assert proxy.status().state == "up"


def test_two_routes_share_one_link(echo: Echo) -> None:
    routes = [(("127.0.0.1", 0), echo.address), (("127.0.0.1", 0), echo.address)]
    with ThreadedProxy(routes, NEAR) as proxy:
        for port in proxy.ports:
            with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S) as channel:
                assert ask(channel, b"hello") == b"hello"
        proxy.cut("refused")
        for port in proxy.ports:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port))


def test_another_profile_while_it_runs_and_names_that_nobody_knows(
    outage_proxy: OutageProxyFactory, echo: Echo
) -> None:
    proxy = outage_proxy(echo.address)
    proxy.use("gprs")
    assert proxy.status().profile == "gprs"
    with pytest.raises(UnknownProfileError, match="gprs"):
        proxy.use("5g")
    with pytest.raises(UnknownKindError, match="half-open"):
        proxy.cut("rain")
    assert proxy.status().state == "up"
