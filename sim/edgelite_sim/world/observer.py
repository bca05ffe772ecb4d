"""What can be seen of a world from outside the code under test: the base of invariants, recordings and progress.

Times are the world's `now_ms`. Every method does nothing here; an observer overrides what it wants to see, changes
nothing, and draws no randomness.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from edgelite_hub.store.contract import Sample
    from edgelite_sim.world.world import World


class Observer:
    def begin(self, world: World) -> None:
        """All nodes and hubs are there; nothing has happened yet."""

    def end(self, world: World, now_ms: int) -> None:
        """The last event has happened."""

    def fault(self, kind: str, target: str, detail: str, now_ms: int) -> None:
        """A fault begins, or ends (`kind` is then "heal" or what the timetable calls the end)."""

    # ---- nodes

    def power(self, node: str, is_on: bool, why: str, now_ms: int) -> None:
        """A node gets power, or loses it ("power cut", "watchdog", "shutdown")."""

    def agent(self, node: str, is_up: bool, why: str, now_ms: int) -> None:
        """The agent's process began or ended ("start", "crash", "power cut", "stop")."""

    def line(self, node: str, state: str, now_ms: int) -> None:
        """What the network under the node's link is: "up", or how it is down ("silent", "refused", ...)."""

    def session(self, node: str, is_live: bool, why: str, now_ms: int) -> None:
        """The node's session with a hub began (welcomed) or ended, as the node sees it."""

    def attempt(self, node: str, now_ms: int) -> None:
        """The node begins to connect to a hub."""

    def wire(self, node: str, up_bytes: int, down_bytes: int, now_ms: int) -> None:
        """Bytes on the node's access line since the last call, headers and repeats included."""

    def flash(self, node: str, written_bytes: int, syncs: int, now_ms: int) -> None:
        """Written to the node's flash since the last call."""

    def answered(self, node: str, device: str, values: dict[str, object], now_ms: int) -> None:
        """A simulated device has given these values to the node (its bytes have arrived there)."""

    def unit(self, node: str, workload: str, unit: str, what: str, now_ms: int) -> None:
        """A simulated process: "started", "signalled SIGNAL" (the agent asks it to end, or ends it), "exited CODE",
        "killed", "lost power". `workload` is "namespace/name"."""

    def gauges(self, node: str, gauges: dict[str, int], now_ms: int) -> None:
        """Looked at once a simulated minute while the agent is up: "journal_bytes", "flash_bytes", "reports_waiting",
        "effects", "units", "devices"."""

    # ---- hubs

    def log(self, hub: str, line: str, now_ms: int) -> None:
        """A line of the hub's log, which is where it names what its store has lost."""

    def hub(self, hub: str, what: str, now_ms: int) -> None:
        """ "started", "crashed", "restored", "emptied", "stopped"."""

    def stored(self, hub: str, samples: Sequence[Sample], now_ms: int) -> None:
        """Samples in a transaction that has been committed."""

    def acknowledged(self, node: str, hub: str, lane: int, generation: int, sequence: int, now_ms: int) -> None:
        """The hub says to a node that it has stored the reports up to this one."""

    def changed(
        self, hub: str, resource: str, namespace: str, name: str, new: dict[str, Any] | None, now_ms: int
    ) -> None:
        """An object of the hub was committed in this form; None: it is gone."""

    def wanted(
        self, hub: str, resource: str, namespace: str, name: str, new: dict[str, Any] | None, now_ms: int
    ) -> None:
        """A person (the scenario) applied an object, or deleted it."""
