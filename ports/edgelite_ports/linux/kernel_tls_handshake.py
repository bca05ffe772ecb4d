"""The process that does one TLS handshake for the agent, and leaves the keys to the kernel (kernel_tls.py).

    python -S -I kernel_tls_handshake.py ROOM:ROOM:... CA CERTIFICATE KEY TIMEOUT_MS   < the connected socket > outcome

Its end sends nothing: the agent goes on with the same socket.
"""

import os
import sys

_ENABLE_KTLS = 1 << 3  # SSL_OP_ENABLE_KTLS


def handshake(ca_path: str, certificate_path: str, key_path: str, timeout_ms: str = "10000") -> str:
    """The outcome, as kernel_tls.py lists them. An agent whose files have just been replaced gives no timeout."""
    import _socket
    import _ssl

    from edgelite_ports.linux import kernel_tls, tls
    from edgelite_protocol.errors import PlatformError

    class Connection(_socket.socket):
        """`_ssl` holds it by a weak reference, which the class itself has no room for."""

    try:
        context = tls.client_context(ca_path, certificate_path, key_path)
        context.options |= _ENABLE_KTLS
        connection = Connection(fileno=0)
        connection.settimeout(int(timeout_ms) / 1000)  # the descriptor itself stays as the agent wants it, non-blocking
        session = context._wrap_socket(connection, False, tls.HUB_NAME)  # type: ignore[attr-defined]
        session.do_handshake()
    except _ssl.SSLError as error:
        return tls.explain(error)
    except TimeoutError:
        return "TLS handshake timed out"
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except PlatformError as error:
        return error.text
    return kernel_tls.DONE if kernel_tls.is_on(connection) else kernel_tls.NOT_HERE


if __name__ == "__main__":
    sys.path[:0] = sys.argv[1].split(":")
    os.write(1, handshake(*sys.argv[2:6]).encode("utf-8", "replace"))
    os._exit(0)  # without the goodbye that OpenSSL's own end might say
