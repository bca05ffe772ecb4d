"""Opening a serial line for a command: settings as a person types them, errors that say what to do."""

from __future__ import annotations

import errno
import os
from typing import Any

from edgelite_cli.failure import Failure
from edgelite_cli.main import EXIT_USAGE

POLL_S = 0.05


def mode_of(text: str) -> tuple[int, str, int]:
    """ "8N1" as data bits, parity, stop bits."""
    if len(text) != 3 or text[0] not in "78" or text[1].upper() not in "NEO" or text[2] not in "12":
        raise Failure(f"--mode {text!r}: give data bits, parity and stop bits, such as 8N1, 8E1 or 7E1", EXIT_USAGE)
    return int(text[0]), text[1].upper(), int(text[2])


def opened(path: str, baud: int, mode: str) -> Any:
    """A `serial.Serial` that nobody else has open."""
    import serial

    data_bits, parity, stop_bits = mode_of(mode)
    try:
        return serial.Serial(path, baud, data_bits, parity, stop_bits, timeout=POLL_S, exclusive=True)
    except (serial.SerialException, OSError, ValueError) as error:
        is_used = getattr(error, "errno", None) in (errno.EAGAIN, errno.EBUSY)
        hint = "; is the agent, or another program, using it?" if is_used else ""
        number = getattr(error, "errno", None)
        why = os.strerror(number) if number else str(error)  # pyserial's own text has path and number twice
        raise Failure(f"cannot open {path} with {baud} baud, {mode}: {why}{hint}") from error
