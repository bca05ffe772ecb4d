"""Names to addresses. `lookup` blocks and runs on the worker; an address given as a number needs no lookup."""

import _socket

from edgelite_protocol.errors import PlatformError

ADDRESSES_MAX = 8  # of one name; more are not tried


def numeric(host: str) -> bool:
    """True for an IPv4 or IPv6 address."""
    for family in (_socket.AF_INET, _socket.AF_INET6):
        try:
            _socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


def family_of(address: str) -> int:
    return _socket.AF_INET6 if ":" in address else _socket.AF_INET


def lookup(host: str) -> "list[str]":
    """The addresses of `host`, in the order that the system prefers; PlatformError where there are none."""
    try:
        # Bytes, because text would load the IDNA codec and its tables: a megabyte for a name that is ASCII.
        rows = _socket.getaddrinfo(host.encode("ascii"), None, _socket.AF_UNSPEC, _socket.SOCK_STREAM)
    except UnicodeEncodeError as error:
        raise PlatformError("host name " + host + " is not ASCII", "write it as xn--...") from error
    except OSError as error:
        raise PlatformError("no such host: " + host + " (" + str(error.strerror) + ")") from error
    addresses: list[str] = []
    for row in rows:
        address = str(row[4][0])
        if address not in addresses:
            addresses.append(address)
    return addresses[:ADDRESSES_MAX]
