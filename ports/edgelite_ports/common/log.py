"""The agent's own messages: one line each on standard error. Under systemd each carries its level for the journal."""

from edgelite_ports.common.options import LEVELS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_STDERR = 2
_SYSLOG = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>"}


class Log:
    """`write(descriptor, data)` is the platform's; OSError of it passes for a standard error that is gone."""

    def __init__(self, write: "Callable[[int, bytes], object]", to_journal: bool = False) -> None:
        self.level = "info"
        self._write = write
        self._to_journal = to_journal

    def __call__(self, level: str, text: str) -> None:
        """Levels below the chosen one are left out. A stderr that is gone is not worth dying for."""
        whole = line(self.level, level, text, self._to_journal)
        if not whole:
            return
        try:
            self._write(_STDERR, whole.encode("utf-8", "replace"))
        except OSError:
            return


def line(level_min: str, level: str, text: str, to_journal: bool) -> str:
    """With its newline; "" where it is below the level that was chosen. `to_journal`: marked for systemd's."""
    if LEVELS.index(level) < LEVELS.index(level_min):
        return ""
    prefix = _SYSLOG[level] if to_journal else "edgelite: " + ("" if level == "info" else level + ": ")
    return prefix + " ".join(text.split("\n")) + "\n"
