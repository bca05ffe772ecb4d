"""TLS by MicroPython's `tls` (Mbed TLS), on a socket that does not block.

What is checked: the hub's certificate chains to the one CA that the node was told at joining, carries the name
`edgelite-hub` and may be used by a TLS server. Names of hosts play no part. Mbed TLS also looks at the certificates'
dates, and cannot be told not to; the hub's begin in 1970 and end in 9999, so that no clock is ever outside of them.

Mbed TLS shakes hands inside of `read` and `write`, and MicroPython shows nothing of how far it got. Where the build
keeps the peer's certificate (`getpeercert`: Debian's does) that appears with the last step. Where it does not, the
session counts as established as soon as its socket is connected: what is written then waits for the handshake, and
what is wrong with the peer is found at the first read.
"""

from edgelite_ports.micropython.os_errors import EAGAIN, EPIPE, describe
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HUB_NAME = "edgelite-hub"  # the DNS name in every hub certificate
READ_BYTES_MAX = 1024  # a piece of a record: the rest waits inside of Mbed TLS

_EOF = -0x7280  # MBEDTLS_ERR_SSL_CONN_EOF
_ALERT = -0x7780  # MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE
# What Mbed TLS says of a certificate that does not verify, and what that means to a person.
_VERDICTS = (
    ("not correctly signed", "certificate of another hub"),
    ("does not match", "certificate of something that is no hub"),
    ("future", "the hub's certificate begins after this machine's clock: set the clock"),
    ("expired", "the hub's certificate ended before this machine's clock: set the clock"),
)


class TlsError(PlatformError):
    """The TLS session cannot go on. `text` says why, for a person."""


def client_context(ca: bytes, certificate: bytes, key: bytes) -> "Any":
    """For a node; all three in DER. PlatformError where they are no identity."""
    import tls  # type: ignore[import-not-found]  # a node behind a gateway has none

    try:
        context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
        context.verify_mode = tls.CERT_REQUIRED
        context.load_verify_locations(ca)
        context.load_cert_chain(certificate, key)
    except (OSError, ValueError) as error:
        raise PlatformError(
            "cannot load the node's identity: " + str(error),
            "see that node.key, node.crt and ca.crt are readable and belong together, or join again with --force",
        )
    return context


class TlsConnection:
    """One TLS session on a connected socket that does not block."""

    def __init__(self, context: "Any", socket: "Any") -> None:
        self._session = context.wrap_socket(socket, server_hostname=HUB_NAME, do_handshake_on_connect=False)
        self._tells_peer = hasattr(self._session, "getpeercert")
        self._receive = getattr(self._session, "recv", self._session.read)
        self.established = False
        self._early = b""  # came with the end of the handshake

    def handshake(self) -> bool:
        """Go on with the handshake as far as the socket allows; True when it is complete. TlsError."""
        if not self.established and self._tells_peer:
            try:
                early = self._read(READ_BYTES_MAX)
            except TlsError as error:
                if error.text == describe(EPIPE):  # it was gone before all of ours was said: it had seen enough
                    raise TlsError("the hub refused this node's certificate, or hung up")
                raise
            if early is None:
                raise TlsError("closed by the other end")
            self._early = early
            self.established = self._session.getpeercert(True) is not None
        else:
            self.established = True
        return self.established

    def read(self) -> "bytes | None":
        """Plaintext that has arrived: b"" for none yet, None after the peer's orderly end. TlsError."""
        if self._early:
            early, self._early = self._early, b""
            return early
        return self._read(READ_BYTES_MAX)

    def write(self, data: bytes) -> int:
        """How many bytes it took; those that it did not take must be offered again, first. TlsError."""
        try:
            return self._session.write(data) or 0
        except (OSError, ValueError) as error:
            if _would_block(error):
                return 0
            raise TlsError(explain(error))

    def close(self) -> None:
        """Give its buffers back. It closes the socket too; MicroPython sends no close_notify."""
        try:
            self._session.close()
        except OSError:
            return

    def _read(self, size_bytes_max: int) -> "bytes | None":
        try:
            data = self._receive(size_bytes_max)
        except (OSError, ValueError) as error:
            if _would_block(error):
                return b""
            raise TlsError(explain(error))
        if data is None:
            return b""
        return data or None


def _would_block(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno == EAGAIN


def explain(error: Exception) -> str:
    """What a person needs to know of an error of `tls`."""
    if isinstance(error, ValueError):
        for words, meaning in _VERDICTS:
            if words in str(error):
                return meaning
        return "the hub's certificate does not verify: " + str(error).strip()
    number = error.errno if isinstance(error, OSError) and error.errno else 0
    if number == _EOF:
        return "connection closed"
    if number == _ALERT:
        return "the hub refused this node's certificate, or TLS itself (an alert)"
    if number > 0:
        return describe(number)
    return "TLS: " + str(error)
