"""One device: its cycles, its twins, and what the hub is told of it."""

from edgelite.devices.desired import UNREAD
from edgelite.devices.kept import Kept
from edgelite.devices.reports import Reports
from edgelite.devices.rules import Hold
from edgelite.devices.schedule import Cycle, earlier
from edgelite.devices.twin import GOOD, Twin
from edgelite.devices.values import fault_of, shortened
from edgelite.devices.wishing import Wishing
from edgelite.driver import Request, Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite.context import Context
    from edgelite.devices.config import DeviceConfig, Property
    from edgelite.devices.lines import Line
    from edgelite.devices.listening import Ear
    from edgelite.devices.watch import Watcher

DEVICE_HOLD_MS = 10_000  # between two reports of one device's state
ONCE_AGAIN_MS = 60_000  # until a property that is read once is asked for again, when it gave no value


class Collection:
    """A request in flight: what for, and for the schedule's which time."""

    def __init__(self, device: "Device", twins: "list[Twin]", cycle: "Cycle | None", due_ms: int) -> None:
        self.device = device
        self.twins = twins
        self.cycle = cycle
        self.due_ms = due_ms
        self.is_write = False
        self.is_listening = False  # it has a result whenever the device sends something
        self.asked_ms = 0


class Device(Wishing):
    """`submit(collection, request, now_ms)` hands a request to the device's line; the result comes to `finish`.

    Others read `state`, `reason`, `last_online_ms` and `twins` (edgelite.devices.access)."""

    watcher: "Watcher | None" = None  # set where somebody watches: edgelite.devices.watch
    last_online_ms: "int | None" = None  # when it last answered
    is_mapped = False  # no bus: a local program is its driver
    _ear: "Ear | None" = None  # where it sends some of its properties by itself
    _windows_ms: "int | None" = None  # when the next window of a property ends

    def __init__(self, key: str, context: "Context", submit: "Callable[[Collection, Request, Line, int], int]") -> None:
        self.key = key
        self.line: Line | None = None
        self._reports = Reports(context, key)
        self._kept = Kept(context.journal, key)
        self._clock = context.clock
        self._submit = submit
        self._config: DeviceConfig | None = None
        self.twins: dict[str, Twin] = {}
        self._cycles: list[Cycle] = []
        self.state = ""  # "" until something is known
        self.reason = ""
        self._hold = Hold(DEVICE_HOLD_MS)
        self._states_ms: int | None = None  # when to look at all twins again: nothing changes in between

    # ---- configuration

    def configure(self, config: "DeviceConfig", line: "Line", now_ms: int) -> None:
        """Take a new configuration; what reads the same as before goes on undisturbed. PlatformError where what is kept
        of it cannot be read at present: then nothing has changed."""
        old_twins = self.twins
        kept = {one.name: self._kept.recall(config.uid, one.name) for one in self._new_properties(config)}
        if self._config is not None and self._config.uid != config.uid:
            self._drop_twins(now_ms)  # another device of this name
            old_twins = {}
        if self.line is not line:
            self._cycles = []  # whatever they wait for will not come
        self._config = config
        self._hold.hold_ms = max(DEVICE_HOLD_MS, config.state_ms)
        self.line = line
        self.is_mapped = getattr(config.driver, "IS_MAPPED", False)
        self.twins = {}
        if self.state == "unhealthy":
            self.state = ""
            self._tell_state()
        for property in config.properties:
            twin = old_twins.get(property.name)
            if twin is None or twin.property.source != property.source:
                twin = Twin(property)
                row = kept[property.name]
                if row is not None:
                    twin.own_desired().recall(*row)  # type: ignore[arg-type]
            elif not is_same_window(twin.property, property):
                self._close_windows([twin], now_ms, now_ms)
            twin.property = property
            twin.is_heard = property.name in config.heard
            self.twins[property.name] = twin
        gone = [old_twins[name] for name in old_twins if self.twins.get(name) is not old_twins[name]]
        self._close_windows(gone, now_ms, now_ms)
        for twin in gone:
            twin.is_gone = True
        self._renew_cycles(now_ms)
        self._renew_listening(now_ms)
        self._take_desired(now_ms)
        self._states_ms = now_ms

    def _new_properties(self, config: "DeviceConfig") -> "list[Property]":
        """Those that nothing is known of but what the journal keeps."""
        is_same = self._config is not None and self._config.uid == config.uid
        old = {name: twin.property.source for name, twin in self.twins.items()} if is_same else {}
        return [one for one in config.properties if one.name not in old or old[one.name] != one.source]

    def lose(self, reason: str, now_ms: int) -> None:
        """Its line is of no use for the moment."""
        if self._ear is not None:
            self._ear.end(now_ms)
        self._notice_presence(Result(0, {}, {"": reason}, False), now_ms)
        self._states_ms = now_ms

    def restart(self, now_ms: int) -> None:
        """Its line is of use again: everything is read once more."""
        self._cycles = []
        self._renew_cycles(now_ms)
        if self._ear is not None:
            self._ear.end(now_ms)
        self._renew_listening(now_ms)

    def refuse(self, reason: str, now_ms: int) -> None:
        """Its configuration is no good: it reads nothing until a better one comes."""
        self.stop(now_ms)
        self._states_ms = now_ms
        self.state = "unhealthy"
        self.reason = reason
        self._tell_state()

    def stop(self, now_ms: int) -> None:
        """What is in flight is nobody's any more; what was gathered is told."""
        self._drop_twins(now_ms)
        if self._ear is not None:
            self._ear.end(now_ms)
        self._cycles = []
        self._config = None
        self.line = None

    def _drop_twins(self, now_ms: int) -> None:
        self.flush(now_ms)
        for twin in self.twins.values():
            twin.is_gone = True
        self.twins = {}

    def forget(self) -> None:
        """The device is gone: so is what was kept of it."""
        self._kept.forget()

    def _renew_cycles(self, now_ms: int) -> None:
        if self.is_mapped:
            self._cycles = []
            return
        periods = sorted({twin.property.collect_ms for twin in self.twins.values() if not twin.is_heard})
        kept = {cycle.period_ms: cycle for cycle in self._cycles}
        self._cycles = [kept.get(period) or Cycle(period, now_ms) for period in periods]

    def _renew_listening(self, now_ms: int) -> None:
        if self._config is None or (self._ear is None and not self._config.heard):
            return
        if self._ear is None:
            from edgelite.devices.listening import Ear  # most devices say nothing by themselves

            self._ear = Ear()
        self._ear.renew(self, lambda collection: self._send(collection, None, now_ms), now_ms)

    def _is_due(self, collect_ms: int, now_ms: int) -> bool:
        for cycle in self._cycles:
            if cycle.period_ms == collect_ms:
                return cycle.due_ms is not None and cycle.due_ms <= now_ms
        return False

    # ---- collection

    def step(self, now_ms: int) -> "int | None":
        """Start what is due; the next deadline."""
        deadline_ms: int | None = None
        for cycle in self._cycles:
            due_ms = cycle.take(now_ms)
            if due_ms is not None:
                twins = [one for one in self.twins.values() if one.property.collect_ms == cycle.period_ms]
                self._read([twin for twin in twins if not twin.is_heard], cycle, due_ms, now_ms)
            deadline_ms = earlier(deadline_ms, cycle.due_ms)
        if self._windows_ms is not None and now_ms >= self._windows_ms:
            self._end_windows(now_ms)
        if self._states_ms is not None and now_ms >= self._states_ms:
            self._states_ms = self._look_at_states(now_ms)
        return earlier(earlier(deadline_ms, self._windows_ms), self._states_ms)

    def finish(self, collection: Collection, result: Result, now_ms: int) -> None:
        """The end of one request."""
        if collection.cycle is not None:
            collection.cycle.is_collecting = False
        twins = [twin for twin in collection.twins if not twin.is_gone]
        if not twins:
            return
        if collection.is_listening:
            from edgelite.devices.listening import told_of

            twins = told_of(collection, twins, result, now_ms)
        self._states_ms = now_ms
        self._notice_presence(result, now_ms)
        if collection.is_write:
            self._finish_write(twins[0], result, now_ms)
        else:
            self._finish_read(collection, twins, result, now_ms)

    @property
    def has_fail_safe(self) -> bool:
        return self._config is not None and self._config.has_fail_safe

    def state_locally(self, state: str, reason: str, now_ms: int) -> None:
        """What its program says of it."""
        self.state = state
        self.reason = reason
        if state == "online":
            self.last_online_ms = now_ms
        self._states_ms = now_ms
        self._tell_state()

    def _read(self, twins: "list[Twin]", cycle: "Cycle | None", due_ms: int, now_ms: int) -> None:
        if self.is_mapped:  # what its program told is all there is to read
            for twin in twins:
                if twin.quality == GOOD:
                    self._compare(twin, now_ms)
            return
        if self._ear is not None and cycle is None:
            twins = self._polled(twins, now_ms)
            if not twins:
                return
        if cycle is not None:
            cycle.is_collecting = True
        self._send(Collection(self, twins, cycle, due_ms), None, now_ms)

    def _polled(self, twins: "list[Twin]", now_ms: int) -> "list[Twin]":
        """Those that can be asked for. Of the others what was heard last counts; after a write, what is heard next."""
        for twin in twins:
            if twin.is_heard and twin.quality == GOOD and twin.desired.state == UNREAD:
                self._compare(twin, now_ms)
        return [twin for twin in twins if not twin.is_heard]

    def _read_now(self, twins: "list[Twin]", now_ms: int) -> None:
        self._read(twins, None, now_ms, now_ms)

    def _write_now(self, twin: "Twin", value: "int | float | str | bool | bytes", now_ms: int) -> None:
        collection = Collection(self, [twin], None, now_ms)
        collection.is_write = True
        self._send(collection, value, now_ms)

    def _send(self, collection: Collection, value: "int | float | str | bool | bytes | None", now_ms: int) -> int:
        """The request's number."""
        if self._config is None or self.line is None:
            return 0
        visitors = {twin.property.name: twin.property.visitor for twin in collection.twins}
        return self._submit(collection, Request(0, self._config.protocol, visitors, value), self.line, now_ms)

    def _notice_presence(self, result: Result, now_ms: int) -> None:
        before = self.state
        if result.answered:
            self.last_online_ms = now_ms if result.time_ms is None else result.time_ms
            self.state = "online"
            self.reason = ""
        else:
            self.state = "offline"
            for name in sorted(result.errors):
                self.reason = result.errors[name]
                break
        if self.state != before:
            self._tell_state()

    def _tell_state(self) -> None:
        if self.watcher is not None:
            self.watcher.state_changed(self.key)

    def _tell_twin(self, twin: "Twin") -> None:
        if self.watcher is not None:
            self.watcher.twin_changed(self.key, twin.property.name)

    def _finish_read(self, collection: Collection, twins: "list[Twin]", result: Result, now_ms: int) -> None:
        time_ms = now_ms if result.time_ms is None else result.time_ms
        passed: dict[str, int | float | str | bool | bytes] = {}
        for twin in twins:
            name = twin.property.name
            value = result.values.get(name)
            fault = _fault(twin, value, result)
            before = (twin.quality, twin.value, twin.error) if self.watcher is not None else None
            if value is None or fault:
                twin.take_error(shortened(fault), time_ms)
            else:
                twin.take_value(value, time_ms)
                if not twin.property.report_to_cloud:
                    pass
                elif twin.property.window_ms:
                    self._gather(twin, value, time_ms)
                elif twin.rule.passes(twin.property, value, collection.due_ms):
                    passed[name] = value
            if self.watcher is not None and before != (twin.quality, twin.value, twin.error):
                self._tell_twin(twin)
        cycle = collection.cycle
        if result.errors and cycle is not None and cycle.period_ms == 0:
            cycle.due_ms = now_ms + ONCE_AGAIN_MS
        if passed:
            self._reports.values(passed, time_ms)
        for twin in twins:
            self._compare(twin, now_ms)

    # ---- windows

    def flush(self, now_ms: int) -> None:
        """Tell what windows have gathered so far: nothing more will come."""
        if self._windows_ms is not None:
            self._close_windows(list(self.twins.values()), now_ms, now_ms)
            self._windows_ms = None

    def _gather(self, twin: "Twin", value: "int | float | str | bool | bytes", time_ms: int) -> None:
        if twin.window is None:
            from edgelite.devices.window import Window  # most nodes have none

            twin.window = Window()
        elif twin.window.end_ms is not None and time_ms >= twin.window.end_ms:
            self._end_windows(time_ms)
        twin.window.take(value, time_ms, twin.property.window_ms)  # type: ignore[arg-type]
        self._windows_ms = earlier(self._windows_ms, twin.window.end_ms)

    def _end_windows(self, now_ms: int) -> None:
        """One report for all windows that end together."""
        while self._windows_ms is not None and now_ms >= self._windows_ms:
            end_ms = self._windows_ms
            twins = list(self.twins.values())
            self._close_windows([one for one in twins if one.window and one.window.end_ms == end_ms], end_ms, now_ms)
            self._windows_ms = None
            for twin in twins:
                if twin.window is not None:
                    self._windows_ms = earlier(self._windows_ms, twin.window.end_ms)

    def _close_windows(self, twins: "list[Twin]", time_ms: int, now_ms: int) -> None:
        values: dict[str, int | float | str | bool | bytes] = {}
        for twin in twins:
            if twin.window is not None and twin.window.end_ms is not None:
                values.update(twin.window.close(twin.property))
        self._reports.values(values, min(time_ms, now_ms))

    # ---- reports

    def _look_at_states(self, now_ms: int) -> "int | None":
        """Tell what is due of twins and device, try desired values again; when to look next."""
        deadline_ms: int | None = None
        for twin in self.twins.values():
            deadline_ms = earlier(deadline_ms, self._retry_desired(twin, now_ms))
            due_ms = twin.report_deadline_ms()
            if due_ms is not None and due_ms <= now_ms:
                self._reports.twin(twin, now_ms)
            else:
                deadline_ms = earlier(deadline_ms, due_ms)
        return earlier(deadline_ms, self._report_presence(now_ms))

    def _report_presence(self, now_ms: int) -> "int | None":
        state = (self.state, self.reason)
        if self._config is not None and not self._config.is_state_told:
            return None
        due_ms = self._hold.deadline_ms(state) if self.state else None
        if due_ms is None or due_ms > now_ms:
            return due_ms
        self._hold.tell(state, now_ms)
        self._reports.state(self.state, self.reason, now_ms)
        return None


def is_same_window(one: "Property", other: "Property") -> bool:
    return one.window_ms == other.window_ms and one.window_functions == other.window_functions


def _fault(twin: Twin, value: "int | float | str | bool | bytes | None", result: Result) -> str:
    """Why a reading is none; "" where it is one."""
    if value is None:
        return result.errors.get(twin.property.name, "the driver gave no value")
    return fault_of(twin.property.type, value)
