"""Commands in the guest: the host's end of the virtio serial port that `command-channel` reads in the guest."""

from __future__ import annotations

import base64
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PIECE_BYTES = 65536
POLL_S = 0.2
ANSWER_BYTES_MAX = 2 << 20  # the guest sends 1 MiB at most, in base64
GRACE_S = 10  # for an answer after the guest itself should have ended the command


@dataclass(frozen=True, slots=True)
class Result:
    """`status` is the shell's exit status, 143 after a time-out in the guest; `output` holds both its streams."""

    status: int
    output: str


class ChannelError(Exception):
    """No whole answer came."""


class Channel:
    """`may_answer` is asked while waiting, so that a machine that has ended is noticed at once."""

    def __init__(self, path: Path, may_answer: Callable[[], bool]) -> None:
        self._path = path
        self._may_answer = may_answer
        self._socket: socket.socket | None = None
        self._received = b""
        self._count = 0

    def open(self, deadline_s: float) -> None:
        """Returns when the guest's end is ready; ChannelError after `deadline_s` of time.monotonic()."""
        while self._socket is None:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(self._path))
                self._socket = connection
            except OSError:
                connection.close()
                self._pause(deadline_s)
        self._answer("0", deadline_s)

    def run(self, script: str, timeout_s: float) -> Result:
        """Run a shell script. The guest ends it after `timeout_s`; ChannelError where it doesn't answer."""
        if self._socket is None:
            raise ChannelError("the channel is not open")
        self._count += 1
        identity = str(self._count)
        encoded = base64.b64encode(script.encode()).decode()
        deadline_s = time.monotonic() + timeout_s + GRACE_S
        try:
            self._socket.settimeout(GRACE_S)
            self._socket.sendall(f"{identity} {max(1, round(timeout_s))} {encoded}\n".encode())
        except OSError as error:
            raise ChannelError(f"the guest takes no commands: {error}") from error
        return self._answer(identity, deadline_s)

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _answer(self, identity: str, deadline_s: float) -> Result:
        while True:
            words = self._line(deadline_s).split()
            encoded = self._line(deadline_s)
            if len(words) == 3 and words[0].decode(errors="replace") == identity:
                output = base64.b64decode(encoded).decode(errors="replace")
                return Result(int(words[1]), output)

    def _line(self, deadline_s: float) -> bytes:
        while b"\n" not in self._received:
            if len(self._received) > ANSWER_BYTES_MAX:
                raise ChannelError("the guest's answer is longer than it may be")
            self._received += self._piece(deadline_s)
        line, _, self._received = self._received.partition(b"\n")
        return line

    def _piece(self, deadline_s: float) -> bytes:
        assert self._socket is not None
        while True:
            self._socket.settimeout(POLL_S)
            try:
                piece = self._socket.recv(PIECE_BYTES)
            except TimeoutError:
                self._check(deadline_s)
                continue
            except OSError as error:
                raise ChannelError(f"the emulator has closed the channel: {error}") from error
            if not piece:
                raise ChannelError("the emulator has closed the channel")
            return piece

    def _pause(self, deadline_s: float) -> None:
        self._check(deadline_s)
        time.sleep(POLL_S / 4)

    def _check(self, deadline_s: float) -> None:
        if not self._may_answer():
            raise ChannelError("the machine has ended")
        if time.monotonic() > deadline_s:
            raise ChannelError("no answer in time")
