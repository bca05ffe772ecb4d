"""The worst local processes that a bus can have, at once, until this program is killed:  bus_hostile.py SOCKET"""

from __future__ import annotations

import os
import select
import socket
import sys
import threading
import time
from collections.abc import Callable

from edgelite.bus import frames

SOCKET = sys.argv[1]
HELLO = frames.encode(frames.HELLO, {frames.PROTOCOL_VERSION: 1, frames.NAME: "hostile"})
TWIN_GET = "$hw/events/device/default/mill/twin/get"


def connected(greeting: bytes = HELLO) -> socket.socket:
    new = socket.socket(socket.AF_UNIX)
    new.connect(SOCKET)
    new.sendall(greeting)
    return new


def publish(topic: str, payload: bytes, number: int = 0, retain: bool = False) -> bytes:
    fields: dict[int, object] = {frames.NUMBER: number, frames.TOPIC: topic, frames.PAYLOAD: payload}
    return frames.encode(frames.PUBLISH, fields | ({frames.RETAIN: True} if retain else {}))


def flood(message: bytes, reads: bool) -> None:
    """Send as much as is taken; read the answers, or never."""
    channel = connected()
    channel.setblocking(False)
    data = message * (1 + 65536 // len(message))
    rest = data
    while True:
        select.select([channel] if reads else [], [channel], [], 1)
        if reads:
            try:
                channel.recv(65536)
            except BlockingIOError:
                pass
        try:
            rest = rest[channel.send(rest) :] or data
        except BlockingIOError:
            continue


def tiny() -> None:
    flood(publish("t", b""), reads=True)


def never_reads() -> None:
    flood(publish("t", b"x"), reads=False)


def large() -> None:
    flood(publish("t/large", bytes(16 * 1024)), reads=True)


def retains() -> None:
    flood(b"".join(publish(f"r/{n}", b"x" * 400, retain=True) for n in range(80)), reads=True)


def json_of_the_worst_kind() -> None:
    flood(publish(TWIN_GET, b"[" + b"{}," * 1300 + b"1]"), reads=True)


def subscribes_to_all_and_never_reads() -> None:
    channel = connected()
    for number in range(32):
        fields: dict[int, object] = {frames.NUMBER: number, frames.TOPIC: "+/" * (number % 30) + "#"}
        channel.sendall(frames.encode(frames.SUBSCRIBE, fields))
    time.sleep(3600)


def half_a_frame() -> None:
    channel = connected()
    channel.sendall(b"\x80\x00\x00" + bytes(1000))
    time.sleep(3600)


def garbage() -> None:
    while True:
        try:
            channel = connected(os.urandom(200))
            channel.settimeout(0.2)
            channel.recv(4096)
            channel.close()
        except OSError:
            time.sleep(0.01)


def comes_and_goes() -> None:
    while True:
        try:
            connected(b"").close()
        except OSError:
            time.sleep(0.01)


ALL: list[Callable[[], None]] = [
    *(tiny, never_reads, large, retains, json_of_the_worst_kind),
    *(subscribes_to_all_and_never_reads, half_a_frame, garbage, comes_and_goes),
]


def again(act: Callable[[], None]) -> None:
    """Those that are closed come again."""
    while True:
        try:
            act()
        except OSError:
            time.sleep(0.05)


for one in ALL:
    threading.Thread(target=again, args=(one,), daemon=True).start()
os.write(1, b"begun\n")
time.sleep(3600)
