"""Fixed-rate collection: the properties of one device with one collect cycle are read together."""


class Cycle:
    """Due at its start and then each `period_ms`, on the grid of its start: a late step shifts nothing, and cycles
    that were missed are skipped, never made up for in a bunch. A period of 0 is due once."""

    def __init__(self, period_ms: int, start_ms: int) -> None:
        self.period_ms = period_ms
        self.due_ms: int | None = start_ms
        self.is_collecting = False
        self.missed = 0  # cycles that were skipped: the step came late, or the last collection had no end yet

    def take(self, now_ms: int) -> "int | None":
        """The time of the cycle that is due now, None when none is or the last one still runs."""
        due_ms = self.due_ms
        if due_ms is None or now_ms < due_ms:
            return None
        if self.period_ms == 0:
            self.due_ms = None
            return due_ms
        late = (now_ms - due_ms) // self.period_ms
        self.due_ms = due_ms + (late + 1) * self.period_ms
        if self.is_collecting:
            self.missed += late + 1
            return None
        self.missed += late
        return due_ms + late * self.period_ms


def earlier(one: "int | None", other: "int | None") -> "int | None":
    """Of two deadlines; None is none."""
    if one is None:
        return other
    return one if other is None or one <= other else other
