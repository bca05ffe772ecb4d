"""TLS over memory, without a socket: ciphertext in, ciphertext out, handshake included.

It drives `_ssl` directly, because ssl.py would bring enum, socket, base64 and a copy of the world (1.5 MB of
private memory on armv7). Both ends are here: the agent is a client, the tests' hub a server.

What is checked, and what is not:

- the hub's certificate must chain to the one CA that the node was told at joining, carry the name `edgelite-hub`
  and not exclude use as a TLS server. Names of hosts play no part: a hub may move, or be reached by address.
- no certificate's dates are looked at (X509_V_FLAG_NO_CHECK_TIME). A node without a clock must reach its hub,
  and the hub judges the node's certificate by its own clock.
"""

import _ssl

from edgelite_protocol.errors import PlatformError

HUB_NAME = "edgelite-hub"  # the DNS name in every hub certificate
NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME
READ_BYTES_MAX = 16384  # one TLS record

# OpenSSL's X509_V_ERR_* that mean "not signed by the CA that I was given"; 7 where two CAs have one name
_FOREIGN_CA = (7, 18, 19, 20, 21)
_HOSTNAME_MISMATCH = 62


class TlsError(PlatformError):
    """The TLS session cannot go on. `text` says why, for a person."""


def _context(
    protocol: int, ca_path: "str | None", certificate_path: "str | None", key_path: "str | None"
) -> "_ssl._SSLContext":
    context = _ssl._SSLContext(protocol)
    context.minimum_version = _ssl.PROTO_TLSv1_3
    context.verify_flags |= NO_CHECK_TIME
    try:
        if ca_path is not None:
            context.load_verify_locations(ca_path, None, None)
        if certificate_path is not None:
            context.load_cert_chain(certificate_path, key_path, None)
    except OSError as error:  # SSLError is one too
        raise PlatformError(
            "cannot load the node's identity: " + str(error),
            "see that node.key, node.crt and ca.crt are readable and belong together, or join again with --force",
        ) from error
    return context


def client_context(ca_path: str, certificate_path: "str | None", key_path: "str | None") -> "_ssl._SSLContext":
    """For a node: knows one CA; without certificate and key it can only join."""
    context = _context(_ssl.PROTOCOL_TLS_CLIENT, ca_path, certificate_path, key_path)
    context.verify_mode = _ssl.CERT_REQUIRED
    context.check_hostname = True
    return context


def unverified_client_context() -> "_ssl._SSLContext":
    """For the one connection on which a joining node asks for the CA certificate and sends nothing else."""
    context = _context(_ssl.PROTOCOL_TLS_CLIENT, None, None, None)
    context.check_hostname = False
    context.verify_mode = _ssl.CERT_NONE
    return context


class TlsConnection:
    """One TLS session. Call `receive` with what came, `handshake` until it is True, `read` and `write`, and send
    what `data_to_send` gives after each of these. Every method raises TlsError once the session is broken."""

    def __init__(
        self, context: "_ssl._SSLContext", server_side: bool = False, server_name: "str | None" = HUB_NAME
    ) -> None:
        self._incoming = _ssl.MemoryBIO()
        self._outgoing = _ssl.MemoryBIO()
        name = None if server_side else server_name
        self._session = context._wrap_bio(self._incoming, self._outgoing, server_side, name)  # type: ignore[attr-defined]
        self.established = False

    def receive(self, data: "bytes | memoryview") -> None:
        self._incoming.write(data)

    def receive_eof(self) -> None:
        self._incoming.write_eof()

    def handshake(self) -> bool:
        """Go on with the handshake as far as the bytes allow; True when it is complete."""
        if not self.established:
            try:
                self._session.do_handshake()
            except _ssl.SSLWantReadError:
                return False
            except _ssl.SSLError as error:
                raise TlsError(explain(error)) from error
            self.established = True
        return True

    def read(self, size_bytes_max: int = READ_BYTES_MAX) -> "bytes | None":
        """Plaintext that has arrived: b"" for none yet, None after the peer's orderly end."""
        try:
            return self._session.read(size_bytes_max) or None
        except _ssl.SSLWantReadError:
            return b""
        except _ssl.SSLZeroReturnError:
            return None
        except _ssl.SSLError as error:
            raise TlsError(explain(error)) from error

    def write(self, data: "bytes | memoryview") -> None:
        """Encrypt; memory BIOs take all of it."""
        try:
            self._session.write(data)
        except _ssl.SSLError as error:
            raise TlsError(explain(error)) from error

    def close(self) -> None:
        """Queue the orderly end. A peer that is already gone is no error."""
        try:
            self._session.shutdown()
        except _ssl.SSLError:
            return  # want-read: our close_notify is queued and the peer's need not be awaited; else: it is over

    def data_to_send(self, size_bytes_max: int = -1) -> bytes:
        return self._outgoing.read(size_bytes_max)

    def peer_certificate(self) -> "bytes | None":
        """DER."""
        certificate: bytes | None = self._session.getpeercert(True)
        return certificate


def explain(error: "_ssl.SSLError") -> str:
    """What a person needs to know of an OpenSSL error."""
    code = getattr(error, "verify_code", None)
    if code in _FOREIGN_CA:
        return "certificate of another hub"
    if code == _HOSTNAME_MISMATCH:
        return "certificate of something that is no hub"
    if code is not None:
        return "the hub's certificate does not verify: " + str(getattr(error, "verify_message", code))
    reason = getattr(error, "reason", None) or "closed"
    if "ALERT" in reason and any(word in reason for word in ("CERT", "UNKNOWN_CA", "DECRYPT_ERROR", "ACCESS_DENIED")):
        return "the hub refused this node's certificate (" + reason + ")"
    if reason == "UNEXPECTED_EOF_WHILE_READING":
        return "connection closed"
    return "TLS: " + reason
