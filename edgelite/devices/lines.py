"""The buses that the devices of a node share, each opened while somebody needs it.

A bus is a driver's, and a driver may be wrong. What its bus raises, and what it gives that it should not, ends that bus
alone: all that was asked of it has a result that says why, its channel is closed, and after a pause it is made anew.
"""

from edgelite.devices.guard import FAULTS, fault_text, shown
from edgelite.devices.schedule import earlier
from edgelite.driver import Bus, ConfigurationError, Result
from edgelite.effects import Channel, Close, Configure, Log, Open

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.devices.device import Collection
    from edgelite.devices.driver_process import Program, Programs
    from edgelite.driver import Request

AGAIN_MS_MIN = 1_000  # until a bus that failed is made anew; doubled with each failure
AGAIN_MS_MAX = 300_000
PROGRAM_MS_MAX = 30_000  # between two tries to speak with a driver's process; its own restarts have a backoff as well
HEALTHY_MS = 600_000  # a bus that lasted so long begins the row of failures anew
REOPEN_MS = 50  # between the end of a channel and the next Open, whatever the bus wants
RESULTS_MAX = 4_096  # that a bus has at once: more than its requests and a burst of what it listens to
SPINS_MAX = 100  # steps in a row whose deadline has passed when they are over
SPIN_MS = 100  # between steps of such a bus
ANSWER_MS_MAX = 600_000  # a bus with a hundred silent devices still gives each its result in that time
LOOK_MS = 60_000  # between two looks whether one forgot any, once that can be


class Line(Channel):
    """A bus as the port sees it, and whether its channel is asked for. `asked` has what each number was asked for,
    until its result has come, or, of what listens, until it is ignored."""

    def __init__(self, lines: "Lines", key: "tuple[str, object]", driver: "Any", target: "tuple[Any, ...]") -> None:
        self.key = key
        self.target = target
        self.bus: Any = driver.make_bus(target, lines.random_bytes)
        self.asked: dict[int, Collection] = {}
        self.users = 0
        self.is_asked = False  # from Open until closed
        self.is_closing = False
        self.failure = ""  # why it was lost last
        self.is_lost = False  # since the last `Lines.take_changed`: all that is on it is offline
        self.is_renewed = False  # since then: it can be asked again
        self._lines = lines
        self._driver = driver
        self._failed: list[tuple[Collection, Result]] = []
        self._again_ms: int | None = None  # when it is of use again after it was lost
        self._pause_ms = AGAIN_MS_MIN
        self._made_ms: int | None = None  # when the bus was made, as of its first step
        self._reopen_ms = 0
        self._spins = 0
        self._look_ms = 0
        self._program: Program | None = None  # where the bus speaks with a process of the driver's own
        self._restart_ms: int | None = None  # when its devices try again after its end

    # ---- the devices' side

    def submit(self, number: int, collection: "Collection", request: "Request", now_ms: int) -> None:
        self._lines.is_asked = True
        if not self.asked:
            self._look_ms = now_ms + ANSWER_MS_MAX
        self.asked[number] = collection
        collection.asked_ms = now_ms
        if self.bus is None:
            self._refuse(number, collection, self.failure, now_ms)
        else:
            self._call("listen" if collection.is_listening else "submit", now_ms, request, now_ms)

    def ignore(self, number: int, now_ms: int) -> None:
        """The end of listening."""
        if self.asked.pop(number, None) is not None:
            self._lines.is_asked = True
            self._call("ignore", now_ms, number, now_ms)

    def forget(self, device: "Any") -> None:
        """What this device asked for is nobody's any more."""
        self._lines.is_asked = True
        for number in [number for number in self.asked if self.asked[number].device is device]:
            del self.asked[number]

    def take_results(self, now_ms: int) -> "list[tuple[Collection, Result]]":
        """Those that were asked for; what else a bus says is late, or wrong."""
        if not self.asked and not self._failed:
            return []  # what it may say is nobody's, and goes when somebody asks again
        found, self._failed = self._failed, []
        for _ in range(RESULTS_MAX):
            result = self._call("next_result", now_ms)
            if result is None:
                break
            if not _is_result(result):
                self._fail("next_result", TypeError("gave " + shown(result)), now_ms)
                break
            collection = self.asked.get(result.number)
            if collection is not None:
                if result.answered and self._program is not None and self.failure:
                    self._pause_ms = AGAIN_MS_MIN
                    self.failure = ""
                    self._lines.emit(Log("info", "driver %s is back" % self._driver.NAME))
                if not collection.is_listening:
                    del self.asked[result.number]
                if result.time_ms is not None and not 0 <= result.time_ms <= now_ms:
                    result.time_ms = now_ms
                found.append((collection, result))
        else:
            self._fail("next_result", ValueError("gives results without end"), now_ms)
        if self._failed:
            found += self._failed
            self._failed = []
        return found

    def has_news(self) -> bool:
        """Something that the devices are to be told of in the next round."""
        return self.is_lost or self.is_renewed or len(self._failed) > 0

    def step(self, now_ms: int) -> "int | None":
        if self._again_ms is not None:
            if now_ms < self._again_ms or self.is_asked:
                return self._again_ms if now_ms < self._again_ms else None
            self._renew(now_ms)
        if self._made_ms is None:
            self._made_ms = now_ms
        if self._restart_ms is not None and now_ms >= self._restart_ms:
            self._restart_ms = None
            self.is_renewed = True
        deadline_ms = self._bounded(self._call("step", now_ms, now_ms), now_ms)
        if self._restart_ms is not None:
            deadline_ms = earlier(deadline_ms, self._restart_ms)
        if self.asked:
            if now_ms >= self._look_ms:
                self._look_ms = now_ms + LOOK_MS
                self._look_for_forgotten(now_ms)
            deadline_ms = earlier(deadline_ms, self._look_ms)
        if not self.is_asked:
            return earlier(deadline_ms, self._open(now_ms))
        if not self.is_closing:
            self._look_at_channel(now_ms)
        return deadline_ms

    def close(self) -> None:
        if self.is_asked and not self.is_closing:
            self.is_closing = True
            self._lines.emit(Close(self))

    # ---- the port's side

    def opened(self, now_ms: int) -> None:
        self._lines.is_stirred = True
        self._call("opened", now_ms, now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        self._lines.is_stirred = True
        self._call("received", now_ms, data, now_ms)

    def data_to_send(self, size_bytes_max: int) -> bytes:
        data = self._call("data_to_send", 0, size_bytes_max)
        if data is None:
            return b""
        if not isinstance(data, (bytes, bytearray)) or len(data) > size_bytes_max:
            self._fail("data_to_send", TypeError("gave %s for %d bytes" % (shown(data), size_bytes_max)), 0)
            return b""
        if data:
            self._lines.is_stirred = True
        return bytes(data)

    def closed(self, reason: str, now_ms: int) -> None:
        self._lines.is_stirred = True
        self.is_asked = False
        self.is_closing = False
        self._reopen_ms = now_ms + REOPEN_MS
        if self._program is None:
            self._call("closed", now_ms, reason, now_ms)
        else:
            self._lose_program(self._program, reason, now_ms)

    # ---- a driver's own process

    def run(self, program: "Program", now_ms: int) -> None:
        self._program = program
        program.begin(now_ms)

    def release(self, now_ms: int) -> None:
        """No device is on it any more."""
        self.close()
        if self._program is not None:
            self._program.end(now_ms)

    def _lose_program(self, program: "Program", reason: str, now_ms: int) -> None:
        """The process is gone, or hangs: all devices are offline at once, and read again when it may be back."""
        if getattr(self.bus, "is_hung", False) is True:
            program.kill()
        self._call("closed", now_ms, program.trouble() or reason, now_ms)
        if self.bus is None:
            return
        failure = str(getattr(self.bus, "failure", "") or reason)
        if failure != self.failure:
            self._lines.emit(Log("warning", failure + "; its devices are offline"))
        self.failure = failure
        self.is_lost = True
        self._restart_ms = now_ms + self._pause_ms
        self._pause_ms = min(2 * self._pause_ms, PROGRAM_MS_MAX)

    # ---- inside

    def _open(self, now_ms: int) -> "int | None":
        """Ask for the channel where the bus wants it; when to look again where it may not have it yet."""
        if not self._call("wants_open", now_ms, now_ms):
            return None
        if now_ms < self._reopen_ms:
            return self._reopen_ms
        self.is_asked = True
        self._lines.emit(Open(self, self.target))
        return None

    def _look_for_forgotten(self, now_ms: int) -> None:
        """A bus gives each request a result in time; one that does not would keep its device waiting for ever."""
        for number in list(self.asked):
            collection = self.asked[number]
            if not collection.is_listening and now_ms - collection.asked_ms >= ANSWER_MS_MAX:
                text = "driver %s gave no result within %d s" % (self._driver.NAME, ANSWER_MS_MAX // 1000)
                self._refuse(number, collection, text, now_ms)

    def _look_at_channel(self, now_ms: int) -> None:
        if self._call("wants_close", now_ms, now_ms):
            self.close()
            return
        settings = self._call("wants_settings", now_ms, now_ms)
        if isinstance(settings, dict):
            self._lines.emit(Configure(self, settings))
        elif settings is not None:
            self._fail("wants_settings", TypeError("gave " + shown(settings)), now_ms)

    def _bounded(self, deadline_ms: "Any", now_ms: int) -> "int | None":
        """A deadline that has always passed would keep the agent busy for ever."""
        if deadline_ms is None:
            self._spins = 0
            return None
        if not isinstance(deadline_ms, int):
            self._fail("step", TypeError("gave %s for a deadline" % shown(deadline_ms)), now_ms)
            return None
        self._spins = self._spins + 1 if deadline_ms <= now_ms else 0
        if self._spins < SPINS_MAX:
            return deadline_ms
        if self._spins == SPINS_MAX:
            self._lines.emit(Log("warning", "driver %s names deadlines that have passed" % self._driver.NAME))
        return now_ms + SPIN_MS

    def _call(self, method: str, now_ms: int, *arguments: object) -> "Any":
        """What the bus gives; None where it has failed."""
        if self.bus is None:
            return None
        try:
            return getattr(self.bus, method)(*arguments)
        except FAULTS as error:
            self._fail(method, error, now_ms)
            return None

    def _fail(self, method: str, error: BaseException, now_ms: int) -> None:
        self._lines.is_stirred = True
        now_ms = max(now_ms, self._lines.now_ms)  # not all calls of a port tell the time
        self.bus = None
        is_told = isinstance(error, ConfigurationError) and method == "make_bus"  # by the guard already
        self.failure = error.text if is_told else fault_text(self._driver.NAME, method, error)  # type: ignore[attr-defined]
        self.is_lost = True
        lasted = self._made_ms is not None and now_ms - self._made_ms >= HEALTHY_MS
        pause_ms = AGAIN_MS_MIN if lasted else self._pause_ms
        self._pause_ms = min(2 * pause_ms, AGAIN_MS_MAX)
        self._again_ms = now_ms + pause_ms
        text = "%s; its bus is made anew in %d s" % (self.failure, pause_ms // 1000)
        self._lines.emit(Log("error", text, error))
        for number in list(self.asked):
            self._refuse(number, self.asked[number], self.failure, now_ms)
        self.close()

    def _refuse(self, number: int, collection: "Collection", why: str, now_ms: int) -> None:
        del self.asked[number]
        errors = {twin.property.name: why for twin in collection.twins}
        self._failed.append((collection, Result(number, {}, errors, False, now_ms)))

    def _renew(self, now_ms: int) -> None:
        self._again_ms = None
        self._made_ms = None
        self._spins = 0
        self.is_renewed = True
        if self.bus is None:
            try:
                self.bus = self._driver.make_bus(self.target, self._lines.random_bytes)
            except FAULTS as error:
                self._fail("make_bus", error, now_ms)


def _is_result(result: "Any") -> bool:
    """Of the right types throughout; whether the values are what was asked for is looked at by who asked."""
    try:
        texts = all(isinstance(text, str) for text in result.errors.values())
        is_time = result.time_ms is None or isinstance(result.time_ms, int)
        return texts and is_time and isinstance(result.number, int) and isinstance(result.values, dict)
    except AttributeError:
        return False


def key_of(driver: "Any", target: "tuple[Any, ...]") -> "tuple[str, object]":
    """What devices on one line have in common; a serial line's settings are a map, which is no key by itself."""
    parts = [_key_of_map(part) if isinstance(part, dict) else part for part in target]
    return driver.NAME, tuple(parts)


def _key_of_map(settings: "dict[str, Any]") -> object:
    parts = [(name, settings[name]) for name in sorted(settings)]
    return tuple([(name, _key_of_map(part) if isinstance(part, dict) else part) for name, part in parts])


class Lines:
    """`programs()` makes what runs the processes of drivers; it is called when a device needs one."""

    def __init__(
        self,
        emit: "Callable[[object], None]",
        random_bytes: "Callable[[int], bytes]",
        programs: "Callable[[], Programs] | None" = None,
    ) -> None:
        self._programs = programs
        self.emit = emit
        self.is_stirred = False  # something came on a line, or left it
        self.is_asked = True  # since the last step: that, or devices have asked for something
        self._due_ms: int | None = None  # the last step's deadline
        self._rests = True  # False where a driver has more ways in than its line
        self.random_bytes = random_bytes
        self.now_ms = 0  # when it was asked last
        self._lines: dict[tuple[str, object], Line] = {}

    def acquire(self, driver: "Any", protocol: object, now_ms: int = 0) -> Line:
        """The line of a device; devices with an equal target share it. ConfigurationError where the driver has none."""
        self.is_asked = True
        target = driver.target(protocol)
        key = key_of(driver, target)
        try:
            line = self._lines.get(key)
        except TypeError as error:  # a list in it
            raise ConfigurationError("protocol", fault_text(driver.NAME, "target", error)) from error
        if line is None:
            line = Line(self, key, driver, target)
            if target[0] == "driver" or hasattr(driver, "make_server"):
                self._rests = False
            if target[0] == "driver" and self._programs is not None:
                program = self._programs().make(driver.NAME, driver.driver)
                if program is not None:
                    line.run(program, now_ms)
            self._lines[key] = line
        line.users += 1
        return line

    def take_stirred(self, now_ms: int) -> bool:
        """Whether a step may have work though no deadline has come."""
        self.now_ms = now_ms
        is_stirred = self.is_stirred or not self._rests
        self.is_stirred = False
        if is_stirred:
            self.is_asked = True
        return is_stirred

    def release(self, line: Line, now_ms: int = 0) -> None:
        self.is_asked = True
        line.users -= 1
        if line.users == 0:
            del self._lines[line.key]
            line.release(now_ms)

    def results(self, now_ms: int) -> "list[tuple[Collection, Result]]":
        results = []
        for line in self._lines.values():
            results.extend(line.take_results(now_ms))
        return results

    def step(self, now_ms: int) -> "int | None":
        self.now_ms = now_ms
        is_asked = self.is_asked or self.is_stirred
        if not is_asked and (self._due_ms is None or now_ms < self._due_ms):
            return self._due_ms
        self.is_asked = False
        deadline_ms: int | None = None
        for line in self._lines.values():
            deadline_ms = earlier(deadline_ms, line.step(now_ms))
            if line.has_news():
                deadline_ms = now_ms
        self._due_ms = deadline_ms
        return deadline_ms

    def take_changed(self) -> "list[tuple[Line, str]]":
        """The lines that were lost since the last call, with the reason, and those that are of use again, with ""."""
        changed = []
        for line in self._lines.values():
            if line.is_lost:
                changed.append((line, line.failure))
            if line.is_renewed:
                changed.append((line, ""))
            line.is_lost = line.is_renewed = False
        return changed

    def requests_in_flight(self) -> int:
        return sum([len(line.asked) for line in self._lines.values()])

    def buses(self) -> "list[Bus]":
        return [line.bus for line in self._lines.values() if line.bus is not None]
