"""What a bus knows of one unit (slave) on it: whether it answers, how fast, and what it refuses."""

from edgelite_drivers.backoff import Backoff
from edgelite_drivers.modbus.plan import plan

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite_drivers.modbus.config import Protocol
    from edgelite_drivers.modbus.plan import Span
    from edgelite_drivers.modbus.representation import Visitor

SILENCE_MS_MIN = 2_000  # the first pause after a timeout
SILENCE_MS_MAX = 60_000  # a device that comes back is noticed within a minute, where nobody else is on the bus
PAUSE_MS_MAX = 300_000  # whatever its probes cost the others
PLANS_MAX = 4  # that are kept: as many as a device has collect cycles, where it has few
PLAN_PROPERTIES_MAX = 32  # of such a plan; larger ones are made anew, rather than lie in memory
CUTS_MAX = 512  # as many as a device has properties; edits of a Device leave old ones behind

# A probe of a unit that is known to be quick need not take its whole timeout; each fourth does, should it have changed.
PROBE_MS_MIN = 100
PROBE_SLOWEST_TIMES = 4
PROBES_SHORT = 3


class Unit:
    def __init__(self, random_bytes: "Callable[[int], bytes]") -> None:
        self.cuts: set[tuple[str, int]] = set()  # see plan.py
        self.refused_functions: tuple[int, ...] = ()  # it has said that it does not know them
        self.silent_place: tuple[str, int] | None = None  # the span that brought no answer last: asked last next time
        self.silent_until_ms = 0
        self.silence = ""  # why it counts as silent; "" while it answers
        self.was_heard = False
        self.asked_ms = 0  # when anybody last wanted something of it
        self.doubtful_until_ms = 0  # a late answer may come: it is asked nothing else
        self._plans: list[tuple[dict[str, Visitor], Protocol, list[Span]]] = []
        self._slowest_ms = 0
        self._probes = 0
        self._backoff = Backoff(SILENCE_MS_MIN, SILENCE_MS_MAX, random_bytes)

    def plan(self, visitors: "dict[str, Visitor]", protocol: "Protocol") -> "list[Span]":
        """What to read, in a list of the caller's own. The same is asked for again and again, so it is kept."""
        for known, under, spans in self._plans:
            if under is protocol and known == visitors:
                return list(spans)
        spans = plan(visitors, protocol, self.cuts)
        if len(visitors) <= PLAN_PROPERTIES_MAX:
            self._plans = self._plans[1 - PLANS_MAX :] + [(visitors, protocol, spans)]  # noqa: RUF005 - portable
        return list(spans)

    def heard(self, answer_ms: int) -> None:
        self.silence = ""
        self.was_heard = True
        self._probes = 0
        self._slowest_ms = max(self._slowest_ms, answer_ms)
        self._backoff.reset()

    def was_silent(self, reason: str, rest_ms: int, now_ms: int) -> None:
        """`rest_ms`: how long it is left alone at least, for the others' sake."""
        if self.silence:
            self._probes += 1
        self.silence = reason
        self.silent_until_ms = now_ms + min(max(self._backoff.pause_ms(), rest_ms), PAUSE_MS_MAX)

    def is_paused(self, now_ms: int) -> bool:
        return self.silence != "" and now_ms < self.silent_until_ms

    def probe_ms(self, timeout_ms: int) -> int:
        if not self.was_heard or self._probes % (PROBES_SHORT + 1) == PROBES_SHORT:
            return timeout_ms
        return min(timeout_ms, PROBE_MS_MIN + PROBE_SLOWEST_TIMES * self._slowest_ms)

    def cut(self, table: str, offset: int) -> None:
        if len(self.cuts) >= CUTS_MAX:
            self.cuts = set()  # learnt again in a few exchanges
        self.cuts.add((table, offset))
        self._plans = []

    def refuses(self, function: int) -> None:
        if function not in self.refused_functions:
            self.refused_functions += (function,)
