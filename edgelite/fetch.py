"""Fetching artifacts: one at a time, in resumable pieces, over the link.

What arrived stays on the node's disk, so a fetch goes on where the last session broke off, also after a restart.
A digest that doesn't match in the end throws all of it away and starts again, ever more slowly.
"""

from edgelite.backoff import Backoff
from edgelite.effects import InstallArtifact, Log
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.context import Context
    from edgelite.supervisor import Supervisor
    from edgelite_protocol.events import ArtifactData, StreamClosed
    from edgelite_protocol.node_session import NodeSession

RETRY_BASE_MS = 5_000
RETRY_CAP_MS = 300_000


class ArtifactStore:
    """What a port keeps partial artifacts in. Methods raise PlatformError."""

    def offset_bytes(self, digest: bytes) -> int:
        """How much of the artifact is there, from its start."""
        raise NotImplementedError

    def append(self, digest: bytes, offset_bytes: int, data: bytes) -> None:
        """`offset_bytes` is what `offset_bytes()` answered last, plus what was appended since."""
        raise NotImplementedError

    def discard(self, digest: bytes) -> None:
        """Forget a partial artifact; nothing happens where there is none."""
        raise NotImplementedError


class Fetcher:
    def __init__(self, context: "Context", supervisor: "Supervisor", store: ArtifactStore) -> None:
        self._context = context
        self._supervisor = supervisor
        self._store = store
        self._backoff = Backoff(RETRY_BASE_MS, RETRY_CAP_MS, context.random_bytes)
        self._digest = b""  # of what is being fetched or installed
        self._stream: int | None = None
        self._installing = False
        self._retry_at_ms = 0

    def step(self, session: "NodeSession | None", now_ms: int) -> "int | None":
        """Begin the next fetch where there is one; the time of the next try, None where only news can cause one."""
        if self._digest:
            return None
        wanted = self._supervisor.wanted_artifacts()
        if not wanted:
            return None
        if now_ms < self._retry_at_ms:
            return self._retry_at_ms
        self._begin(wanted[0][0], wanted[0][1], session, now_ms)
        return None

    def _begin(self, digest: bytes, size_bytes: int, session: "NodeSession | None", now_ms: int) -> None:
        try:
            offset_bytes = self._store.offset_bytes(digest)
        except PlatformError as error:
            self._fail(digest, str(error), now_ms)
            return
        if offset_bytes == size_bytes:
            self._install(digest)
        elif session is not None and session.can_open_stream():
            self._digest = digest
            self._stream = session.open_artifact(digest, offset_bytes)

    def data(self, session: "NodeSession", event: "ArtifactData", now_ms: int) -> None:
        if event.stream != self._stream:
            return  # of a stream that was given up
        try:
            self._store.append(event.digest, event.offset, event.data)
        except PlatformError as error:
            session.close_stream(event.stream, "storage", error.text)
            self._stream = None
            self._fail(event.digest, str(error), now_ms)

    def stream_closed(self, event: "StreamClosed", now_ms: int) -> None:
        if event.stream != self._stream:
            return
        self._stream = None
        if event.code:
            self._fail(self._digest, event.code + ": " + event.text, now_ms)
        else:
            self._install(self._digest)

    def session_over(self) -> None:
        """The next session goes on where this one stopped."""
        if not self._installing:
            self._digest = b""
        self._stream = None

    def installed(self, digest: bytes, now_ms: int) -> None:
        self._finish()
        self._backoff.reset()
        self._supervisor.artifact_ready(digest, now_ms)

    def install_failed(self, digest: bytes, text: str, now_ms: int) -> None:
        """The digest doesn't match, or it can't be unpacked: what is there is worth nothing."""
        try:
            self._store.discard(digest)
        except PlatformError as error:
            text += "; " + str(error)
        self._fail(digest, text, now_ms)

    def _install(self, digest: bytes) -> None:
        self._digest = digest
        self._installing = True
        self._context.emit(InstallArtifact(digest))

    def _fail(self, digest: bytes, text: str, now_ms: int) -> None:
        self._finish()
        self._retry_at_ms = now_ms + self._backoff.next_ms()
        self._context.emit(Log("warning", "artifact " + digest.hex()[:12] + ": " + text))
        self._supervisor.artifact_failed(digest, text, now_ms)

    def _finish(self) -> None:
        self._digest = b""
        self._installing = False
