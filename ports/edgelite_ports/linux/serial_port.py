"""A serial line by pyserial: how CPython opens and sets one.

pyserial opens, locks and sets the line, RS-485 mode and rates that termios has no number for among it. Reading,
writing and waiting are the port's own, on the descriptor. What pyserial leaves alone is set here: a byte whose parity
is wrong is dropped.
"""

import termios

from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite_ports.common.serial_lines import Rs485, Settings

_INPUT, _OUTPUT, _LOCAL = 0, 1, 3  # what tcgetattr gives
_EAGAIN = 11
_PARITY = {"none": "N", "even": "E", "odd": "O"}


class SerialPort:
    """Opened and this process's alone. OSError, or PlatformError where the line cannot be as it is set."""

    def __init__(self, path: str, settings: "Settings") -> None:
        try:
            import serial  # most nodes have no line
        except ImportError as error:
            raise PlatformError(
                "a serial line needs the package pyserial, which is not installed: pip install 'edgelite[serial]'"
            ) from error
        self._serial: Any = serial.Serial()
        self._serial.port = path
        self._serial.exclusive = True
        self._serial.inter_byte_timeout = 0  # an empty line then says so, in place of looking like one at its end
        self._apply(settings, path)
        self.descriptor: int = self._serial.fd

    def configure(self, settings: "Settings") -> None:
        self._apply(settings, str(self._serial.port))

    def close(self) -> None:
        self._serial.close()

    def _apply(self, settings: "Settings", path: str) -> None:
        """Open it where it is closed."""
        made = self._serial
        try:
            made.apply_settings(
                {
                    "baudrate": settings.baud,
                    "bytesize": settings.data_bits,
                    "parity": _PARITY[settings.parity],
                    "stopbits": settings.stop_bits,
                }
            )
            if settings.rs485 is not None:
                made.rs485_mode = _rs485(settings.rs485)
            if not made.is_open:
                made.open()
            _finish(made.fd, settings)
        except (OSError, ValueError, termios.error) as error:
            made.close()
            raise _explained(error, path) from error


def _rs485(settings: "Rs485") -> "Any":
    from serial.rs485 import RS485Settings

    return RS485Settings(
        settings.rts_on_send,
        settings.rts_after_send,
        settings.receive_while_sending,
        settings.delay_before_send_ms / 1000,
        settings.delay_after_send_ms / 1000,
    )


def _finish(descriptor: int, settings: "Settings") -> None:
    attributes: Any = termios.tcgetattr(descriptor)
    attributes[_INPUT] = termios.INPCK | termios.IGNPAR if settings.parity != "none" else 0
    attributes[_OUTPUT] = attributes[_LOCAL] = 0
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _explained(error: "Any", path: str) -> "OSError | PlatformError":
    """pyserial's errors carry an errno, or only a text."""
    if isinstance(error, termios.error):
        return OSError(error.args[0], "termios")
    number = getattr(error, "errno", None)
    if isinstance(error, ValueError) and "RS485" in str(error):
        return PlatformError("this serial line has no RS-485 mode: " + str(error).rpartition(": ")[2].lower())
    if number == _EAGAIN:
        return PlatformError(path + " is in use by another program")
    if number is None:
        return PlatformError("cannot use %s: %s" % (path, str(error).lower()))
    return OSError(number, "pyserial")
