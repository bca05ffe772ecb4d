"""The agent's own messages: one line each on standard error. Under systemd each carries its level for the journal."""

import os

LEVELS = ("debug", "info", "warning", "error")
_SYSLOG = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>"}
_STDERR = 2


class Log:
    def __init__(self, level: str = "info", to_journal: bool = False) -> None:
        self.level = level
        self._to_journal = to_journal

    def __call__(self, level: str, text: str) -> None:
        """Levels below the chosen one are left out. A stderr that is gone is not worth dying for."""
        if LEVELS.index(level) < LEVELS.index(self.level):
            return
        line = " ".join(text.split("\n"))
        prefix = _SYSLOG[level] if self._to_journal else "edgelite: " + ("" if level == "info" else level + ": ")
        try:
            os.write(_STDERR, (prefix + line + "\n").encode("utf-8", "replace"))
        except OSError:
            return
