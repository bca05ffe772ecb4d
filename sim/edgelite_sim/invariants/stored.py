"""nothing-is-stored-twice and order-per-device-holds: each sample that a hub commits, against what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from edgelite_sim.invariants import reach
from edgelite_sim.invariants.invariant import Invariant
from edgelite_sim.invariants.readings import IN_ORDER, LATE, TWICE, UNREAD, Readings, Series

if TYPE_CHECKING:
    from edgelite_hub.store.contract import Sample


class _StoredSamples(Invariant):
    """Follows what lies in each hub's store. A restored or emptied one forgets, and what it forgot may come again."""

    def __init__(self, properties: Sequence[str] = ()) -> None:
        super().__init__()
        self._readings = Readings(properties)

    def answered(self, node: str, device: str, values: dict[str, object], now_ms: int) -> None:
        self._readings.answered(node, device, values, now_ms)

    def hub(self, hub: str, what: str, now_ms: int) -> None:
        if what in reach.OTHER_STORE:
            for series in self._readings:
                series.replace(hub, reach.stored_values(self.world, hub, series))

    def stored(self, hub: str, samples: Sequence[Sample], now_ms: int) -> None:
        for sample in samples:
            series = self._readings.of(sample)
            if series is not None:
                what, place = series.stored(hub, sample.value)
                if what != IN_ORDER:
                    self._unusual(hub, what, series, sample, place, now_ms)

    def _unusual(self, hub: str, what: str, series: Series, sample: Sample, place: int, now_ms: int) -> None:
        raise NotImplementedError


class NothingIsStoredTwice(_StoredSamples):
    name = "nothing-is-stored-twice"
    sentence = "A hub stores each reading of a device at most once, and none that the device never gave."

    def _unusual(self, hub: str, what: str, series: Series, sample: Sample, place: int, now_ms: int) -> None:
        if what == TWICE:
            read_ms = series.times_ms[place]
            text = f"{hub} stored {series.text} = {sample.value!r} again; it was read once, at {read_ms} ms"
            self.violate(now_ms, series.node, text)
        elif what == UNREAD:
            self.violate(
                now_ms, series.node, f"{hub} stored {series.text} = {sample.value!r}, which the device never gave"
            )


class OrderPerDeviceHolds(_StoredSamples):
    name = "order-per-device-holds"
    sentence = "Within one store, the samples of a device's property are stored in the order in which they were read."

    def _unusual(self, hub: str, what: str, series: Series, sample: Sample, place: int, now_ms: int) -> None:
        if what == LATE:
            newest = series.shelf(hub).next - 1
            text = (
                f"{hub} stored {series.text} = {sample.value!r}, read at {series.times_ms[place]} ms, "
                f"behind {series.values[newest]!r}, read at {series.times_ms[newest]} ms"
            )
            self.violate(now_ms, series.node, text)
