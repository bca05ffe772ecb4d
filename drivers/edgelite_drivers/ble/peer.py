"""One device: from being looked for to being read, as a table of state and event; and what is asked of it meanwhile.

A device is connected to only once it has been seen to advertise. So one that is away costs the others nothing: no
attempt is made that would have to run into its timeout.
"""

from edgelite.driver import Request, Result
from edgelite_drivers.backoff import Backoff
from edgelite_drivers.ble import radio as seam
from edgelite_drivers.ble.config import VALUE_BYTES_MAX
from edgelite_drivers.ble.heard import Heard
from edgelite_drivers.ble.values import ValueRefused, decode, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite_drivers.ble.config import Protocol, Visitor
    from edgelite_drivers.ble.radio import Characteristic, Radio

    Value = int | float | str | bool | bytes

PAUSE_MS_MIN = 1_000
PAUSE_MS_MAX = 60_000
LEAVE_MS = 5_000  # a stack that does not say that a connection has ended is not waited for longer
RECENT_MS = 5_000  # seen so lately, a device need not be looked for again
TASKS_MAX = 64  # requests of one device: an agent has one a cycle under way
NOT_SEEN = "not seen within %d ms"

# States
REST = "rest"
SEEKING = "seeking"
WAITING = "waiting"  # it was seen; connections are made one after another
CONNECTING = "connecting"
DISCOVERING = "discovering"
OPEN = "open"
LEAVING = "leaving"
PAUSED = "paused"  # it failed; not again before the backoff
ABSENT = "absent"  # it was not seen; being seen ends that at once

# Events
WANTED = "wanted"
SEEN = "seen"
TURN = "turn"
UP = "up"
FOUND = "found"
DOWN = "down"
LATE = "late"
UNWANTED = "unwanted"

# What is done on the way, methods of Peer
_SEEK, _WAIT, _CONNECT, _DISCOVER, _BEGIN, _LEAVE, _FAIL, _MISS, _FAIL_AND_LEAVE, _REST = range(10)

TABLE = {
    (REST, WANTED): (SEEKING, _SEEK),
    (SEEKING, SEEN): (WAITING, _WAIT),
    (SEEKING, LATE): (ABSENT, _MISS),
    (SEEKING, UNWANTED): (REST, _REST),
    (WAITING, TURN): (CONNECTING, _CONNECT),
    (WAITING, LATE): (PAUSED, _FAIL),
    (WAITING, UNWANTED): (REST, _REST),
    (CONNECTING, UP): (DISCOVERING, _DISCOVER),
    (CONNECTING, DOWN): (PAUSED, _FAIL),
    (CONNECTING, LATE): (LEAVING, _FAIL_AND_LEAVE),
    (DISCOVERING, FOUND): (OPEN, _BEGIN),
    (DISCOVERING, DOWN): (PAUSED, _FAIL),
    (DISCOVERING, LATE): (LEAVING, _FAIL_AND_LEAVE),
    (OPEN, DOWN): (PAUSED, _FAIL),
    (OPEN, LATE): (LEAVING, _FAIL_AND_LEAVE),
    (OPEN, UNWANTED): (LEAVING, _LEAVE),
    (LEAVING, DOWN): (PAUSED, _REST),
    (LEAVING, LATE): (PAUSED, _REST),
    (PAUSED, LATE): (REST, _REST),
    (ABSENT, LATE): (REST, _REST),
    (ABSENT, SEEN): (REST, _REST),
}
LATE_TEXTS = {
    SEEKING: NOT_SEEN,
    WAITING: "the radio had no connection free within %d ms",
    CONNECTING: "no connection within %d ms",
    DISCOVERING: "its services were not told within %d ms",
    OPEN: "no answer within %d ms",
}


class Task:
    """A request under way: it ends when all its steps have."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.values: dict[str, Value] = {}
        self.errors: dict[str, str] = {}
        self.steps_left = 0


class Step:
    """One exchange with a characteristic. `data` of a write; `is_on` of a subscription; `task` None for what the
    driver does for itself."""

    def __init__(self, kind: str, characteristic: "Characteristic", names: "list[str]", task: "Task | None") -> None:
        self.kind = kind
        self.characteristic = characteristic
        self.names = names
        self.task = task
        self.data = b""
        self.is_on = True


class Peer:
    """`tell(result)` takes what there is to tell."""

    def __init__(
        self,
        protocol: "Protocol",
        radio: "Radio",
        random_bytes: "Callable[[int], bytes]",
        tell: "Callable[[Result], None]",
    ) -> None:
        self.protocol = protocol
        self.state = REST
        self.address = protocol.address
        self.is_random = protocol.is_random
        self.heard_ms: int | None = None
        self.deadline_ms: int | None = None
        self.since_ms = 0  # in this state
        self.listeners: dict[int, Heard] = {}
        self._told_down: dict[int, bool] = {}  # listeners that know that there is no connection
        self._radio = radio
        self._tell = tell
        self._backoff = Backoff(PAUSE_MS_MIN, PAUSE_MS_MAX, random_bytes)
        self._failure = ""
        self._is_failed = False
        self._tasks: list[Task] = []
        self._steps: list[Step] = []
        self._step: Step | None = None
        self._found: list[Characteristic] = []
        self._actions = {
            _SEEK: self._seek,
            _WAIT: self._wait,
            _CONNECT: self._connect,
            _DISCOVER: self._discover,
            _BEGIN: self._begin,
            _LEAVE: self._leave,
            _FAIL: self._fail,
            _MISS: self._miss,
            _FAIL_AND_LEAVE: self._fail_and_leave,
            _REST: self._rest,
        }

    # ---- what is asked

    def submit(self, request: Request, now_ms: int) -> None:
        if self.state in (PAUSED, ABSENT, LEAVING) and self._is_failed:
            self._refuse(request, self._failure, False, now_ms)
        elif len(self._tasks) >= TASKS_MAX:
            self._refuse(request, "more than %d requests wait for the device" % TASKS_MAX, True, now_ms)
        else:
            task = Task(request)
            self._tasks.append(task)
            if self.state == OPEN:
                self._plan(task, now_ms)
                self._proceed(now_ms)

    def listen(self, request: Request, now_ms: int) -> None:
        self.listeners[request.number] = Heard(request, now_ms)
        self._told_down[request.number] = False
        if self.state == OPEN:
            self._subscribe(request)
            self._proceed(now_ms)
        elif self.state in (PAUSED, ABSENT) and self._is_failed:
            self._tell_listeners(self._failure, now_ms)

    def ignore(self, number: int, now_ms: int) -> None:
        heard = self.listeners.pop(number, None)
        self._told_down.pop(number, None)
        if heard is None or self.state != OPEN:
            return
        for characteristic in self._subscribed(heard.request):
            if not any(characteristic in self._subscribed(other.request) for other in self.listeners.values()):
                step = Step(seam.SUBSCRIBED, characteristic, [], None)
                step.is_on = False
                self._steps.append(step)
        self._proceed(now_ms)

    def is_wanted(self) -> bool:
        """Whether a connection is."""
        return len(self._tasks) > 0 or self.holds()

    def holds(self) -> bool:
        """Whether a connection must stay for what the device sends by itself."""
        return any(_notified(heard.request) for heard in self.listeners.values())

    def is_idle(self) -> bool:
        return self.state == OPEN and self._step is None and not self._steps and not self.holds()

    def is_useless(self) -> bool:
        return not self._tasks and not self.listeners and self.state in (REST, PAUSED, ABSENT)

    # ---- what happens

    def happen(self, event: str, now_ms: int, reason: str = "") -> None:
        """What the table has no cell for changes nothing: a stack may tell late what is over."""
        cell = TABLE.get((self.state, event))
        if cell is None:
            return
        if event == LATE and self.state in LATE_TEXTS:
            reason = LATE_TEXTS[self.state] % self._limit_ms()
        self.state, action = cell
        self.since_ms = now_ms
        self.deadline_ms = None
        self._actions[action](now_ms, reason)

    def step(self, now_ms: int) -> "int | None":
        if self.deadline_ms is not None and now_ms >= self.deadline_ms:
            is_bored = self.state == OPEN and self._step is None
            self.happen(UNWANTED if is_bored else LATE, now_ms)
        if self.state == REST and self.is_wanted():
            self.happen(WANTED, now_ms)
        elif self.state in (SEEKING, WAITING) and not self.is_wanted():
            self.happen(UNWANTED, now_ms)
        if self.state == SEEKING and self.heard_ms is not None and now_ms - self.heard_ms < RECENT_MS:
            self.happen(SEEN, now_ms)
        return self.deadline_ms

    def lose(self, reason: str, now_ms: int) -> None:
        """The radio is gone, and what it had with it."""
        self.state = PAUSED
        self.since_ms = now_ms
        self._fail(now_ms, reason)

    def discovered(self, characteristics: "list[Characteristic]", reason: str, now_ms: int) -> None:
        if self.state != DISCOVERING:
            return
        if reason:
            self.state = OPEN  # so that what ends it is told as of a connection that was there
            self._fail_step(reason, now_ms)
            return
        self._found = characteristics
        self.happen(FOUND, now_ms)

    def answered(self, kind: str, handle: int, data: "bytes | None", reason: str, now_ms: int) -> None:
        """The end of the step under way; anything else is an answer that nobody waits for."""
        step = self._step
        if self.state != OPEN or step is None or step.kind != kind or step.characteristic.handle != handle:
            return
        self._step = None
        if step.task is None:
            self._settle_own(step, data, reason, now_ms)
        else:
            self._settle(step, step.task, data, reason, now_ms)
        self._proceed(now_ms)

    def notified(self, handle: int, data: bytes, now_ms: int) -> None:
        for number in list(self.listeners):
            request = self.listeners[number].request
            values: dict[str, Value] = {}
            errors: dict[str, str] = {}
            for name in _notified(request):
                visitor: Visitor = request.visitors[name]  # type: ignore[assignment]
                characteristic = self._characteristic(visitor)
                if characteristic is not None and characteristic.handle == handle:
                    _decode(name, visitor, data, values, errors)
            if values or errors:
                self._told_down[number] = False
                self._tell(Result(number, values, errors, True, now_ms))

    # ---- actions of the table

    def _seek(self, now_ms: int, reason: str) -> None:
        self.deadline_ms = now_ms + self.protocol.scan_timeout_ms

    def _wait(self, now_ms: int, reason: str) -> None:
        self.deadline_ms = now_ms + self.protocol.scan_timeout_ms + self.protocol.connect_timeout_ms

    def _connect(self, now_ms: int, reason: str) -> None:
        self.deadline_ms = now_ms + self.protocol.connect_timeout_ms
        self._radio.connect(self.address, self.is_random)

    def _discover(self, now_ms: int, reason: str) -> None:
        self.deadline_ms = now_ms + self.protocol.connect_timeout_ms
        self._radio.discover(self.address)

    def _begin(self, now_ms: int, reason: str) -> None:
        self._backoff.reset()
        self._is_failed = False
        self._step = None
        self._steps = []
        for heard in self.listeners.values():
            self._subscribe(heard.request)
        for task in list(self._tasks):
            self._plan(task, now_ms)
        self._proceed(now_ms)

    def _leave(self, now_ms: int, reason: str) -> None:
        self.deadline_ms = now_ms + LEAVE_MS
        self._is_failed = False
        self._radio.disconnect(self.address)

    def _fail_and_leave(self, now_ms: int, reason: str) -> None:
        self._give_up(reason, now_ms)
        self.deadline_ms = now_ms + LEAVE_MS
        self._radio.disconnect(self.address)

    def _fail(self, now_ms: int, reason: str) -> None:
        self._give_up(reason, now_ms)
        self._pause(now_ms)

    def _miss(self, now_ms: int, reason: str) -> None:
        self.heard_ms = None
        if not self.protocol.address:
            self.address = ""  # another one may be the device that the filters mean
        self._fail(now_ms, reason)

    def _rest(self, now_ms: int, reason: str) -> None:
        """The end of a pause; of a connection that was left on purpose, or after a failure, whose pause begins now."""
        if self.state == PAUSED:
            self._pause(now_ms)
        else:
            self._is_failed = False

    def _pause(self, now_ms: int) -> None:
        self.heard_ms = None if self._is_failed else self.heard_ms
        self.deadline_ms = now_ms + (self._backoff.pause_ms() if self._is_failed else 0)

    def _limit_ms(self) -> int:
        """Of what was late."""
        return (self.deadline_ms or self.since_ms) - self.since_ms if self._step is None else self.protocol.timeout_ms

    # ---- requests

    def _give_up(self, reason: str, now_ms: int) -> None:
        self._failure = reason
        self._is_failed = True
        tasks = self._tasks
        self._tasks = []
        self._steps = []
        self._step = None
        self._found = []
        for task in tasks:
            self._refuse(task.request, reason, False, now_ms)
        self._tell_listeners(reason, now_ms)

    def _refuse(self, request: Request, reason: str, answered: bool, now_ms: int) -> None:
        self._tell(Result(request.number, {}, dict.fromkeys(request.visitors, reason), answered, now_ms))

    def _tell_listeners(self, reason: str, now_ms: int) -> None:
        """Once, to those that need a connection."""
        for number in self.listeners:
            names = _notified(self.listeners[number].request)
            if names and not self._told_down[number]:
                self._told_down[number] = True
                self._tell(Result(number, {}, dict.fromkeys(names, reason), False, now_ms))

    def _plan(self, task: Task, now_ms: int) -> None:
        """The steps of a request: each characteristic is read once, whatever number of properties it holds."""
        request = task.request
        by_handle: dict[int, Step] = {}
        for name in request.visitors:
            visitor: Visitor = request.visitors[name]  # type: ignore[assignment]
            characteristic = self._characteristic(visitor)
            if characteristic is None:
                task.errors[name] = self._missing(visitor)
            elif request.value is not None:
                self._plan_write(task, name, visitor, characteristic)
            elif not characteristic.properties & seam.CAN_READ:
                task.errors[name] = "the characteristic cannot be read"
            elif characteristic.handle in by_handle:
                by_handle[characteristic.handle].names.append(name)
            else:
                step = by_handle[characteristic.handle] = Step(seam.READ, characteristic, [name], task)
                self._add(step, task)
        if task.steps_left == 0:
            self._finish(task, now_ms)

    def _plan_write(self, task: Task, name: str, visitor: "Visitor", characteristic: "Characteristic") -> None:
        from edgelite.driver import ConfigurationError

        if not characteristic.properties & (seam.CAN_WRITE | seam.CAN_WRITE_WITHOUT_RESPONSE):
            task.errors[name] = "the characteristic cannot be written"
            return
        step = Step(seam.WRITTEN, characteristic, [name], task)
        try:
            step.data = encode(visitor.codec, task.request.value)  # type: ignore[arg-type]
        except ConfigurationError as error:
            task.errors[name] = error.text
            return
        step.is_on = bool(characteristic.properties & seam.CAN_WRITE) and not (
            visitor.without_response and characteristic.properties & seam.CAN_WRITE_WITHOUT_RESPONSE
        )
        self._add(step, task)

    def _add(self, step: Step, task: Task) -> None:
        task.steps_left += 1
        self._steps.append(step)

    def _subscribe(self, request: Request) -> None:
        """Subscribe to what notifies, and read it once where it can be: a door may not move for days."""
        for name in _notified(request):
            visitor: Visitor = request.visitors[name]  # type: ignore[assignment]
            characteristic = self._characteristic(visitor)
            reason = ""
            if characteristic is None:
                reason = self._missing(visitor)
            elif not characteristic.properties & (seam.CAN_NOTIFY | seam.CAN_INDICATE):
                reason = "the characteristic cannot notify"
            if reason or characteristic is None:
                self._tell(Result(request.number, {}, {name: reason}, True))
                continue
            self._steps.append(Step(seam.SUBSCRIBED, characteristic, [name], None))
            if characteristic.properties & seam.CAN_READ:
                self._steps.append(Step(seam.READ, characteristic, [name], None))

    def _subscribed(self, request: Request) -> "list[Characteristic]":
        found = [self._characteristic(request.visitors[name]) for name in _notified(request)]  # type: ignore[arg-type]
        return [characteristic for characteristic in found if characteristic is not None]

    def _characteristic(self, visitor: "Visitor") -> "Characteristic | None":
        for characteristic in self._found:
            if characteristic.uuid == visitor.characteristic and visitor.service in ("", characteristic.service):
                return characteristic
        return None

    def _missing(self, visitor: "Visitor") -> str:
        where = " in service " + visitor.service if visitor.service else ""
        return "the device has no characteristic %s%s" % (visitor.characteristic, where)

    # ---- steps

    def _proceed(self, now_ms: int) -> None:
        """The next step, or the end of the connection after a while without any."""
        if self.state != OPEN or self._step is not None:
            return
        if not self._steps:
            self.deadline_ms = None if self.holds() else now_ms + self.protocol.idle_disconnect_ms
            return
        step = self._step = self._steps.pop(0)
        self.deadline_ms = now_ms + self.protocol.timeout_ms
        handle = step.characteristic.handle
        if step.kind == seam.READ:
            self._radio.read(self.address, handle)
        elif step.kind == seam.WRITTEN:
            self._radio.write(self.address, handle, step.data, step.is_on)
        else:
            self._radio.subscribe(self.address, handle, step.is_on)

    def _fail_step(self, reason: str, now_ms: int) -> None:
        self.state = LEAVING
        self.since_ms = now_ms
        self._fail_and_leave(now_ms, reason)

    def _settle(self, step: Step, task: Task, data: "bytes | None", reason: str, now_ms: int) -> None:
        for name in step.names:
            visitor: Visitor = task.request.visitors[name]  # type: ignore[assignment]
            if reason:
                task.errors[name] = reason
            elif step.kind == seam.READ:
                _decode(name, visitor, data or b"", task.values, task.errors)
        task.steps_left -= 1
        if task.steps_left == 0:
            self._finish(task, now_ms)

    def _settle_own(self, step: Step, data: "bytes | None", reason: str, now_ms: int) -> None:
        if step.kind == seam.READ and not reason:
            self.notified(step.characteristic.handle, data or b"", now_ms)
        elif step.kind == seam.SUBSCRIBED and reason and step.is_on:
            for number in list(self.listeners):
                request = self.listeners[number].request
                if step.characteristic in self._subscribed(request):
                    names = [name for name in step.names if name in request.visitors]
                    self._tell(Result(number, {}, dict.fromkeys(names, reason), True, now_ms))

    def _finish(self, task: Task, now_ms: int) -> None:
        self._tasks.remove(task)
        self._tell(Result(task.request.number, task.values, task.errors, True, now_ms))


def _notified(request: Request) -> "list[str]":
    return [name for name in request.visitors if request.visitors[name].notify]  # type: ignore[attr-defined]


def _decode(name: str, visitor: "Visitor", data: bytes, values: "dict[str, Value]", errors: "dict[str, str]") -> None:
    if len(data) > VALUE_BYTES_MAX:
        errors[name] = "the device sent more than %d bytes" % VALUE_BYTES_MAX
        return
    try:
        values[name] = decode(visitor.codec, data)  # type: ignore[arg-type]
    except ValueRefused as error:
        errors[name] = str(error)
