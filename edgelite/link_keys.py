"""The keys of a node on a serial link, as text: the four values that the hub gave when the node was provisioned, each
in base64 as the hub wrote it.

    sender_id = Fw8J3g==
    recipient_id =
    master_secret = 0OSVy4m6cX0Eb2oJZIWHEA==
    master_salt = nnyoRtrQ6uM=
"""

import binascii

from edgelite.driver import ConfigurationError
from edgelite_protocol.errors import MisuseError
from edgelite_protocol.oscore.context import Keys

FILE_NAME = "oscore.conf"
TEXT_BYTES_MAX = 1024
SECRET_BYTES = 16
_NAMES = ("master_secret", "master_salt", "sender_id", "recipient_id")


def parse(text: str) -> Keys:
    """ConfigurationError names the line that is wrong, and never shows a secret."""
    values: dict[str, bytes] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            _parse_line(values, "%s, line %d" % (FILE_NAME, number), line)
    missing = [name for name in _NAMES if name not in values]
    if missing:
        raise ConfigurationError(FILE_NAME, "lacks " + ", ".join(missing) + ": provision the node again")
    if len(values["master_secret"]) != SECRET_BYTES:
        raise ConfigurationError(FILE_NAME, "has a master_secret that is not 16 bytes: provision the node again")
    try:
        return Keys(*[values[name] for name in _NAMES])
    except MisuseError as error:
        raise ConfigurationError(FILE_NAME, str(error)) from error


def _parse_line(values: "dict[str, bytes]", place: str, line: str) -> None:
    name, separator, value = line.partition("=")
    name = name.strip()
    if not separator or name not in _NAMES or name in values:
        raise ConfigurationError(place, "is none of, or repeats one of: " + ", ".join(_NAMES))
    values[name] = _decoded(value.strip().encode())
    if binascii.b2a_base64(values[name]).strip() != value.strip().encode():  # what is no base64 is skipped unseen
        raise ConfigurationError(place, name + " is not base64 as the hub wrote it")


def _decoded(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text)
    except ValueError:
        return b""
