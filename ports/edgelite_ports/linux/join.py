"""Joining: from a token to an identity. Run once, by a person, in an ordinary Python; the agent never loads this.

    1. make a P-256 key and a certificate request here (the `openssl` command); the key never leaves the machine
    2. connect without checking anybody, ask for the hub's CA certificate and nothing else
    3. compare its SHA-256 with the one in the token: from here on the hub is known
    4. connect again, now checked against that CA, and send the token's secret with the request
    5. keep key, certificate and CA certificate, then agent.conf; the node exists when agent.conf does

One try: a token that is refused is not sent again.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time

from edgelite.config import parse, parse_address
from edgelite_ports.common.pem import pem
from edgelite_ports.common.state import CA, CERTIFICATE, CONFIG_NAME, KEY
from edgelite_ports.linux import files, tls
from edgelite_ports.linux.identity import Identity
from edgelite_ports.linux.state import State
from edgelite_protocol.digest import sha256
from edgelite_protocol.errors import MisuseError, PlatformError, ProtocolError
from edgelite_protocol.events import CaOffered, Ended, Joined
from edgelite_protocol.join_session import JoinClient
from edgelite_protocol.limits import Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

TIMEOUT_S = 20.0  # for each connection as a whole; a person is waiting
OPENSSL_TIMEOUT_S = 60.0  # a key of this kind takes a Pi Zero well under a second
TOKEN_PREFIX = "edgelite1"


class Token:
    """edgelite1.<id, 8 hex>.<secret, 32 hex>.<SHA-256 of the CA certificate, 64 hex>"""

    def __init__(self, text: str) -> None:
        parts = text.strip().split(".")
        if [len(part) for part in parts] != [len(TOKEN_PREFIX), 8, 32, 64] or parts[0] != TOKEN_PREFIX:
            raise MisuseError("this is no join token; it looks like edgelite1.<id>.<secret>.<hash>, in one piece")
        try:
            self.ca_digest = bytes.fromhex(parts[3])
        except ValueError as error:
            raise MisuseError("the token is damaged: its hash is not hexadecimal") from error
        self.secret = parts[1] + "." + parts[2]


def join(
    hub_address: str, token: str, node_name: str, state_path: str, force: bool = False, more_config: str = ""
) -> None:
    """Make this machine the node `node_name` of the hub at "host:port"; `more_config` are further lines of agent.conf.
    Raises MisuseError where the arguments are wrong, PlatformError where this machine or the network fails,
    ProtocolError where the hub refuses."""
    parsed = Token(token)
    host, port = _checked_address(hub_address)
    config = "node = %s\nhub = %s\n" % (node_name, hub_address) + more_config
    parse(config)  # the name is one that agent.conf takes, and so is what comes after it
    state = State(state_path)
    files.make_directory(state.path)
    if os.path.exists(state.below(CONFIG_NAME)) and not force:
        raise PlatformError(state.path + " is a node already", "give --force to replace its identity")
    state.lock()
    try:
        key, request = make_key_and_request(node_name)
        ca = fetch_ca(host, port, parsed)
        _keep(state, key, send_token(host, port, parsed, node_name, request, ca), config)
    finally:
        state.unlock()


def _checked_address(text: str) -> "tuple[str, int]":
    try:
        return parse_address(text)
    except ValueError as error:
        raise MisuseError(text + ": " + str(error)) from error


def _keep(state: State, key: bytes, joined: Joined, config: str) -> None:
    """agent.conf comes last: with it the node exists, and everything that it needs is there."""
    identity = Identity(state.path)
    files.make_directory(identity.directory)
    files.write_atomically(identity.path(KEY), key)
    files.write_atomically(identity.path(CERTIFICATE), pem("CERTIFICATE", joined.certificate))
    files.write_atomically(identity.path(CA), pem("CERTIFICATE", joined.ca))
    files.write_atomically(state.below(CONFIG_NAME), config.encode())


def make_key_and_request(node_name: str) -> "tuple[bytes, bytes]":
    """(private key as PEM, certificate request as DER). The key goes through pipes and touches no disk here."""
    if shutil.which("openssl") is None:
        raise PlatformError("the command openssl is missing", "install it: apt install openssl")
    key = _openssl(b"", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    subject = ("-batch", "-subj", "/CN=" + node_name, "-outform", "DER")
    return key, _openssl(key, "req", "-new", "-key", "/dev/stdin", *subject)


def _openssl(given: bytes, *arguments: str) -> bytes:
    made = subprocess.run(
        ["openssl", *arguments], input=given, capture_output=True, timeout=OPENSSL_TIMEOUT_S, check=False
    )
    if made.returncode != 0 or not made.stdout:
        raise PlatformError("openssl made no key: " + made.stderr.decode("utf-8", "replace").strip())
    return made.stdout


def fetch_ca(host: str, port: int, token: Token) -> bytes:
    """The CA certificate (DER) that the token vouches for."""
    client = JoinClient(Limits(), _now_ms())
    client.ask_ca()

    def check(offered: object) -> None:
        if not isinstance(offered, CaOffered) or sha256(offered.certificate).digest() != token.ca_digest:
            text = "the hub at %s:%d is not the one that made this token" % (host, port)
            raise ProtocolError("token_of_another_hub", text)

    offered = _converse(host, port, tls.TlsConnection(tls.unverified_client_context()), client, CaOffered, check)
    assert isinstance(offered, CaOffered)
    return offered.certificate


def send_token(host: str, port: int, token: Token, node_name: str, request: bytes, ca: bytes) -> Joined:
    """The identity that the hub gives for the token; ProtocolError with the hub's own code where it refuses."""
    with tempfile.NamedTemporaryFile(prefix="edgelite-ca-") as ca_file:
        ca_file.write(pem("CERTIFICATE", ca))
        ca_file.flush()
        context = tls.client_context(ca_file.name, None, None)
    client = JoinClient(Limits(), _now_ms())
    client.join(token.secret, node_name, request)

    def check(joined: object) -> None:
        if not isinstance(joined, Joined) or joined.ca != ca:
            raise ProtocolError("token_of_another_hub", "the hub answered with another CA certificate than before")

    joined = _converse(host, port, tls.TlsConnection(context), client, Joined, check)
    assert isinstance(joined, Joined)
    return joined


def _converse(
    host: str,
    port: int,
    session: tls.TlsConnection,
    client: JoinClient,
    wanted: type,
    check: "Callable[[object], None]",
) -> object:
    """Run one joining connection until the event that is wanted; any other end of it is an error, and so is what
    `check` raises of the event, which the hub is told too."""
    deadline_s = time.monotonic() + TIMEOUT_S
    try:
        with socket.create_connection((host, port), TIMEOUT_S) as connection:
            while True:
                _exchange(connection, session, client, deadline_s)
                event = client.next_event()
                if isinstance(event, wanted):
                    _part(connection, session, client, check, event)
                    return event
                if isinstance(event, Ended):
                    raise _ended_early(host, port, event)
    except OSError as error:
        raise PlatformError("cannot reach %s:%d: %s" % (host, port, error)) from error


def _part(
    connection: socket.socket,
    session: tls.TlsConnection,
    client: JoinClient,
    check: "Callable[[object], None]",
    event: object,
) -> None:
    """Say goodbye, and why where something is wrong."""
    try:
        check(event)
        client.end("", "", _now_ms())
    except ProtocolError as error:
        client.end(error.code, error.text, _now_ms())
        raise
    finally:
        _send(connection, session, client)


def _ended_early(host: str, port: int, event: Ended) -> ProtocolError:
    if event.by_peer:
        return ProtocolError(event.code, event.text)
    text = "what answers at %s:%d does not speak as a hub's port for nodes does (7444 unless told otherwise): %s"
    return ProtocolError(event.code, text % (host, port, event.text))


def _exchange(connection: socket.socket, session: tls.TlsConnection, client: JoinClient, deadline_s: float) -> None:
    """Send what there is, take what comes."""
    _send(connection, session, client)
    if session.established and (plain := session.read()):
        client.receive(plain, _now_ms())
        return
    connection.settimeout(max(deadline_s - time.monotonic(), 0.001))
    received = connection.recv(16384)
    if received:
        session.receive(received)
    else:
        client.receive_eof(_now_ms())


def _send(connection: socket.socket, session: tls.TlsConnection, client: JoinClient) -> None:
    if session.handshake():
        while data := client.data_to_send(4096):
            session.write(data)
    connection.sendall(session.data_to_send())


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
