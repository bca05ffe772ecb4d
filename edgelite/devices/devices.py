"""All devices of a node: who is configured, whose turn it is, and which result belongs to whom."""

from edgelite.devices.config import parse_device
from edgelite.devices.device import Collection, Device
from edgelite.devices.guard import FAULTS, GuardedDriver, fault_text
from edgelite.devices.lines import Lines
from edgelite.devices.schedule import earlier
from edgelite.driver import Bus, ConfigurationError, Request
from edgelite_protocol import messages
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.context import Context
    from edgelite.devices.driver_process import Programs
    from edgelite.devices.hub_loss import HubLoss
    from edgelite.devices.lines import Line
    from edgelite.devices.watch import Watcher, Watchers

DRIVER_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789_"
DRIVER_NAME_SIZE_MAX = 64
ROUNDS_MAX = 16  # of results that make requests which have their results at once: a reading, a write, a reading


def load_driver(name: str) -> "Any":
    """The driver's module; ImportError where there is none on this node."""
    return __import__("edgelite_drivers." + name, None, None, ["NAME"])


class Devices:
    """`set_desired` and `step` are called by the node; buses are opened by effects, and the port feeds them."""

    def __init__(
        self,
        context: "Context",
        load_driver: "Callable[[str], Any]" = load_driver,
        programs: "Callable[[], Programs] | None" = None,
    ) -> None:
        self._context = context
        self._load_driver = load_driver
        self._devices: dict[str, Device] = {}
        self._lines = Lines(context.emit, context.random_bytes, programs)
        self._drivers: dict[str, GuardedDriver] = {}
        self._last_number = 0
        self._watchers: Watchers | None = None
        self._is_linked = False
        self._link_ms: int | None = None  # since when it is so
        self._hub_loss: HubLoss | None = None
        self._due_ms: int | None = None  # the last step's deadline
        self._is_stirred = True  # something came since then: a step has work before its deadline too

    def set_desired(self, key: str, device: "dict[int, object] | None", now_ms: int) -> None:
        """Take on, change or (None) drop the device `key`, "namespace/name". A configuration that does not hold
        makes this device unhealthy and disturbs no other."""
        self._is_stirred = True
        if device is None:
            self._drop(key, now_ms)
            return
        known = self._devices.get(key)
        is_new = known is None
        if known is None:
            known = self._devices[key] = Device(key, self._context, self._submit)
        old_line = known.line
        try:
            config = parse_device(device, self._driver(device))
            config.heard = config.driver.heard(config.properties)
            line = self._lines.acquire(config.driver, config.protocol, now_ms)
        except ConfigurationError as error:
            known.refuse(str(error), now_ms)
        else:
            try:
                if config.has_fail_safe:
                    self._watch_hub()
                known.configure(config, line, now_ms)
            except PlatformError:  # it cannot read what the journal keeps: nothing has changed
                self._lines.release(line, now_ms)
                raise
        if old_line is not None:
            if known.line is not old_line:
                old_line.forget(known)
            self._lines.release(old_line, now_ms)
        if self._watchers is not None:
            known.watcher = self._watchers
            if is_new:
                self._watchers.device_added(key)

    def link(self, is_live: bool, now_ms: int) -> None:
        """Whether the hub can be reached now; called before each step."""
        if is_live == self._is_linked and self._link_ms is not None:
            return
        self._is_linked = is_live
        self._is_stirred = True
        self._link_ms = now_ms
        if is_live:
            for device in self._devices.values():
                device.know_time(now_ms)

    def begin_anew(self) -> None:
        """Another history of the hub, or another hub: it counts the versions of its wishes by itself."""
        for device in self._devices.values():
            for twin in device.twins.values():
                twin.desired.version = 0

    def stop(self, now_ms: int) -> None:
        """The agent ends: what was gathered and not told yet is reported."""
        for device in self._devices.values():
            device.flush(now_ms)

    def _watch_hub(self) -> None:
        if self._hub_loss is None:
            from edgelite.devices.hub_loss import HubLoss  # most nodes have nothing that is to be safe without a hub

            self._hub_loss = HubLoss(self._context)

    def step(self, now_ms: int) -> "int | None":
        """Take results, start what is due; the next deadline in ms, None when only input can change anything. Most
        events of a node are none of its devices': then nothing is looked at."""
        is_stirred = self._lines.take_stirred(now_ms) or self._is_stirred
        if is_stirred or (self._due_ms is not None and now_ms >= self._due_ms) or self._take_results(now_ms):
            self._is_stirred = False
            self._due_ms = self._step(now_ms)
        return self._due_ms

    def _step(self, now_ms: int) -> "int | None":
        number = self._last_number
        lines_ms = self._lines.step(now_ms)
        self._take_results(now_ms)
        is_changed = self._take_changed_lines(now_ms)
        deadline_ms: int | None = None
        if self._hub_loss is not None:
            devices = [device for device in self._devices.values() if device.has_fail_safe]
            since_ms = now_ms if self._link_ms is None else self._link_ms
            deadline_ms = self._hub_loss.step(devices, self._is_linked, since_ms, now_ms)
        for device in self._devices.values():
            deadline_ms = earlier(deadline_ms, device.step(now_ms))
        if number == self._last_number and not is_changed:
            return earlier(deadline_ms, lines_ms)  # nothing was asked for since the lines said when they are due
        if self._take_results(now_ms):  # a bus may answer at once, for a unit that it knows to be silent
            for device in self._devices.values():
                deadline_ms = earlier(deadline_ms, device.step(now_ms))
        return earlier(deadline_ms, self._lines.step(now_ms))

    def buses(self) -> "list[Bus]":
        return self._lines.buses()

    def requests_in_flight(self) -> int:
        return self._lines.requests_in_flight()

    # ---- for others on this node: a Modbus server, the local bus

    def add_watcher(self, watcher: "Watcher") -> None:
        """It is told of each device that there is, and then of what changes."""
        if self._watchers is None:
            from edgelite.devices.watch import Watchers

            self._watchers = Watchers()
        self._watchers.add(watcher)
        for key in self.keys():
            self._devices[key].watcher = self._watchers
            watcher.device_added(key)

    def keys(self) -> "list[str]":
        return sorted(self._devices)

    def view(self, key: str) -> "Device | None":
        """The device, to be read only: `state` ("" while nothing is known), `reason`, `last_online_ms` (None before it
        answered), `twins` by property name."""
        return self._devices.get(key)

    def want_locally(self, key: str, name: str, text: str, now_ms: int) -> None:
        """A desired value from this node: a PLC, a person at the CLI, an application. ConfigurationError says why it
        cannot be; docs/twins.md, whose word counts when."""
        from edgelite.devices.access import want_locally

        self._is_stirred = True
        want_locally(self._devices.get(key), key, name, text, now_ms)

    def report_locally(self, key: str, name: str, text: str, now_ms: int) -> None:
        """A value of a device whose driver is a local program (`protocolName: mapper`)."""
        from edgelite.devices.access import report_locally

        self._is_stirred = True
        report_locally(self._devices.get(key), key, name, text, now_ms)

    def state_locally(self, key: str, state: str, now_ms: int) -> None:
        """The state of such a device: online, ok, offline, unhealthy, unknown."""
        from edgelite.devices.access import state_locally

        self._is_stirred = True
        state_locally(self._devices.get(key), key, state, now_ms)

    def _drop(self, key: str, now_ms: int) -> None:
        device = self._devices.pop(key, None)
        if device is None:
            return
        line = device.line
        device.stop(now_ms)
        device.forget()
        if line is not None:
            line.forget(device)
            self._lines.release(line, now_ms)
        if self._watchers is not None:
            self._watchers.device_removed(key)

    def _driver(self, device: "dict[int, object]") -> "Any":
        name = device.get(messages.DEVICE_DRIVER)
        if not isinstance(name, str) or not 1 <= len(name) <= DRIVER_NAME_SIZE_MAX:
            raise ConfigurationError("protocol.protocolName", "must name a driver")
        for character in name:
            if character not in DRIVER_NAME_CHARACTERS:
                raise ConfigurationError("protocol.protocolName", "is no driver's name: " + name)
        driver = self._drivers.get(name)
        if driver is None:
            driver = self._drivers[name] = GuardedDriver(name, self._load(name), self, self._context.emit)
        return driver

    def _load(self, name: str) -> "Any":
        try:
            return self._load_driver(name)
        except ImportError as error:
            raise ConfigurationError("protocol.protocolName", "no driver %s here: %s" % (name, error)) from error
        except FAULTS as error:
            raise ConfigurationError("protocol.protocolName", fault_text(name, "its module", error)) from error

    def _submit(self, collection: Collection, request: Request, line: "Line", now_ms: int) -> int:
        self._last_number += 1
        request.number = self._last_number
        line.submit(request.number, collection, request, now_ms)
        return request.number

    def _take_results(self, now_ms: int) -> bool:
        """True where there were any. Handling one may submit more, whose results are taken too."""
        results = self._lines.results(now_ms)
        had_results = len(results) > 0
        for _ in range(ROUNDS_MAX):
            if not results:
                break
            for collection, result in results:
                collection.device.finish(collection, result, now_ms)
            results = self._lines.results(now_ms)
        return had_results

    def _take_changed_lines(self, now_ms: int) -> bool:
        """True where there were any."""
        changed = self._lines.take_changed()
        for line, lost in changed:
            for device in self._devices.values():
                if device.line is line and lost:
                    device.lose(lost, now_ms)
                elif device.line is line:
                    device.restart(now_ms)
        return len(changed) > 0
