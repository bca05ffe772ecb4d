"""The node's identity: its key, its certificate, the hub's CA certificate, all PEM, in `<state>/identity`."""

import os

from edgelite_ports.common.pem import pem
from edgelite_ports.common.state import CA, CERTIFICATE, KEY, NotJoinedError
from edgelite_ports.linux import files

TYPE_CHECKING = False
if TYPE_CHECKING:
    import _ssl


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
        from edgelite_ports.linux import tls  # brings OpenSSL

        return tls.client_context(*self.paths())

    def paths(self) -> "tuple[str, str, str]":
        """Of the CA's certificate, the node's certificate, its key."""
        return self.path(CA), self.path(CERTIFICATE), self.path(KEY)

    def store_certificate(self, certificate: bytes) -> None:
        """Keep a renewed certificate (DER). Blocks; PlatformError."""
        files.write_atomically(self.path(CERTIFICATE), pem("CERTIFICATE", certificate))
