"""Adapters of two-wire lines that hear themselves: what is sent comes back before the answer.

`auto` learns it from requests whose answer can be told from the request; until one has been asked, what looks like
the answer to a write of one register (it repeats the request) is taken for it. `yes` and `no` are certain.
"""

from edgelite_drivers.modbus import pdu

MODES = ("auto", "yes", "no")

# Answers that repeat the request byte by byte.
_ALIKE = (pdu.WRITE_SINGLE_COIL, pdu.WRITE_SINGLE_REGISTER, 8, pdu.MASK_WRITE_REGISTER)


class Echo:
    def __init__(self, mode: str) -> None:
        self._learns = mode == "auto"
        self._is_there: bool | None = True if mode == "yes" else None if mode == "auto" else False
        self._is_due = False
        self._is_alike = False

    def asked(self, request: bytes) -> None:
        self._is_alike = request[0] in _ALIKE
        # Of a request that is not like its answer, an echo is looked for even where there was none before.
        self._is_due = self._is_there is True or (self._learns and not self._is_alike)

    def is_due(self) -> bool:
        return self._is_due

    def came(self) -> None:
        """What repeats the request has come, and is the echo."""
        self._is_due = False
        if self._learns and not self._is_alike:
            self._is_there = True

    def answered(self) -> None:
        if self._is_due and self._learns and not self._is_alike:
            self._is_there = False
        self._is_due = False
