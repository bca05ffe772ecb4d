"""A Modbus line of the command's own: a socket or a serial port around the client that agents use too."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgelite_cli.failure import Failure
from edgelite_cli.main import EXIT_UNREACHABLE, EXIT_USAGE
from edgelite_drivers.modbus.ascii import AsciiFraming
from edgelite_drivers.modbus.client import Client
from edgelite_drivers.modbus.framing import Framing
from edgelite_drivers.modbus.rtu import RtuFraming
from edgelite_drivers.modbus.tcp import TcpFraming
from edgelite_protocol.errors import ProtocolError

PORT = 502
RECEIVE_BYTES = 4096
LATE_TIMEOUTS = 2  # how long a late answer is waited out on framings that cannot tell it from the next one's


class Silence(Exception):
    """Nothing that is an answer came in time."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to ask: `host` or `path`, and how."""

    host: str
    port: int
    path: str
    framing: str
    baud: int
    mode: str

    def __str__(self) -> str:
        return f"{self.path}, {self.baud} baud {self.mode}" if self.path else f"{self.host}:{self.port}"


def parse_target(text: str, framing: str | None, baud: int, mode: str) -> Target:
    """`HOST`, `HOST:PORT`, `[V6]:PORT`, or the path of a serial line."""
    if "/" in text:
        if framing == "tcp":
            raise Failure(f"--framing tcp is not for a serial line such as {text}: use rtu or ascii", EXIT_USAGE)
        return Target("", 0, text, framing or "rtu", baud, mode)
    host, separator, port = text.rpartition(":")
    if not separator or (":" in host and not host.startswith("[")):
        host, port = text, str(PORT)
    if not port.isdigit() or not 0 < int(port) < 65536 or not host.strip("[]"):
        raise Failure(f"{text!r}: give HOST, HOST:PORT or the path of a serial line", EXIT_USAGE)
    return Target(host.strip("[]"), int(port), "", framing or "tcp", 0, "")


def framing_of(target: Target, is_lenient: bool) -> Framing:
    if target.framing == "tcp":
        return TcpFraming(int.from_bytes(os.urandom(2), "big"), not is_lenient)
    return RtuFraming(target.baud) if target.framing == "rtu" else AsciiFraming(target.baud)


class ModbusLine:
    """`ask` gives the answer's data; Silence, ExceptionAnswer or another ProtocolError where there is none."""

    def __init__(self, target: Target, timeout_s: float, is_lenient: bool = False) -> None:
        self.target = target
        self.timeout_s = timeout_s
        self.client = Client(framing_of(target, is_lenient))
        self.answer_s = 0.0  # how long the last answer took
        self._quiet_until_s = 0.0
        self._medium: Any = None

    def __enter__(self) -> ModbusLine:
        self._open()
        return self

    def __exit__(self, *_error: object) -> None:
        self._close()

    def ask(self, unit: int, request: bytes) -> bytes:
        self._keep_quiet()
        asked_s = time.monotonic()
        self._send(self.client.ask(unit, request))
        try:
            return self._answer(asked_s + self.timeout_s + self.client.framing.wire_ms(request) / 1000)
        except ProtocolError as error:
            if error.code == "modbus_header":  # nothing after it can be understood
                self._close()
                self._open()
            raise
        finally:
            self.answer_s = time.monotonic() - asked_s
            if self.client.framing.idle_ms:
                self._quiet_until_s = max(self._quiet_until_s, time.monotonic() + self.client.framing.idle_ms / 1000)

    def _answer(self, until_s: float) -> bytes:
        while True:
            left_s = until_s - time.monotonic()
            received = self._receive(left_s) if left_s > 0 else b""
            if not received:
                return self._late()
            data = self.client.take(received)
            if data is not None:
                return data

    def _late(self) -> bytes:
        data = self.client.give_up()
        if data is not None:
            return data
        if not self.client.framing.identifies_answers:
            self._quiet_until_s = time.monotonic() + LATE_TIMEOUTS * self.timeout_s
        raise Silence(f"no answer within {self.timeout_s * 1000:.0f} ms")

    def _keep_quiet(self) -> None:
        """Wait out what may still come of an earlier question, and the silence that a serial line needs."""
        while (left_s := self._quiet_until_s - time.monotonic()) > 0:
            if not self._receive(left_s):
                break

    # ---- the medium

    def _open(self) -> None:
        target = self.target
        if target.path:
            from edgelite_cli.serial_ports import opened

            self._medium = opened(target.path, target.baud, target.mode)
            return
        try:
            self._medium = socket.create_connection((target.host, target.port), max(self.timeout_s, 3.0))
        except OSError as error:
            why = error.strerror or str(error)
            hint = "; nobody listens there" if error.errno == errno.ECONNREFUSED else ""
            raise Failure(f"cannot connect to {target}: {why}{hint}", EXIT_UNREACHABLE) from error
        self._medium.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _close(self) -> None:
        if self._medium is not None:
            self._medium.close()
            self._medium = None

    def _send(self, data: bytes) -> None:
        self._guarded(lambda: self._medium.write(data) if self.target.path else self._medium.sendall(data))

    def _receive(self, timeout_s: float) -> bytes:
        """What has come, b"" where nothing does in time."""
        return bytes(self._guarded(lambda: self._read_line(timeout_s) if self.target.path else self._read(timeout_s)))

    def _read_line(self, timeout_s: float) -> bytes:
        self._medium.timeout = timeout_s
        first = self._medium.read(1)
        return bytes(first + self._medium.read(self._medium.in_waiting))

    def _read(self, timeout_s: float) -> bytes:
        self._medium.settimeout(timeout_s)
        try:
            data = self._medium.recv(RECEIVE_BYTES)
        except TimeoutError:
            return b""
        if not data:
            raise ConnectionResetError(errno.ECONNRESET, "the device closed the connection")
        return bytes(data)

    def _guarded(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except OSError as error:  # pyserial's own is one
            self._close()
            raise Failure(f"{self.target}: {error.strerror or error}", EXIT_UNREACHABLE) from error
