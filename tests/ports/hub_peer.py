"""A hub for tests of the agent: HubSession on real TLS sockets, in threads, without store, API or controllers.

It keeps what the nodes tell it (`hellos`, `applied`, `reports`) and serves the feed that the test has put in with
`put`. It does the right thing and no more; what a real hub decides is tested with the real hub.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

from certificates import Authority
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from edgelite_protocol import cbor, events
from edgelite_protocol import messages as m
from edgelite_protocol.digest import entry_digest
from edgelite_protocol.hub_session import HubSession
from edgelite_protocol.limits import Limits

Welcome = dict[int, object]


class HubPeer:
    def __init__(self, directory: Path, authority: Authority | None = None) -> None:
        self.authority = authority or Authority.make()
        ca, certificate, key = self.authority.write_hub(directory)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.load_verify_locations(ca)
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.context.num_tickets = 0
        self.epoch = b"\x01" * 8
        self.feed: list[tuple[int, int, str, dict[int, object] | None, bytes]] = []
        self.artifacts: dict[bytes, bytes] = {}
        self.tokens: dict[str, str] = {}  # "id.secret": why it is refused, "" where it isn't
        self.welcome_extra: Welcome = {m.WELCOME_KEEPALIVE_REST_MS: 240_000, m.WELCOME_KEEPALIVE_BUSY_MS: 5_000}
        self.refusal: tuple[str, str] | None = None
        self.hellos: list[dict[int, object]] = []
        self.applied: list[tuple[bytes, int, bytes]] = []
        self.reports: list[tuple[int, int, int, dict[int, object]]] = []  # lane, generation, sequence, body
        self.renewals = 0
        self.diverged: list[events.Diverged] = []
        self.stored: dict[int, tuple[int, int]] = {}
        self.logs: dict[int, bytes] = {}
        self.ends: list[tuple[str, str]] = []
        self.connections: list[PeerConnection] = []
        self.lock = threading.RLock()
        self.listen()

    def listen(self, port: int = 0) -> None:
        self.server = socket.create_server(("127.0.0.1", port))
        self.port = self.server.getsockname()[1]
        self._accepting = True
        threading.Thread(target=self._accept, daemon=True).start()

    def put(self, kind: int, key: str, value: dict[int, object] | None) -> None:
        """Append an entry to the feed; live sessions get it at once."""
        with self.lock:
            revision = len(self.feed) + 1
            encoded = None if value is None else cbor.encode(value)
            self.feed.append((revision, kind, key, value, entry_digest(revision, kind, key, encoded)))

    def cut(self) -> None:
        """Drop every connection and take no new one until `listen` is called again."""
        self._accepting = False
        try:
            self.server.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.server.close()
        for connection in list(self.connections):
            connection.stop()

    def live(self) -> PeerConnection | None:
        """The connection that was welcomed last and still is."""
        found = [connection for connection in self.connections if connection.welcomed and not connection.session.closed]
        return found[-1] if found else None

    def _accept(self) -> None:
        server = self.server
        while self._accepting:
            try:
                raw, _ = server.accept()
            except OSError:
                return
            connection = PeerConnection(self, raw)
            self.connections.append(connection)
            threading.Thread(target=connection.run, daemon=True).start()


class PeerConnection:
    def __init__(self, hub: HubPeer, raw: socket.socket) -> None:
        self.hub = hub
        self.raw = raw
        self.session = HubSession(Limits(), now_ms())
        self.welcomed = False
        self.sent_revision: int | None = None  # None: no feed yet
        self.mute = False  # neither reads nor writes: a silent link
        self.node = ""
        self._snapshot: list[Callable[[], None]] = []
        self._stopping = False
        self._artifacts: dict[int, tuple[bytes, int]] = {}

    def stop(self) -> None:
        self._stopping = True

    def run(self) -> None:
        try:
            with self.hub.context.wrap_socket(self.raw, server_side=True) as wrapped:
                self.node = _common_name(wrapped.getpeercert(True))
                self.certificate = wrapped.getpeercert(True)
                wrapped.settimeout(0.01)
                while not self._stopping and not self.session.closed:
                    self._turn(wrapped)
        except OSError:
            return
        finally:
            self.hub.connections.remove(self)
            self.raw.close()

    def _turn(self, wrapped: ssl.SSLSocket) -> None:
        if self.mute:
            time.sleep(0.01)
            return
        try:
            data = wrapped.recv(65536)
            if data:
                self.session.receive(data, now_ms())
            else:
                self.session.receive_eof(now_ms())
        except TimeoutError:
            pass
        with self.hub.lock:
            while (event := self.session.next_event()) is not None:
                _HANDLERS[type(event)](self, event)
            self._send_feed()
            self._send_artifacts()
        self.session.step(now_ms())
        wrapped.settimeout(5)
        while out := self.session.data_to_send(65536):
            wrapped.sendall(out)
        wrapped.settimeout(0.01)

    # ---- events

    def _hello(self, event: events.Hello) -> None:
        hub, hello = self.hub, event.hello
        hub.hellos.append(hello)
        if hub.refusal is not None:
            self.session.end(*hub.refusal, now_ms())
            return
        mode = self._mode(hello)
        welcome: Welcome = {
            m.WELCOME_EPOCH: hub.epoch,
            m.WELCOME_TIME_MS: int(time.time() * 1000),
            m.WELCOME_MODE: mode,
            m.WELCOME_STORED: [[lane, *hub.stored[lane]] for lane in sorted(hub.stored)],
        }
        self.session.welcome({**welcome, **hub.welcome_extra})
        self.welcomed = True
        if mode == m.MODE_DELTA:
            self.sent_revision = hello[m.HELLO_REVISION]  # type: ignore[assignment]
        elif mode == m.MODE_SNAPSHOT:
            self._send_snapshot()
        else:
            self.session.snapshot_offer(hub.epoch, len(hub.feed))

    def _mode(self, hello: dict[int, object]) -> int:
        if m.HELLO_EPOCH not in hello:
            return m.MODE_SNAPSHOT
        return m.MODE_DELTA if hello[m.HELLO_EPOCH] == self.hub.epoch else m.MODE_DIVERGED

    def _send_snapshot(self) -> None:
        feed = self.hub.feed
        last = {(kind, key): value for _, kind, key, value, _ in feed}
        entries = [(kind, key, value) for (kind, key), value in sorted(last.items()) if value is not None]
        digest = feed[-1][4] if feed else bytes(8)
        revision = len(feed)
        session = self.session
        self._snapshot = [lambda: session.snapshot_begin(self.hub.epoch, revision, digest, len(entries))]
        self._snapshot += [lambda entry=entry: session.snapshot_entry(*entry) for entry in entries]  # type: ignore[misc]
        self._snapshot.append(lambda: session.snapshot_end(revision))
        self._snapshot_revision = revision

    def adopt(self) -> None:
        with self.hub.lock:
            self.session.adopt(self.hub.epoch)
            self._send_snapshot()

    def _send_feed(self) -> None:
        while self._snapshot and self.session.can_send(m.PRIORITY_STATE):
            self._snapshot.pop(0)()
            if not self._snapshot:
                self.sent_revision = self._snapshot_revision
        if self.sent_revision is None or self.session.closed:
            return
        for revision, kind, key, value, _ in self.hub.feed[self.sent_revision :]:
            if not self.session.can_send(m.PRIORITY_STATE):
                return
            self.session.send_entry(revision, kind, key, value)
            self.sent_revision = revision

    def _reports(self, event: events.Reports) -> None:
        for sequence, body in event.items:
            if (event.generation, sequence) > self.hub.stored.get(event.lane, (0, 0)):
                self.hub.reports.append((event.lane, event.generation, sequence, body))
        position = (event.generation, event.sequence_last)
        self.hub.stored[event.lane] = max(position, self.hub.stored.get(event.lane, (0, 0)))
        self.session.acknowledge(event.lane, event.generation, event.sequence_last, event.journal)

    def _applied(self, event: events.Applied) -> None:
        self.hub.applied.append((event.epoch, event.revision, event.digest))

    def _diverged(self, event: events.Diverged) -> None:
        self.hub.diverged.append(event)

    def _renew(self, _event: events.RenewRequest) -> None:
        self.hub.renewals += 1
        self.hub.refusal = None
        assert self.certificate is not None
        key = x509.load_der_x509_certificate(self.certificate).public_key()
        signed = self.hub.authority.sign_node(self.node, key)
        self.session.renewed(signed.public_bytes(serialization.Encoding.DER))

    def _join_ca(self, _event: events.JoinCaRequest) -> None:
        self.session.join_ca(self.hub.authority.der)

    def _join(self, event: events.JoinRequest) -> None:
        refusal = self.hub.tokens.get(event.token, "token_unknown")
        if refusal:
            self.session.end(refusal, "this token does not count", now_ms())
            return
        request = x509.load_der_x509_csr(event.csr)
        certificate = self.hub.authority.sign_node(event.node, request.public_key())
        encoded = certificate.public_bytes(serialization.Encoding.DER)
        self.session.joined(encoded, self.hub.authority.der, event.node)

    def _artifact(self, event: events.ArtifactRequest) -> None:
        data = self.hub.artifacts.get(event.digest)
        if data is None:
            self.session.close_stream(event.stream, "not_found", "no such artifact")
        else:
            self._artifacts[event.stream] = (data, event.offset)

    def _send_artifacts(self) -> None:
        for stream, (data, offset) in list(self._artifacts.items()):
            while room := min(self.session.can_send_bulk(stream), len(data) - offset):
                self.session.artifact_data(stream, data[offset : offset + room])
                offset += room
                self._artifacts[stream] = (data, offset)
            if offset == len(data):
                self.session.close_stream(stream, "", "")
                del self._artifacts[stream]

    def _log_data(self, event: events.LogData) -> None:
        self.hub.logs[event.stream] = self.hub.logs.get(event.stream, b"") + event.data

    def _closed(self, event: events.StreamClosed) -> None:
        self._artifacts.pop(event.stream, None)

    def _ended(self, event: events.Ended) -> None:
        self.hub.ends.append((event.code, event.text))


_HANDLERS: dict[type, Callable[[PeerConnection, object], None]] = {
    events.Hello: PeerConnection._hello,  # type: ignore[dict-item]
    events.Reports: PeerConnection._reports,  # type: ignore[dict-item]
    events.Applied: PeerConnection._applied,  # type: ignore[dict-item]
    events.Diverged: PeerConnection._diverged,  # type: ignore[dict-item]
    events.RenewRequest: PeerConnection._renew,  # type: ignore[dict-item]
    events.JoinCaRequest: PeerConnection._join_ca,  # type: ignore[dict-item]
    events.JoinRequest: PeerConnection._join,  # type: ignore[dict-item]
    events.ArtifactRequest: PeerConnection._artifact,  # type: ignore[dict-item]
    events.LogData: PeerConnection._log_data,  # type: ignore[dict-item]
    events.StreamClosed: PeerConnection._closed,  # type: ignore[dict-item]
    events.Ended: PeerConnection._ended,  # type: ignore[dict-item]
}


def _common_name(certificate: bytes | None) -> str:
    if certificate is None:
        return ""
    return str(
        x509.load_der_x509_certificate(certificate).subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value
    )


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000
