"""TLS in the kernel (Linux 5.1 and later, the module `tls`): the agent reads and writes plaintext on its socket, and
never loads OpenSSL, which on armv7 is 5 of its 13 MB.

The handshake is done by a short-lived process of its own (kernel_tls_handshake.py), on the same socket: it checks the
hub's certificate just as tls.py says, leaves the keys to the kernel, and ends. What can become of it:

1. the keys are in the kernel, in both directions: the connection is open
2. the handshake is done, but this kernel or this OpenSSL has no part for it: `usable` turns False, and the caller
   connects again with TLS in its own process
3. the handshake failed, and so has the connection; the text says why
"""

import _socket
import errno
import os
import sys

from edgelite_ports.linux.loop import READABLE
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite_ports.linux.identity import Identity
    from edgelite_ports.linux.loop import Loop

DONE = "done"
NOT_HERE = "not here"
CHILD = "kernel_tls_handshake.py"

# linux/tls.h, linux/tcp.h
_TCP_ULP = 31
_SOL_TLS = 282
_TLS_TX = 1
_TLS_RX = 2
_SET_RECORD_TYPE = 1
_GET_RECORD_TYPE = 2
_CRYPTO_INFO_BYTES = 4  # version and cipher, which is all that is asked for
# RFC 8446, section 5.1
_ALERT = 21
_APPLICATION_DATA = 23
_CLOSE_NOTIFY = b"\x01\x00"
# Section 6: bad, unsupported, revoked, expired, unknown certificate; unknown CA; access denied; decrypt error;
# certificate required
_REFUSALS = (42, 43, 44, 45, 46, 48, 49, 51, 116)

_OUTCOME_BYTES_MAX = 512


class TlsAlertError(PlatformError):
    """The other end has ended the connection, and `text` says why, for a person."""


class KernelTls:
    """Whether the kernel does TLS here, and who to be in it. One handshake at a time: each takes 10 MB while it lasts,
    and a gateway connects many nodes at once when its hub is back."""

    def __init__(self, loop: "Loop", identity: "Identity") -> None:
        self.loop = loop
        self.identity = identity
        self.usable = has_module()
        self._waiting: list[Handshake] = []  # the first one runs

    def submit(self, handshake: "Handshake") -> None:
        self._waiting.append(handshake)
        if len(self._waiting) == 1:
            handshake.start()

    def ended(self, handshake: "Handshake") -> None:
        is_next_due = self._waiting[0] is handshake
        self._waiting.remove(handshake)
        if is_next_due and self._waiting:
            self._waiting[0].start()


class Handshake:
    """One handshake on a connected socket, in a process of its own, once it is submitted; `done(outcome)` comes once,
    unless `cancel` came first. `timeout_ms` is for the process alone, in case that its agent is gone: whoever has
    submitted it looks at the clock and cancels."""

    def __init__(self, kernel_tls: KernelTls, descriptor: int, timeout_ms: int, done: "Callable[[str], None]") -> None:
        self._kernel_tls = kernel_tls
        self._descriptor = descriptor
        self._timeout_ms = timeout_ms
        self._done = done
        self._outcome = b""
        self._pipe = -1
        self._pid = 0

    def start(self) -> None:
        self._pipe, write_end = os.pipe2(os.O_CLOEXEC)
        try:
            self._pid = self._spawn(self._kernel_tls.identity, self._descriptor, write_end)
        except OSError as error:
            self._outcome = (error.strerror or str(error)).lower().encode()
        os.close(write_end)
        self._kernel_tls.loop.register(self._pipe, READABLE, self._ready)

    def _spawn(self, identity: "Identity", descriptor: int, write_end: int) -> int:
        child = os.path.join(os.path.dirname(os.path.abspath(__file__)), CHILD)
        words = [sys.executable, "-S", "-I", child, os.pathsep.join(sys.path), *identity.paths(), str(self._timeout_ms)]
        streams = [(os.POSIX_SPAWN_DUP2, descriptor, 0), (os.POSIX_SPAWN_DUP2, write_end, 1)]
        return os.posix_spawn(sys.executable, words, os.environ, file_actions=streams)

    def _ready(self, _events: int) -> None:
        data = os.read(self._pipe, _OUTCOME_BYTES_MAX)
        self._outcome += data
        if not data or len(self._outcome) >= _OUTCOME_BYTES_MAX:
            self._end()
            self._done(self._outcome.decode("utf-8", "replace") or "the process of the TLS handshake died")

    def cancel(self) -> None:
        if self._pid:
            os.kill(self._pid, 9)  # not reaped yet, so nobody else's
        self._end()

    def _end(self) -> None:
        if self._pipe >= 0:
            self._kernel_tls.loop.unregister(self._pipe)
            os.close(self._pipe)
        if self._pid:
            os.waitpid(self._pid, 0)  # its last act was to close the pipe
        self._kernel_tls.ended(self)


def has_module() -> bool:
    """Whether this kernel has TLS, loaded or (for root) to be loaded; asks with a socket that isn't connected."""
    probe = _socket.socket(_socket.AF_INET, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
    try:
        probe.setsockopt(_socket.IPPROTO_TCP, _TCP_ULP, b"tls")
    except OSError as error:
        return error.errno == errno.ENOTCONN  # it is there, and wants a connection
    finally:
        probe.close()
    return True


def is_on(connection: _socket.socket) -> bool:
    """Whether the kernel has the keys of both directions."""
    try:
        for direction in (_TLS_TX, _TLS_RX):
            connection.getsockopt(_SOL_TLS, direction, _CRYPTO_INFO_BYTES)
    except OSError:
        return False
    return True


def receive(connection: _socket.socket, size_bytes_max: int) -> bytes:
    """Plaintext; b"" at the end. Any record but data and alerts (new keys, tickets: a hub sends neither) is the end
    too, because only the handshake's process could have read it. OSError; TlsAlertError where the peer says why it
    goes."""
    data, ancillary, _flags, _address = connection.recvmsg(size_bytes_max, _socket.CMSG_SPACE(1))
    for level, kind, value in ancillary:
        if level == _SOL_TLS and kind == _GET_RECORD_TYPE and value[0] != _APPLICATION_DATA:
            _end_of(value[0], data)
            return b""
    return data


def _end_of(record_type: int, data: bytes) -> None:
    alert = data[1] if record_type == _ALERT and len(data) == 2 else 0
    if alert in _REFUSALS:
        raise TlsAlertError("the hub refused this node's certificate (alert %d)" % alert)
    if alert:
        raise TlsAlertError("TLS: alert %d" % alert)


def say_goodbye(connection: _socket.socket) -> None:
    """Send the alert close_notify. OSError."""
    connection.sendmsg([_CLOSE_NOTIFY], [(_SOL_TLS, _SET_RECORD_TYPE, bytes((_ALERT,)))])
