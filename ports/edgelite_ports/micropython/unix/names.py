"""This machine's own settings for looking up names."""

from edgelite_ports.micropython import files
from edgelite_ports.micropython.names import NameConfiguration, parse_resolver
from edgelite_protocol.errors import PlatformError

RESOLVER_PATH = "/etc/resolv.conf"
HOSTS_PATH = "/etc/hosts"
_FILE_BYTES_MAX = 16384


def configuration() -> NameConfiguration:
    """As the files are now: a network may have changed them since the last lookup."""
    return parse_resolver(_text(RESOLVER_PATH), _text(HOSTS_PATH))


def _text(path: str) -> str:
    """ "" where it cannot be read: a machine without it has its defaults."""
    try:
        return files.read_bytes(path, _FILE_BYTES_MAX).decode()
    except (PlatformError, UnicodeError):
        return ""
