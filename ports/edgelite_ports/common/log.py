"""What a line of the agent's own messages looks like."""

from edgelite_ports.common.options import LEVELS

_SYSLOG = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>"}


def line(level_min: str, level: str, text: str, to_journal: bool) -> str:
    """With its newline; "" where it is below the level that was chosen. `to_journal`: marked for systemd's."""
    if LEVELS.index(level) < LEVELS.index(level_min):
        return ""
    prefix = _SYSLOG[level] if to_journal else "edgelite: " + ("" if level == "info" else level + ": ")
    return prefix + " ".join(text.split("\n")) + "\n"
