"""Outages between real agents and a real hub: a TCP proxy whose way between the two is a simulated link in real time.

Two things differ from a real network, for a proxy has accepted a connection before it knows what becomes of it: a
connection that nobody would answer opens and stays mute, and one that timed out ends with a reset.
"""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from edgelite_sim.live.connection import NOBODY_LINGERS, Connection
from edgelite_sim.live.listener import Listener
from edgelite_sim.network.conditions import CONDITIONS
from edgelite_sim.network.flow import DOWN, UP
from edgelite_sim.network.link import Link
from edgelite_sim.network.profile import Profile, UnknownProfileError, builtin, names

CONNECTIONS_MAX = 256  # each takes two descriptors, and processes begin with 1,024
Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Status:
    """What the proxy does now. Bytes are those on the wire, [up, down], headers and repeats included."""

    profile: str
    state: str
    for_ms: int  # how long it has been so
    next_ms: int | None  # when the profile's timetable changes it, or a cut ends, from now
    connections: int
    refused_connections: int  # beyond the bound
    wire_bytes: tuple[int, int]


class LiveProxy:
    """`await start()`, nodes connect to `ports`; `cut`, `heal` and `use` at any time; `await stop()`.

    `routes` are (listen, to) with (host, port) each; port 0 takes a free one. All connections share one link. One seed
    draws the same losses and outages, but real time is never the same twice.
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
        self.profiles = dict(profiles or {})  # one's own, by name
        self._first_profile = self._profile(profile)
        self._routes = list(routes)
        self._seed = seed
        self._connections_max = connections_max
        self._connections: dict[Connection, None] = {}
        self._beginnings: set[asyncio.Task[None]] = set()
        self._refused = 0
        self._wire_bytes = [0, 0]  # of connections that are over
        self._link_timer: asyncio.TimerHandle | None = None
        self._heal_timer: asyncio.TimerHandle | None = None
        self._listeners: list[Listener] = []
        self.on_change: Callable[[], None] = lambda: None  # the state or the profile is another one

    async def start(self) -> None:
        """OSError where a port is taken."""
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()
        self.link = Link(self._first_profile, random.Random(self._seed), 0, time.time_ns() // 1_000_000)
        self._told = (self.link.state, self.link.profile.name)
        self._state_since_ms = 0
        try:
            for (host, port), target in self._routes:
                self._listeners.append(Listener(host, port, lambda new, target=target: self._accepted(new, target)))  # type: ignore[misc]
        except OSError:
            await self.stop()
            raise
        self._changed()

    async def stop(self) -> None:
        for timer in (self._link_timer, self._heal_timer):
            if timer is not None:
                timer.cancel()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()
        for connection in list(self._connections):
            connection.end()
        await asyncio.gather(*self._beginnings, return_exceptions=True)
        await asyncio.sleep(0)  # sockets close in the loop's next round

    @property
    def ports(self) -> list[int]:
        return [listener.port for listener in self._listeners]

    # ---- control

    def cut(self, kind: str = "silent", for_ms: int | None = None) -> None:
        """UnknownKindError lists the kinds. With `for_ms` it heals by itself."""
        self.link.cut(kind, self.now_ms())
        if not CONDITIONS[kind].is_momentary:
            self._end_of_cut(for_ms)
        self._changed()

    def _end_of_cut(self, for_ms: int | None) -> None:
        self._keep_cut()
        if for_ms is not None:
            self._heal_ms = self.now_ms() + for_ms
            self._heal_timer = self.call_at(self._heal_ms, self.heal)

    def heal(self) -> None:
        """End what `cut` began; the profile's own timetable goes on."""
        self._keep_cut()
        self.link.heal(self.now_ms())
        self._changed()

    def use(self, profile: Profile | str) -> None:
        """UnknownProfileError lists the names."""
        self.link.use(self._profile(profile), self.now_ms())
        self._changed()

    def status(self) -> Status:
        now_ms = self.now_ms()
        change_ms = self.link.step(now_ms)
        if self.link.state != self._told[0]:
            self._changed()  # it is asked just before the timer's turn
        if self._heal_timer is not None:
            change_ms = self._heal_ms
        flows = [one.flow for one in self._connections if one.flow is not None]
        up, down = (self._wire_bytes[way] + sum(flow.wire_bytes[way] for flow in flows) for way in (UP, DOWN))
        return Status(
            profile=self.link.profile.name,
            state=self.link.state,
            for_ms=now_ms - self._state_since_ms,
            next_ms=None if change_ms is None else max(0, change_ms - now_ms),
            connections=len(self._connections),
            refused_connections=self._refused,
            wire_bytes=(up, down),
        )

    def _profile(self, profile: Profile | str) -> Profile:
        if isinstance(profile, Profile):
            return profile
        if profile in self.profiles:
            return self.profiles[profile]
        if profile not in names():
            raise UnknownProfileError(profile, [*names(), *self.profiles])
        return builtin(profile)

    def _keep_cut(self) -> None:
        if self._heal_timer is not None:
            self._heal_timer.cancel()
            self._heal_timer = None

    # ---- the course of time

    def now_ms(self) -> int:
        return int((self._loop.time() - self._began_s) * 1000)

    def call_at(self, time_ms: int, call: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_at(self._began_s + (time_ms + 0.5) / 1000, call)

    def _changed(self) -> None:
        """The link may be another: everything that hangs on it looks again."""
        if self._link_timer is not None:
            self._link_timer.cancel()
        change_ms = self.link.step(self.now_ms())
        if change_ms is not None:
            self._link_timer = self.call_at(change_ms, self._changed)
        is_refused = self.link.state == "refused"
        for listener in self._listeners:
            if is_refused:
                listener.shut()
            else:
                listener.open()
        for connection in list(self._connections):
            connection.turn()
        now = (self.link.state, self.link.profile.name)
        if now != self._told:
            if now[0] != self._told[0]:
                self._state_since_ms = self.now_ms()
            self._told = now
            self.on_change()

    # ---- connections

    def _accepted(self, new: socket.socket, target: Address) -> None:
        if len(self._connections) >= self._connections_max and not self._make_room():
            self._refused += 1
            new.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOBODY_LINGERS)
            new.close()
            return
        connection = Connection(self, target)
        self._connections[connection] = None
        task = self._loop.create_task(connection.begin(new))
        self._beginnings.add(task)
        task.add_done_callback(self._beginnings.discard)

    def _make_room(self) -> bool:
        """An outage leaves many connections that nodes have given up, for what they sent is still on its way."""
        given_up = next((one for one in self._connections if one.near.is_gone()), None)
        if given_up is not None:
            given_up.end()
        return given_up is not None

    def forget(self, connection: Connection) -> None:
        self._connections.pop(connection, None)
        if connection.flow is not None:
            for way in (UP, DOWN):
                self._wire_bytes[way] += connection.flow.wire_bytes[way]
