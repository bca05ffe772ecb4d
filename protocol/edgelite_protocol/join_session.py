"""The node's end of joining and of renewing with a certificate that has ended (SPEC.md, "Joining")."""

from edgelite_protocol import messages as m
from edgelite_protocol.events import CaOffered, Joined, Renewed
from edgelite_protocol.limits import Limits
from edgelite_protocol.session import Session, table_row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

IDLE = 1
CA_ASKED = 2
JOIN_ASKED = 3
RENEW_ASKED = 4

_GOODBYE = (m.GOODBYE, "_on_goodbye")

JOIN_TABLE = {
    IDLE: table_row((), _GOODBYE),
    CA_ASKED: table_row((), (m.JOIN_CA, "_on_join_ca"), _GOODBYE),
    JOIN_ASKED: table_row((), (m.JOINED, "_on_joined"), _GOODBYE),
    RENEW_ASKED: table_row((), (m.RENEWED, "_on_renewed"), _GOODBYE),
}


class JoinClient(Session):
    """Call one of `ask_ca`, `join` and `renew`, then run it like any session; the answer comes as CaOffered,
    Joined or Renewed, after which the caller ends it."""

    table = JOIN_TABLE
    handshake_states = (IDLE, CA_ASKED, JOIN_ASKED, RENEW_ASKED)
    parity = 1

    def __init__(self, limits: Limits, now_ms: int) -> None:
        Session.__init__(self, IDLE, limits, m.FRAME_BYTES_MAX_DEFAULT, now_ms)

    def ask_ca(self) -> None:
        """Over a connection whose certificate nobody has checked: for the CA whose hash the token carries."""
        self._put_control({m.TYPE: m.JOIN_CA_REQUEST})
        self.state = CA_ASKED

    def join(self, token: str, node: str, csr: bytes) -> None:
        """Over a connection verified against that CA. `token` is "id.secret", `csr` a DER certificate request."""
        self._put_control({m.TYPE: m.JOIN, 1: token, 2: node, 3: csr})
        self.state = JOIN_ASKED

    def renew(self) -> None:
        """Over a connection with the node's own certificate, ended or not."""
        self._put_control({m.TYPE: m.RENEW})
        self.state = RENEW_ASKED

    def _on_join_ca(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        self.state = IDLE
        return CaOffered(message[1])

    def _on_joined(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        self.state = IDLE
        return Joined(message[1], message[2], message[3])

    def _on_renewed(self, message: "dict[Any, Any]", stream: int, payload: bytes) -> object:
        self.state = IDLE
        return Renewed(message[1])
