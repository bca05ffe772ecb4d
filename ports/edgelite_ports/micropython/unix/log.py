"""The agent's own messages: one line each on standard error. Under systemd each carries its level for the journal."""

from edgelite_ports.common.log import line
from edgelite_ports.micropython.unix import libc

_STDERR = 2


class Log:
    def __init__(self, level: str = "info", to_journal: bool = False) -> None:
        self.level = level
        self._to_journal = to_journal

    def __call__(self, level: str, text: str) -> None:
        """Levels below the chosen one are left out. A stderr that is gone is not worth dying for."""
        whole = line(self.level, level, text, self._to_journal)
        if not whole:
            return
        try:
            libc.write(_STDERR, whole.encode())
        except OSError:
            return
