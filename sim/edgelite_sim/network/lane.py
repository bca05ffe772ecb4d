"""One direction of a TCP connection: segments, their loss and repetition, a window, and what the receiver has got.

What becomes of a segment is decided when it leaves: it is due at a time, or lost. A change of the link makes more of
them lost. Lost ones are repeated after a timeout that doubles (or soon, where later ones got through), until the sender
gives up. Acknowledgements cost bytes and need the way back; none is lost by chance, for a later one says the same.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from edgelite_sim.network.directions import UP
from edgelite_sim.network.timetable import NEVER_MS

if TYPE_CHECKING:
    from edgelite_sim.network.flow import Flow
    from edgelite_sim.network.profile import Profile

HEADER_BYTES = 52  # IPv4 and TCP with time stamps, as Linux sends each segment
LOST_MS = -1
RTO_MIN_MS, RTO_MAX_MS = 200, 120_000
GIVE_UP_MS = 924_600  # after this long without an acknowledgement: Linux with tcp_retries2 = 15
WINDOW_BYTES_FIRST, WINDOW_BYTES_MAX = 14_000, 65_536
NOT_SENT_BYTES = 4096  # TCP_NOTSENT_LOWAT of both ends: with more waiting, the kernel takes no more
ROOM_BYTES = 16_384
WAITING_BYTES_MAX = 4 << 20
ACK_DELAY_MS = 40  # data that goes back within this carries the acknowledgement
REPEATS_PER_ACK = 2

ALIVE, GONE, DARK = 0, 1, 2  # an end: reads and acknowledges; answers with a reset; does not answer


class Segment:
    __slots__ = ("data", "due_ms", "is_fin")

    def __init__(self, data: bytes, is_fin: bool = False) -> None:
        self.data = data
        self.due_ms = LOST_MS
        self.is_fin = is_fin


class Lane:
    """`deadline_ms` is when `advance` is to be called next. Driven by its flow alone."""

    def __init__(self, flow: Flow, direction: int, extra_ms: int) -> None:
        self.flow = flow
        self.link = flow.link
        self.direction = direction
        self.back = 1 - direction
        self.extra_ms = extra_ms
        self.waiting = bytearray()  # what the sender's kernel holds and has not sent
        self.flight: deque[Segment] = deque()  # sent, not yet given to the receiver, in order
        self.unheard: deque[Segment] = deque()  # the receiver has it; its acknowledgement was lost
        self.acks: deque[tuple[int, int]] = deque()  # on their way back: when they arrive, and for how many bytes
        self.arrived: list[bytes] = []
        self.flying_bytes = 0
        self.window_bytes = WINDOW_BYTES_FIRST
        self.last_due_ms = 0
        self.timer_ms = NEVER_MS
        self.later_arrivals = 0  # segments that got through after one that did not
        self.reset_due_ms = NEVER_MS
        self.deadline_ms = NEVER_MS
        self.is_closing = False  # a FIN is to follow what waits
        self.is_over = False  # nothing more is taken from the sender
        self.is_mute = False  # the sender repeats nothing
        self.progress_ms = 0  # since when the sender waits for what it waits for
        self.adapt(flow.link.profile)
        self.rto_ms = self.rto_first_ms

    def adapt(self, profile: Profile) -> None:
        self.latency_ms = profile.latency_ms[self.direction] + self.extra_ms
        self.back_ms = profile.latency_ms[self.back] + self.extra_ms
        self.jitter_ms = profile.jitter_ms
        self.loss = profile.loss[self.direction]
        rate = profile.rate_bit_s[self.direction]
        self.byte_us = 8_000_000 / rate if rate else 0.0
        self.segment_bytes = profile.segment_bytes
        self.rto_first_ms = max(RTO_MIN_MS, 2 * (self.latency_ms + self.back_ms) + 4 * self.jitter_ms)

    # ---- the sender

    def send(self, data: bytes, now_ms: int) -> None:
        if self.is_over or self.is_closing:
            return
        if self.acks:
            self._take_acks(now_ms)
        if (
            not self.waiting
            and len(data) <= self.segment_bytes
            and self.flying_bytes < self.window_bytes
            and self.link.busy_us[self.direction] <= now_ms * 1000 + self.link.queue_us
        ):
            self._put(Segment(data), now_ms)
        else:
            if len(self.waiting) + len(data) > WAITING_BYTES_MAX:
                raise BufferError(f"more than {WAITING_BYTES_MAX} bytes wait to be sent: ask room_bytes() first")
            self.waiting += data
            self._pump(now_ms)
        self._set_deadline(now_ms)

    def room_bytes(self) -> int:
        waiting = len(self.waiting)
        return 0 if waiting > NOT_SENT_BYTES or self.is_over or self.is_closing else ROOM_BYTES - waiting

    def close(self, now_ms: int) -> None:
        if not self.is_over and not self.is_closing:
            self.is_closing = True
            self._pump(now_ms)
            self._set_deadline(now_ms)

    def stop(self) -> None:
        """The sender is no more; what is on its way goes on."""
        self.is_over = True
        self.is_closing = False
        self.waiting.clear()

    def mute(self) -> None:
        """The sender's kernel has forgotten the connection; what is on its way goes on."""
        self.stop()
        self.is_mute = True

    def abandon(self) -> None:
        """Nothing more happens here."""
        self.stop()
        self.flight.clear()
        self.unheard.clear()
        self.acks.clear()
        self.timer_ms = self.reset_due_ms = self.deadline_ms = NEVER_MS

    def send_reset(self, now_ms: int) -> None:
        """Once; it arrives behind what is on its way, or never."""
        if self.flow.passes[self.direction]:
            self.flow.wire_bytes[self.direction] += HEADER_BYTES
            self.reset_due_ms = max(now_ms + self.latency_ms, self.last_due_ms)
            self.deadline_ms = min(self.deadline_ms, self.reset_due_ms)

    def _pump(self, now_ms: int) -> None:
        """What waits, as far as window and line take it; then the FIN."""
        link, waiting, direction = self.link, self.waiting, self.direction
        while waiting and self.flying_bytes < self.window_bytes:
            if link.busy_us[direction] > now_ms * 1000 + link.queue_us:
                return
            data = bytes(waiting[: self.segment_bytes])
            del waiting[: self.segment_bytes]
            self._put(Segment(data), now_ms)
        if self.is_closing and not waiting:
            self.stop()
            self._put(Segment(b"", is_fin=True), now_ms)

    def _put(self, segment: Segment, now_ms: int) -> None:
        if not self.flight and not self.unheard:
            self.progress_ms = now_ms
        self.flight.append(segment)
        self.flying_bytes += len(segment.data)
        self._launch(segment, now_ms)
        if segment.due_ms < 0:
            if self.timer_ms == NEVER_MS:
                self.timer_ms = now_ms + self.rto_ms
        elif self.flight[0].due_ms < 0:
            self._later_arrival(segment.due_ms)

    def _later_arrival(self, due_ms: int) -> None:
        """The third acknowledgement of the same bytes makes the sender repeat at once what is missing."""
        self.later_arrivals += 1
        if self.later_arrivals == 3:
            self.timer_ms = min(self.timer_ms, due_ms + self.back_ms)

    def _launch(self, segment: Segment, now_ms: int) -> None:
        """Put it on the wire, for the first time or again: it is due, or lost."""
        flow, link, direction = self.flow, self.link, self.direction
        size_bytes = len(segment.data) + HEADER_BYTES
        flow.count(direction, size_bytes, now_ms)
        if not flow.passes[direction] or (link.hole_bytes and size_bytes > link.hole_bytes):
            segment.due_ms = LOST_MS
            return
        leaves_us = now_ms * 1000
        if self.byte_us:
            leaves_us = max(leaves_us, link.busy_us[direction]) + int(size_bytes * self.byte_us)
            link.busy_us[direction] = leaves_us
        if self.loss and link.draw.random() < self.loss:
            segment.due_ms = LOST_MS
            return
        due_ms = (leaves_us + 999) // 1000 + self.latency_ms
        if self.jitter_ms:
            due_ms += link.draw.randint(0, self.jitter_ms)
        if due_ms < self.last_due_ms:
            due_ms = self.last_due_ms
        segment.due_ms = self.last_due_ms = due_ms

    # ---- the course of time

    def advance(self, time_ms: int) -> None:
        """All that is due at this time."""
        flight = self.flight
        while flight and 0 <= flight[0].due_ms <= time_ms and self._deliver(flight[0], time_ms):
            pass
        if self.reset_due_ms <= time_ms:
            self.flow.hear(self.direction, "reset")
            return
        if self.acks:
            self._take_acks(time_ms)
        if self.timer_ms <= time_ms:
            self._repeat(time_ms)
        if self.waiting or self.is_closing:
            self._pump(time_ms)
        self._set_deadline(time_ms)

    def _set_deadline(self, now_ms: int) -> None:
        deadline_ms = self.timer_ms if self.timer_ms < self.reset_due_ms else self.reset_due_ms
        is_stuck = False
        if self.flight:
            due_ms = self.flight[0].due_ms
            if due_ms < 0:
                is_stuck = True
                if self.timer_ms == NEVER_MS and not self.acks:
                    self.timer_ms = deadline_ms = now_ms + self.rto_ms
            elif due_ms < deadline_ms:
                deadline_ms = due_ms
        if self.waiting or is_stuck:
            if self.acks:
                deadline_ms = min(deadline_ms, self.acks[0][0])
            if self.waiting and self.flying_bytes < self.window_bytes:
                free_us = self.link.busy_us[self.direction] - self.link.queue_us
                deadline_ms = min(deadline_ms, max(now_ms + 1, (free_us + 999) // 1000))
        self.deadline_ms = deadline_ms

    def _deliver(self, segment: Segment, time_ms: int) -> bool:
        flow = self.flow
        end = flow.ends[self.back]
        if end != ALIVE:
            self._lose_again(segment, time_ms)
            if end == GONE:
                flow.lanes[self.back].send_reset(time_ms)
            return False
        self.flight.popleft()
        size_bytes = len(segment.data)
        if flow.passes[self.back]:
            self.flying_bytes -= size_bytes
            self._acknowledge(size_bytes, time_ms)
        else:
            self.unheard.append(segment)
            if self.timer_ms == NEVER_MS:
                self.timer_ms = time_ms + self.rto_ms
        if segment.is_fin:
            flow.hear(self.direction, "closed")
        elif flow.is_captive and self.direction == UP:
            flow.answer_as_portal(time_ms)
        else:
            self.arrived.append(segment.data)
        return True

    def _lose_again(self, segment: Segment, time_ms: int) -> None:
        segment.due_ms = LOST_MS
        if self.timer_ms == NEVER_MS:
            self.timer_ms = time_ms + self.rto_ms

    def _acknowledge(self, size_bytes: int, time_ms: int) -> None:
        self.flow.count_ack(self.back, time_ms)
        if self.unheard:
            self._all_heard()
        self.rto_ms = self.rto_first_ms
        self.progress_ms = time_ms
        if self.waiting or (self.flight and self.flight[0].due_ms < 0):
            self.flying_bytes += size_bytes
            self.acks.append((time_ms + self.back_ms, size_bytes))

    def _all_heard(self) -> None:
        for segment in self.unheard:
            self.flying_bytes -= len(segment.data)
        self.unheard.clear()
        self.timer_ms = NEVER_MS

    def _take_acks(self, now_ms: int) -> None:
        acks = self.acks
        while acks and acks[0][0] <= now_ms:
            _, size_bytes = acks.popleft()
            self.flying_bytes -= size_bytes
            self.window_bytes = min(WINDOW_BYTES_MAX, self.window_bytes + size_bytes)
            if self.flight and self.flight[0].due_ms < 0:
                self._repeat_more(now_ms)

    # ---- repeating

    def _repeat(self, now_ms: int) -> None:
        """The timer has run out: repeat the first that is missing, or give up."""
        self.later_arrivals = 0
        if self.is_mute:
            self.abandon()
        elif self.unheard:
            self._repeat_unheard(now_ms)
        elif self.flight and self.flight[0].due_ms < 0:
            segment = self.flight[0]
            if self._gives_up(now_ms):
                return
            self.window_bytes = max(2 * self.segment_bytes, self.window_bytes // 2)
            self._launch(segment, now_ms)
            is_heard = segment.due_ms >= 0 and self.flow.ends[self.back] != DARK
            self._back_off(now_ms, not is_heard)
        else:
            self.timer_ms = NEVER_MS

    def _repeat_unheard(self, now_ms: int) -> None:
        """The receiver has it already and says so again, if it can."""
        segment = self.unheard[0]
        if self._gives_up(now_ms):
            return
        flow = self.flow
        flow.count(self.direction, len(segment.data) + HEADER_BYTES, now_ms)
        is_carried = flow.passes[self.direction] and flow.ends[self.back] != DARK
        if is_carried and flow.passes[self.back]:
            if flow.ends[self.back] == GONE:
                flow.lanes[self.back].send_reset(now_ms)
            flow.count_ack(self.back, now_ms)
            self._all_heard()
            self.rto_ms = self.rto_first_ms
        else:
            self._back_off(now_ms, True)

    def _back_off(self, now_ms: int, is_lost: bool) -> None:
        self.timer_ms = NEVER_MS
        if is_lost:
            self.rto_ms = min(RTO_MAX_MS, 2 * self.rto_ms)
            self.timer_ms = now_ms + self.rto_ms

    def _gives_up(self, now_ms: int) -> bool:
        if now_ms - self.progress_ms < GIVE_UP_MS:
            return False
        self.flow.time_out(self.direction)
        return True

    def _repeat_more(self, now_ms: int) -> None:
        """An acknowledgement came: the way is there again, so the next missing ones follow."""
        repeats = 0
        for segment in self.flight:
            if segment.due_ms < 0:
                self._launch(segment, now_ms)
                repeats += 1
                if repeats == REPEATS_PER_ACK:
                    break
        self.timer_ms = NEVER_MS
        if self.flight[0].due_ms < 0:
            self.timer_ms = now_ms + self.rto_ms

    # ---- what a change of the link does

    def lose_what_does_not_pass(self, now_ms: int) -> None:
        flow, hole_bytes = self.flow, self.link.hole_bytes
        is_carried = flow.passes[self.direction]
        if is_carried and not hole_bytes:
            return
        for segment in self.flight:
            if segment.due_ms > now_ms and (not is_carried or len(segment.data) + HEADER_BYTES > hole_bytes):
                self._lose_again(segment, now_ms)
        if not is_carried:
            self.reset_due_ms = NEVER_MS
        self._set_deadline(now_ms)

    def arrive_in_part(self) -> None:
        """The connection is cut off in mid-frame: some of what is on its way has come, to any byte."""
        data = b"".join(segment.data for segment in self.flight)
        if data and not self.flow.is_captive and self.flow.ends[self.back] == ALIVE:
            part = data[: self.link.draw.randrange(len(data))]
            if part:
                self.arrived.append(part)
