"""A whole program around a driver of its own process: `edgelite_drivers.process.serve(driver)`.

`driver` is an object with

    NAME                       as the devices' protocolName says
    read(asked) -> values      {property: value} of one device; what is missing counts as an error
    write(asked)               `asked.value` to the one property in `asked.properties`; may be left out
    listen(asked, tell)        may be left out: call `tell(values, errors)` now or later, for each that the device sends
    ignore(number)             the end of `listen`, whose `asked.number` it is
    begin(server)              may be left out: called once; `server.watch(file, call)` calls `call()` whenever the file
                               (an object with `fileno()`, or a number) is readable, `server.forget(file)` ends it
    step() -> seconds          may be left out: called in each round; how long it may take until the next, None for ever

`asked` is `edgelite_drivers.process.Asked`. Where `read` and `write` raise DeviceError or ConfigurationError the device
is online and its property is bad, with the text; OSError: it is offline. Anything else ends the program with a
traceback, and the node starts it again. A call that takes longer than 15 s counts as a hang, and the program is killed.
"""

import os
import selectors
import socket
import stat
import sys

from edgelite.driver import ConfigurationError
from edgelite_drivers.process import Asked, DeviceError, Session
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

PATH_VARIABLE = "EDGELITE_DRIVER_SOCKET"
RECEIVE_BYTES_MAX = 65536


class Server:
    """One agent at a time: a new connection takes the place of the one before, whose agent is gone."""

    def __init__(self, driver: "Any", path: "str | None" = None) -> None:
        self._driver = driver
        self._path = path or os.environ.get(PATH_VARIABLE) or ""
        if not self._path:
            raise ConfigurationError(PATH_VARIABLE, "is not set: the path of the socket that the agent connects to")
        self._selector = selectors.DefaultSelector()
        self._connection: socket.socket | None = None
        self._session = Session(driver.NAME)
        self._unsent = b""
        self._listening: list[int] = []

    def run(self) -> None:
        """Until a signal ends the process."""
        with listen_at(self._path) as listener:
            self.watch(listener, lambda: self._accept(listener))
            if hasattr(self._driver, "begin"):
                self._driver.begin(self)
            while True:
                self.turn()

    def turn(self) -> None:
        """One round: wait for what comes, carry it out."""
        timeout_s = self._driver.step() if hasattr(self._driver, "step") else None
        self._send()
        for key, _events in self._selector.select(timeout_s):
            key.data()

    def watch(self, file: "Any", call: "Callable[[], object]") -> None:
        self._selector.register(file, selectors.EVENT_READ, call)

    def forget(self, file: "Any") -> None:
        self._selector.unregister(file)

    def close(self) -> None:
        self._drop()
        self._selector.close()

    # ---- the agent

    def _accept(self, listener: socket.socket) -> None:
        connection, _address = listener.accept()
        self._drop()
        connection.setblocking(False)
        self._connection = connection
        self._session = Session(self._driver.NAME)
        self.watch(connection, self._receive)

    def _drop(self) -> None:
        if self._connection is None:
            return
        self.forget(self._connection)
        self._connection.close()
        self._connection = None
        self._unsent = b""
        for number in self._listening:
            self._driver.ignore(number)
        self._listening = []

    def _receive(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            data = connection.recv(RECEIVE_BYTES_MAX)
        except BlockingIOError:
            return
        except OSError as error:
            self._give_up(str(error))
            return
        if not data:
            self._drop()
            return
        self._session.receive(data)
        event = self._next_event()
        while event is not None:
            self._carry_out(event)
            event = self._next_event()

    def _next_event(self) -> "Any":
        try:
            return self._session.next_event() if self._connection is not None else None
        except ProtocolError as error:
            self._give_up("it broke the protocol: " + str(error))
            return None

    def _send(self) -> None:
        if self._connection is None:
            return
        try:
            while self._unsent or self._session.has_output:
                self._unsent = self._unsent or self._session.data_to_send()
                self._unsent = self._unsent[self._connection.send(self._unsent) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self._give_up(str(error))
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        self._selector.modify(self._connection, events, self._receive)

    def _give_up(self, why: str) -> None:
        sys.stderr.write("the connection with the agent is closed: %s\n" % why)
        self._drop()

    # ---- the driver

    def _carry_out(self, event: "Any") -> None:
        if not isinstance(event, Asked):
            self._listening.remove(event.number)
            self._driver.ignore(event.number)
        elif event.listens:
            self._listen(event)
        else:
            self._ask(event)

    def _listen(self, asked: Asked) -> None:
        if not hasattr(self._driver, "listen"):
            self._session.tell(asked.number, errors="driver %s listens to nothing" % self._driver.NAME)
            return
        session = self._session
        self._listening.append(asked.number)
        try:
            self._driver.listen(asked, lambda values, errors="": session.tell(asked.number, values, errors))
        except (DeviceError, ConfigurationError) as error:
            session.tell(asked.number, errors=str(error))
        except OSError as error:
            session.tell(asked.number, errors=str(error), answered=False)

    def _ask(self, asked: Asked) -> None:
        values: dict[str, Any] = {}
        errors = ""
        answered = True
        try:
            if asked.value is None:
                values = self._driver.read(asked)
            elif hasattr(self._driver, "write"):
                self._driver.write(asked)
            else:
                errors = "driver %s writes nothing" % self._driver.NAME
        except (DeviceError, ConfigurationError) as error:
            errors = str(error)
        except OSError as error:
            errors, answered = str(error), False
        self._session.tell(asked.number, values, errors, answered)


def listen_at(path: str) -> socket.socket:
    """A socket that the owner alone may connect to, in place of what an earlier process left there. OSError."""
    try:
        if stat.S_ISSOCK(os.lstat(path).st_mode):
            os.unlink(path)
    except FileNotFoundError:
        pass
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, 0o600)
    listener.listen(1)
    return listener
