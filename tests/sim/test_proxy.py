"""The proxy's outages are what they say, seen from both ends over real sockets."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from edgelite_sim.proxy import REFUSED, SILENT, Proxy


class Far:
    """The server behind the proxy: answers each line with itself, counts what it got and who left."""

    def __init__(self) -> None:
        self.received = b""
        self.left = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1000):
                self.received += data
                writer.write(data)
        except ConnectionError:
            pass
        self.left += 1
        writer.close()


Scene = Callable[[Proxy, Far], Awaitable[None]]


def play(scene: Scene) -> None:
    async def run() -> None:
        far = Far()
        server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
        proxy = Proxy("127.0.0.1", server.sockets[0].getsockname()[1])
        await proxy.start()
        try:
            await asyncio.wait_for(scene(proxy, far), 10)
        finally:
            await proxy.stop()
            server.close()

    asyncio.run(run())


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, text: bytes) -> bytes:
    writer.write(text)
    return await asyncio.wait_for(reader.read(1000), 0.4)


def test_open_carries_both_ways() -> None:
    async def scene(proxy: Proxy, far: Far) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(reader, writer, b"hello") == b"hello"
        assert (proxy.bytes_up, proxy.bytes_down) == (5, 5)
        await asyncio.sleep(0.1)  # the last acknowledgement may be late
        traffic = proxy.traffic()
        assert traffic.payload_bytes == 10
        assert traffic.segments >= 5  # three to connect, one each way

    play(scene)


def test_refused_resets_what_is_open_and_refuses_new_ones_until_healed() -> None:
    async def scene(proxy: Proxy, far: Far) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(reader, writer, b"one") == b"one"
        await proxy.cut(REFUSED)
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 2)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", proxy.port)
        await proxy.heal()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(reader, writer, b"two") == b"two"

    play(scene)


def test_silent_swallows_bytes_and_ends_nothing() -> None:
    async def scene(proxy: Proxy, far: Far) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(reader, writer, b"one") == b"one"
        await proxy.cut(SILENT)
        with pytest.raises(TimeoutError):
            await ask(reader, writer, b"two")
        assert far.received == b"one"
        writer.close()
        await asyncio.sleep(0.2)
        assert far.left == 0  # the far end must not learn that the near one gave up

    play(scene)


def test_a_connection_that_lost_bytes_stays_dead_and_a_new_one_lives() -> None:
    async def scene(proxy: Proxy, far: Far) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(reader, writer, b"one") == b"one"
        await proxy.cut(SILENT)
        with pytest.raises(TimeoutError):
            await ask(reader, writer, b"two")
        await proxy.heal()
        with pytest.raises(TimeoutError):
            await ask(reader, writer, b"three")
        assert far.received == b"one"
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(reader, writer, b"four") == b"four"

    play(scene)


def test_an_idle_connection_lives_through_a_silence() -> None:
    async def scene(proxy: Proxy, far: Far) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(reader, writer, b"one") == b"one"
        await proxy.cut(SILENT)
        await asyncio.sleep(0.1)
        await proxy.heal()
        assert await ask(reader, writer, b"two") == b"two"

    play(scene)


def test_an_unknown_state_is_refused() -> None:
    async def scene(proxy: Proxy, far: Far) -> None:
        with pytest.raises(ValueError, match="'soggy' is not one of open, refused, silent"):
            await proxy.cut("soggy")

    play(scene)


def test_a_connection_that_a_peer_has_just_left_is_no_obstacle() -> None:
    """Its socket is closed before the proxy has heard; neither counting its traffic nor refusing may trip over it."""

    async def scene(proxy: Proxy, far: Far) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await ask(reader, writer, b"hello") == b"hello"
        (pair,) = proxy.pairs
        pair.near.get_extra_info("socket")._sock.close()
        assert proxy.traffic().payload_bytes == 0
        pair.reset()
        await proxy.cut(REFUSED)
        assert not proxy.pairs

    play(scene)
