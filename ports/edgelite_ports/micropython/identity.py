"""The node's identity as MicroPython's TLS wants it: DER, out of the PEM files that joining left."""

from edgelite_ports.common.pem import der, pem
from edgelite_ports.common.state import CA, CERTIFICATE, IDENTITY, KEY, NotJoinedError, StateDirectory
from edgelite_ports.micropython import files, tls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_FILE_BYTES_MAX = 16384


class Identity:
    """The TLS context is made once and kept: its memory is Mbed TLS's own, and nobody would know when to collect."""

    def __init__(self, state: StateDirectory, sync_directory: "Callable[[str], None] | None" = None) -> None:
        self._state = state
        self._sync_directory = sync_directory
        self._context: Any = None

    def path(self, name: str) -> str:
        return self._state.below(IDENTITY, name)

    def require(self) -> None:
        """NotJoinedError where this state is of no node yet."""
        for name in (KEY, CERTIFICATE, CA):
            if files.is_missing(self.path(name)):
                raise NotJoinedError(self.path(name))

    def tls_context(self) -> "Any":
        """Of the files as they were when it was first asked for after the last `store_certificate`."""
        if self._context is None:
            self._context = tls.client_context(
                self._der(CA, "CERTIFICATE"), self._der(CERTIFICATE, "CERTIFICATE"), self._der(KEY, "PRIVATE KEY")
            )
        return self._context

    def _der(self, name: str, label: str) -> bytes:
        return der(label, files.read_bytes(self.path(name), _FILE_BYTES_MAX))

    def store_certificate(self, certificate: bytes) -> None:
        """Keep a renewed certificate (DER). Blocks; PlatformError."""
        files.write_atomically(self.path(CERTIFICATE), pem("CERTIFICATE", certificate), self._sync_directory)
        self._context = None
