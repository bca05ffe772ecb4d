"""The part of a device that brings desired values into it. `desired` has the tables; here they meet readings, time and
the journal."""

from edgelite.devices import desired as d
from edgelite.devices.schedule import earlier
from edgelite.driver import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.clock import Clock
    from edgelite.devices.config import DeviceConfig, Property
    from edgelite.devices.kept import Kept
    from edgelite.devices.twin import Twin
    from edgelite.driver import Result

    Value = int | float | str | bool | bytes

# What waits for a reading or a second try, so what may still expire.
WAITING = (d.UNREAD, d.FAILED)


class Wishing:
    """A base of Device, not a thing by itself."""

    if TYPE_CHECKING:
        twins: dict[str, Twin]
        is_mapped: bool
        _clock: Clock
        _config: DeviceConfig | None
        _kept: Kept
        _states_ms: int | None

        def _read_now(self, twins: "list[Twin]", now_ms: int) -> None: ...
        def _write_now(self, twin: "Twin", value: Value, now_ms: int) -> None: ...
        def _is_due(self, collect_ms: int, now_ms: int) -> bool: ...
        def _tell_twin(self, twin: "Twin") -> None: ...

    # ---- whose word counts

    def want_locally(self, twin: "Twin", text: str, now_ms: int) -> None:
        """A desired value from this node; ConfigurationError where it cannot be."""
        if twin.own_desired().want_locally(twin.property, text):
            self._begin([twin], now_ms)

    def lose_hub(self, lost_ms: int, wait_ms_max: "int | None", now_ms: int) -> "int | None":
        """The hub has been lost for `lost_ms`: fail-safe values that are due count now; when the next one does. None of
        them waits longer than `wait_ms_max`."""
        begun = []
        deadline_ms: int | None = None
        for twin in self.twins.values():
            property = twin.property
            if property.fail_safe is None or twin.desired.origin not in (d.NOBODY, d.HUB):
                continue
            wait_ms = property.fail_safe_ms if wait_ms_max is None else min(property.fail_safe_ms, wait_ms_max)
            if lost_ms < wait_ms:
                deadline_ms = earlier(deadline_ms, now_ms + wait_ms - lost_ms)
            elif twin.own_desired().lose_hub(property):
                begun.append(twin)
            else:
                self._note(twin, now_ms)  # a fail-safe value that can never be written: its twin says so
        self._begin(begun, now_ms)
        return deadline_ms

    def find_hub(self, now_ms: int) -> None:
        """What the hub desired before it was lost counts again."""
        begun = []
        for twin in self.twins.values():
            if twin.desired.origin != d.FAIL_SAFE:
                continue
            if twin.desired.find_hub(twin.property, self._is_over(twin.property, now_ms) is True):
                begun.append(twin)
            else:
                self._note(twin, now_ms)
        self._begin(begun, now_ms)

    def know_time(self, now_ms: int) -> None:
        """The hub's time is known now: what waits for it is tried again."""
        for twin in self.twins.values():
            if twin.desired.error == d.UNDATED_TEXT:
                twin.desired.retry_ms = now_ms
                self._states_ms = now_ms

    def _take_desired(self, now_ms: int) -> None:
        """What the configuration desires, and what an earlier run of the agent has left to do."""
        unread = []
        for twin in self.twins.values():
            property = twin.property
            if property.desired is None and twin.desired.origin == d.NOBODY:
                continue
            desired = twin.own_desired()
            before = (desired.origin, desired.text)
            is_begun = desired.want(property, self._is_over(property, now_ms) is True)
            if (desired.resume(property) or is_begun) and not self._is_due(property.collect_ms, now_ms):
                unread.append(twin)
            if desired.origin != before[0]:
                self._note(twin, now_ms)  # what is kept of another's word must not come back with a restart
            elif desired.text != before[1]:
                self._tell_twin(twin)
        if unread:
            self._read_now(unread, now_ms)

    def _begin(self, twins: "list[Twin]", now_ms: int) -> None:
        """Another's word counts for them since just now."""
        for twin in twins:
            self._note(twin, now_ms)
        if twins:
            self._read_now(twins, now_ms)

    def _note(self, twin: "Twin", now_ms: int) -> None:
        if self._config is not None:
            self._kept.note(self._config.uid, twin.property.name, twin.desired)
        self._states_ms = now_ms
        self._tell_twin(twin)

    def _is_over(self, property: "Property", now_ms: int) -> "bool | None":
        """Whether the hub's wish has expired by now; None while nobody here knows what time it is."""
        expires = property.desired_expires
        if expires is None:
            return False
        if expires <= self._clock.floor_ms:
            return True
        if self._clock.offset_ms is None:
            return None
        return now_ms + self._clock.offset_ms >= expires

    # ---- into the device

    def _finish_write(self, twin: "Twin", result: "Result", now_ms: int) -> None:
        error = result.errors.get(twin.property.name)
        self._happen(twin, d.WRITTEN if error is None else d.REFUSED, error or "", now_ms)

    def _compare(self, twin: "Twin", now_ms: int) -> None:
        if twin.desired.state in (d.NONE, d.SETTLED, d.IMPOSSIBLE, d.EXPIRED):
            return
        error = twin.error
        event = d.NO_VALUE
        if not error:
            event = self._comparison(twin)
            error = "the device holds another value after it was written"
        if event == d.DIFFERENT and self.is_mapped:
            return  # its program knows what is desired, and says when it is so
        if event == d.DIFFERENT and twin.desired.state == d.UNREAD and twin.desired.origin == d.HUB:
            is_over = self._is_over(twin.property, now_ms)
            if is_over is None:
                event, error = d.UNDATED, d.UNDATED_TEXT
            elif is_over:
                event = d.EXPIRES
        self._happen(twin, event, error, now_ms)

    def _comparison(self, twin: "Twin") -> str:
        if self._config is None:
            return d.NO_VALUE
        try:
            same = self._config.driver.same_value(twin.property.visitor, twin.desired.value, twin.value)
        except ConfigurationError as error:
            twin.desired.impossible(error.text)
            return d.NO_VALUE
        return d.EQUAL if same else d.DIFFERENT

    def _happen(self, twin: "Twin", event: str, error: str, now_ms: int) -> None:
        desired = twin.desired
        had_failed = desired.state == d.FAILED
        action = desired.happen(event, error, now_ms)
        if action == d.WRITE and desired.value is not None:
            self._write_now(twin, desired.value, now_ms)
        elif action == d.READ:
            self._read_now([twin], now_ms)
        elif action == d.KEEP or (desired.state == d.FAILED and desired.origin == d.LOCAL and not had_failed):
            self._note(twin, now_ms)
        elif desired.state in (d.FAILED, d.EXPIRED):
            self._tell_twin(twin)

    def _retry_desired(self, twin: "Twin", now_ms: int) -> "int | None":
        """The time of the next try, or of its end; None when there is none to wait for."""
        desired = twin.desired
        if desired.state not in WAITING:
            return None
        deadline_ms = desired.retry_ms if desired.state == d.FAILED else None
        if desired.origin == d.HUB and twin.property.desired_expires is not None:
            if self._is_over(twin.property, now_ms):
                self._happen(twin, d.EXPIRES, "", now_ms)
                return None
            if self._clock.offset_ms is not None:
                deadline_ms = earlier(deadline_ms, twin.property.desired_expires - self._clock.offset_ms)
        if desired.state == d.FAILED and now_ms >= desired.retry_ms:
            self._happen(twin, d.RETRY, "", now_ms)
            return None
        return deadline_ms
