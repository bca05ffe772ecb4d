"""PEM, the text form of keys and certificates in the state directory."""

import binascii

from edgelite_protocol.errors import PlatformError


def pem(label: str, der: bytes) -> bytes:
    lines = [binascii.b2a_base64(der[at : at + 48]) for at in range(0, len(der), 48)]
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (label.encode(), b"".join(lines), label.encode())


def der(label: str, text: bytes) -> bytes:
    """The first PEM block of that label; PlatformError."""
    begin, end = b"-----BEGIN %s-----" % label.encode(), b"-----END %s-----" % label.encode()
    start = text.find(begin)
    stop = text.find(end)
    if start < 0 or stop < start:
        raise PlatformError("there is no " + label.lower() + " in PEM")
    return binascii.a2b_base64(text[start + len(begin) : stop])
