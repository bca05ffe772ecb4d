"""The node's identity: its key, its certificate, the hub's CA certificate, all PEM, in `<state>/identity`."""

import binascii
import os

from edgelite_ports.linux import files, tls
from edgelite_ports.linux.state import NotJoinedError
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _ssl

KEY = "node.key"
CERTIFICATE = "node.crt"
CA = "ca.crt"


class Identity:
    def __init__(self, state_path: str) -> None:
        self.directory = os.path.join(state_path, "identity")

    def path(self, name: str) -> str:
        return os.path.join(self.directory, name)

    def require(self) -> None:
        """NotJoinedError where this state is of no node yet."""
        for name in (KEY, CERTIFICATE, CA):
            if files.is_missing(self.path(name)):
                raise NotJoinedError(self.path(name))

    def tls_context(self) -> "_ssl._SSLContext":
        """Read the files as they are now, so that a renewed certificate counts from the next connection on."""
        return tls.client_context(self.path(CA), self.path(CERTIFICATE), self.path(KEY))

    def store_certificate(self, certificate: bytes) -> None:
        """Keep a renewed certificate (DER). Blocks; PlatformError."""
        files.write_atomically(self.path(CERTIFICATE), pem("CERTIFICATE", certificate))


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
