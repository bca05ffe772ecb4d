"""The half of the driver that has the radio: an agent's session on one side, the central on the other, no I/O.

Whoever owns it (the process on Linux, a board's firmware) gives it what the agent sent, hands it the radio's events,
and sends what `data_to_send` has.
"""

from edgelite.driver import ConfigurationError, Request
from edgelite_drivers.ble import NAME
from edgelite_drivers.ble.central import Central, run
from edgelite_drivers.ble.config import check_protocol, check_visitor
from edgelite_drivers.process import Asked, Session
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite_drivers.ble.radio import Radio


class Half:
    def __init__(self, radio: "Radio", random_bytes: "Callable[[int], bytes]") -> None:
        self.central = Central(radio, random_bytes)
        self._radio = radio
        self._session: Session | None = None

    def opened(self) -> None:
        """An agent is there; what an earlier one asked is nobody's any more."""
        self._session = Session(NAME)

    def closed(self, now_ms: int) -> None:
        self._session = None
        self.central.forget(now_ms)

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        """ProtocolError where the agent breaks the rules: the connection is to be closed."""
        session = self._session
        if session is None:
            return
        session.receive(data)
        event = session.next_event()
        while event is not None:
            if isinstance(event, Asked):
                self._ask(event, now_ms)
            else:
                self.central.ignore(event.number, now_ms)
            event = session.next_event()

    def step(self, now_ms: int) -> "int | None":
        """Hand on what the radio told and the central found; the next deadline."""
        deadline_ms = run(self._radio, self.central, now_ms)
        self._hand_on_results(now_ms)
        return deadline_ms

    def data_to_send(self, size_bytes_max: int) -> bytes:
        return self._session.data_to_send(size_bytes_max) if self._session is not None else b""

    def _hand_on_results(self, now_ms: int) -> None:
        result = self.central.next_result()
        while result is not None:
            if self._session is not None:
                time_ms = result.time_ms if result.time_ms is not None else now_ms
                age_ms = max(0, now_ms - time_ms)
                self._session.tell(result.number, result.values, result.errors, result.answered, age_ms)
            result = self.central.next_result()

    def _ask(self, asked: Asked, now_ms: int) -> None:
        """The agent has checked the same, perhaps with another version of this code."""
        visitors: dict[str, object] = {}
        try:
            protocol = check_protocol(asked.protocol)
            for name in asked.properties:
                config, type = asked.properties[name]
                row: dict[int, object] = {PROPERTY_TYPE: type, PROPERTY_WRITABLE: asked.value is not None}
                visitors[name] = check_visitor(config, row)
        except ConfigurationError as error:
            if self._session is not None:
                self._session.tell(asked.number, {}, str(error))
            return
        request = Request(asked.number, protocol, visitors, asked.value)
        if asked.listens:
            self.central.listen(request, now_ms)
        else:
            self.central.submit(request, now_ms)
