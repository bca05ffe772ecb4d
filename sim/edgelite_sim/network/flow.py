"""One open TCP connection over a link. TCP's promise holds: bytes arrive in order, once, or the connection ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgelite_sim.network.directions import DOWN, UP
from edgelite_sim.network.lane import ACK_DELAY_MS, ALIVE, DARK, GONE, HEADER_BYTES, Lane
from edgelite_sim.network.timetable import NEVER_MS

if TYPE_CHECKING:
    from edgelite_sim.network.link import Link
    from edgelite_sim.network.profile import Profile

SYN_BYTES = 60
HALF_CLOSED_MS = 60_000  # what Linux gives a connection whose other end has closed and that nobody owns any more
PORTAL_ANSWER = (
    b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
NOTHING_PASSES = [False, False]  # a constant: only a link's own lists change


class Flow:
    """`wire_bytes` counts what was sent [up, down], headers, acknowledgements and repeats included.

    Ends are numbered as the direction in which they send: UP is the node's, DOWN the hub's.
    """

    def __init__(self, link: Link, now_ms: int, is_captive: bool = False) -> None:
        self.link = link
        self.is_captive = is_captive  # the other end is a portal, not the hub: nothing arrives there
        self.passes = link.captive_passes if is_captive else link.passes
        self.ends = [ALIVE, ALIVE]
        self.wire_bytes = [SYN_BYTES + HEADER_BYTES, SYN_BYTES]
        spread_ms = link.profile.spread_ms
        extra_ms = link.draw.randint(0, spread_ms) if spread_ms else 0
        self.lanes = (Lane(self, UP, extra_ms), Lane(self, DOWN, extra_ms))
        self.carried_ms = now_ms  # when something passed last
        self._up, self._down = self.lanes
        self._ended = ["", ""]
        self._acks_free_ms = [-1, -1]  # until when data carries an acknowledgement that was counted already

    # ---- what an end does

    def send(self, direction: int, data: bytes, now_ms: int) -> None:
        """BufferError where more than 4 MiB wait: ask `room_bytes` first. After the end it goes nowhere."""
        if data:
            self.lanes[direction].send(data, now_ms)

    def room_bytes(self, direction: int) -> int:
        """What the sender's kernel takes now: 0 while more than 4096 bytes of earlier ones are unsent."""
        return self.lanes[direction].room_bytes()

    def arrived(self, direction: int) -> list[bytes]:
        """Since it was asked last."""
        lane = self.lanes[direction]
        arrived = lane.arrived
        if arrived:
            lane.arrived = []
        return arrived

    def ended(self, direction: int) -> str:
        """What the receiver of that direction has seen: "" | "closed" | "reset" | "timed out"."""
        return self._ended[direction]

    def close(self, direction: int, now_ms: int) -> None:
        """FIN, behind what was sent before, in that direction."""
        self.lanes[direction].close(now_ms)

    def reset(self, now_ms: int, by: int | None = None) -> None:
        """An end's process died, and its kernel says so: `by` its direction, None where it does not matter which. The
        other hears of it if the link carries it; else when it next sends and that arrives."""
        for direction in (UP, DOWN) if by is None else (by,):
            lane = self.lanes[direction]
            if by is not None:
                lane.mute()
            lane.send_reset(now_ms)
            if by is not None or not self.passes[direction]:
                self.ends[direction] = GONE

    def lose_power(self, direction: int) -> None:
        """The machine of the end that sends in this direction is off: no answer to anything."""
        self.ends[direction] = DARK
        self.lanes[direction].abandon()

    def regain_power(self, direction: int) -> None:
        """It is on again and knows nothing of this connection: what arrives is answered with a reset."""
        if self.ends[direction] == DARK:
            self.ends[direction] = GONE

    # ---- the course of time

    def step(self, now_ms: int) -> int | None:
        """Next deadline, None for none."""
        if self.link.next_ms <= now_ms:
            self.link.step(now_ms)
        up, down = self._up, self._down
        if up.deadline_ms <= now_ms or down.deadline_ms <= now_ms:
            self.advance(now_ms)
        deadline_ms = up.deadline_ms if up.deadline_ms < down.deadline_ms else down.deadline_ms
        return deadline_ms if deadline_ms < NEVER_MS else None

    def advance(self, now_ms: int) -> None:
        """All that is due by then, in the order of its times, under the link as it is."""
        up, down = self._up, self._down
        while True:
            lane = up if up.deadline_ms <= down.deadline_ms else down
            if lane.deadline_ms > now_ms:
                return
            lane.advance(lane.deadline_ms)

    @property
    def is_forgotten(self) -> bool:
        """By what is on the way: nothing passes any more, and nobody says so."""
        return self.passes is NOTHING_PASSES

    def is_spent(self, now_ms: int) -> bool:
        """Nothing more can be expected of it: both ends are through, or one is and the other says nothing."""
        if all(self._ended[direction] or self.ends[1 - direction] != ALIVE for direction in (UP, DOWN)):
            return True
        is_half = self._ended[UP] or self._ended[DOWN] or self.ends != [ALIVE, ALIVE]
        is_quiet = self._up.deadline_ms == NEVER_MS and self._down.deadline_ms == NEVER_MS
        return bool(is_half) and is_quiet and now_ms - self.carried_ms > HALF_CLOSED_MS

    # ---- called by lanes

    def count(self, direction: int, size_bytes: int, now_ms: int) -> None:
        """A segment goes onto the wire; a NAT that has seen nothing for long does not know it any more."""
        if self._acks_free_ms[direction] >= now_ms:
            self._acks_free_ms[direction] = -1
            size_bytes -= HEADER_BYTES
        self.wire_bytes[direction] += size_bytes
        idle_ms = self.link.profile.nat_idle_ms
        if idle_ms and now_ms - self.carried_ms > idle_ms:
            self.passes = NOTHING_PASSES
        if self.passes[direction]:
            self.carried_ms = now_ms

    def count_ack(self, direction: int, now_ms: int) -> None:
        """The second of two that follow each other closely acknowledges both."""
        self.carried_ms = now_ms
        if self._acks_free_ms[direction] >= now_ms:
            self._acks_free_ms[direction] = -1
        else:
            self._acks_free_ms[direction] = now_ms + ACK_DELAY_MS
            self.wire_bytes[direction] += HEADER_BYTES

    def hear(self, direction: int, how: str) -> None:
        """The receiver of this direction learns how it ends."""
        if not self._ended[direction]:
            self._ended[direction] = how
        if how == "reset":
            self.ends[1 - direction] = GONE
            self.lanes[direction].abandon()
            self.lanes[1 - direction].mute()
        if self._ended[UP] and self._ended[DOWN]:
            self.link.flows.pop(self, None)

    def time_out(self, direction: int) -> None:
        """The sender of this direction has given up; the other end does not learn it."""
        self.lanes[direction].abandon()
        self.ends[direction] = GONE
        self.hear(1 - direction, "timed out")

    def answer_as_portal(self, now_ms: int) -> None:
        if not self._down.is_closing and not self._down.is_over:
            self._down.send(PORTAL_ANSWER, now_ms)
            self._down.close(now_ms)

    # ---- called by the link

    def adapt(self, profile: Profile) -> None:
        for lane in self.lanes:
            lane.adapt(profile)

    def lose_what_does_not_pass(self, now_ms: int) -> None:
        for lane in self.lanes:
            lane.lose_what_does_not_pass(now_ms)

    def forget(self, now_ms: int) -> None:
        """The way does not know the connection any more: nothing passes, ever, and nobody says so."""
        self.passes = NOTHING_PASSES
        self.lose_what_does_not_pass(now_ms)

    def cut_off(self, now_ms: int) -> None:
        """Both ends see a reset, wherever they are in what they send."""
        for lane in self.lanes:
            lane.arrive_in_part()
            lane.abandon()
        for direction in (UP, DOWN):
            self.hear(direction, "reset")


__all__ = ["DOWN", "UP", "Flow"]
