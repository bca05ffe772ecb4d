"""One link of a peer to a simulated hub: what node_server.py does around a connection, in virtual time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from edgelite_hub.nodes.links import Link
from edgelite_hub.store.contract import Outcome
from edgelite_hub.work import Work
from edgelite_sim.world.queue import Event

if TYPE_CHECKING:
    from edgelite_protocol.hub_session import HubSession
    from edgelite_sim.world.hub_process import HubProcess

WRITE_BYTES = 16 * 1024  # taken from the session at once


def _nobody() -> None:
    pass


class HubPeer:
    """The World carries its bytes: `received`, `data_to_send`, `lost` once the link has ended. It is told by `on_ready`
    when there is something to send, or when the hub has closed (`is_closed`)."""

    def __init__(self, process: HubProcess, link: Link) -> None:
        self.on_ready: Callable[[], None] = _nobody
        self.is_closed = False
        self.is_reset = False  # closed by a death, not by a word
        self._process = process
        self._link = link
        self._held = b""  # taken from the session, not yet by the World
        self._is_drained = True  # nothing waits in the session beside what is held
        self._is_busy = False  # a transaction is on its way
        self._is_pulling = False
        self._is_woken = False
        self._timer: Event | None = None
        self._observed: HubSession | None = None
        self.pump()

    # ---- the World's side

    @property
    def is_reading(self) -> bool:
        """False: what arrived waits for a commit, and more should stay on the link."""
        return not self._link.is_paused

    def received(self, data: bytes) -> None:
        if self.is_closed:
            return
        self._link.received(data, self._process.now_ms)
        self.pump()

    def data_to_send(self, size_bytes_max: int) -> bytes:
        """b"" once there is nothing: then `on_ready` will be called for more."""
        data = b""
        while self._held and len(data) < size_bytes_max:
            room = size_bytes_max - len(data)
            data += self._held[:room]
            self._held = self._held[room:]
            if not self._held and (not self._is_drained or self._link.connection.is_over):
                self._is_pulling = True  # there is room now: what waits for it goes on
                self.pump()
                self._is_pulling = False
        return data

    def lost(self) -> None:
        """The flow has ended, in whatever way; what came before still counts."""
        if self.is_closed:
            return
        self._held = b""
        self._link.lost(self._process.now_ms)
        self.pump()

    # ---- the hub's side

    def wake(self) -> None:
        """There is work for the connection; looked at behind what happens now."""
        if not self._is_woken:
            self._is_woken = True
            self._process.queue.after(0, self._turn)

    def drop(self) -> None:
        """The hub's process is gone."""
        self.is_reset = not self.is_closed
        self._close()

    def reset(self) -> None:
        """The link is cut under both ends."""
        self.is_reset = True
        self.lost()

    def refuse(self, code: str, text: str) -> None:
        self._link.refuse(code, text, self._process.now_ms)
        self.pump()

    def _turn(self) -> None:
        self._is_woken = False
        self.pump()

    def pump(self) -> None:
        """Take work until it is with the writer or there is none, then offer what there is to send."""
        link, process = self._link, self._process
        while not self._is_busy and not self.is_closed:
            work = link.next_work(process.now_ms)
            if work is not None:
                self._is_busy = True
                self._observe()
                process.writer.submit(work, partial(self._settle, work))
                continue
            if link.is_lost or link.connection.is_over:
                self._offer()
                if link.is_finished and not self._held:
                    self._finish()
                    return
            deadline_ms = link.step(process.now_ms)
            if link.has_last_event:
                continue  # time ended it
            self._arm(deadline_ms)
            break
        self._offer()

    def _settle(self, work: Work, outcome: Outcome[Any]) -> None:
        self._is_busy = False
        if self.is_closed:
            return
        if not self._link.settle(work, outcome, self._process.now_ms):
            self._offer()
            self._finish()
            return
        self.wake()

    def _offer(self) -> None:
        if self.is_closed:
            return
        while not self._link.is_lost and (room := WRITE_BYTES - len(self._held)) > 0:
            data = self._link.data_to_send(room)
            self._held += data
            self._is_drained = not data
            if not data:
                break
        if self._held and not self._is_pulling:
            self.on_ready()

    def _arm(self, deadline_ms: int | None) -> None:
        """A timer that is early stays: when it comes, it looks again. So what moves a deadline costs nothing."""
        timer, time_ms = self._timer, None if deadline_ms is None else deadline_ms - self._process.offset_ms
        if timer is not None and timer.call is not None:
            if time_ms is None or timer.time_ms <= time_ms:
                return
            timer.cancel()
        self._timer = None if time_ms is None else self._process.queue.at(time_ms, self.pump)

    def _observe(self) -> None:
        """See acknowledgements as they are handed to the session."""
        session = self._link.connection.session
        if session is self._observed:
            return
        self._observed = session
        acknowledge = session.acknowledge

        def observed(lane: int, generation: int, sequence: int, journal: bytes | None = None) -> None:
            acknowledge(lane, generation, sequence, journal)
            self._process.acknowledged(self._link.connection.node, lane, generation, sequence)

        session.acknowledge = observed  # type: ignore[method-assign]  # from outside, nothing else changes

    def _finish(self) -> None:
        """The last word is said, or nobody hears it any more."""
        if not self.is_closed:
            self._link.finish(self._process.now_ms)
            self._close()

    def _close(self) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self._held = b""
        if self._timer is not None:
            self._timer.cancel()
        self._process.forget(self)
        self.on_ready()
