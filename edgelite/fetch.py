"""Fetching artifacts: one at a time, in resumable pieces, over the link.

What arrived stays on the node's disk, so a fetch goes on where the last session broke off, also after a restart.
A digest that doesn't match in the end throws all of it away and starts again, ever more slowly; what fails holds up
no other artifact.
"""

from edgelite.backoff import Backoff
from edgelite.effects import CollectArtifacts, InstallArtifact, Log
from edgelite_protocol.errors import PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

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


class Retry:
    """When an artifact that failed is tried again."""

    def __init__(self, random_bytes: "Callable[[int], bytes]") -> None:
        self.backoff = Backoff(RETRY_BASE_MS, RETRY_CAP_MS, random_bytes)
        self.due_ms = 0


class Fetcher:
    """At most one of these at a time: a fetch, an installation, a collection of what nobody names any more."""

    def __init__(self, context: "Context", supervisor: "Supervisor", store: ArtifactStore) -> None:
        self._context = context
        self._supervisor = supervisor
        self._store = store
        self._retries: dict[bytes, Retry] = {}
        self._named: list[bytes] | None = None  # when it was last collected
        self._digest = b""  # of what is being fetched or installed
        self._stream: int | None = None
        self._installing = False
        self._collecting = False
        self._idle_changes = -1  # of the supervisor, when nothing was wanted

    def step(self, session: "NodeSession | None", now_ms: int) -> "int | None":
        """Begin what is next; the time of the next try, None where only news can cause one."""
        changes = self._supervisor.changes
        if changes == self._idle_changes or self._digest or self._collecting or self._collect():
            return None
        wanted = self._supervisor.wanted_artifacts()
        if not wanted and not self._supervisor.keeps_unknown:
            self._idle_changes = changes
        deadline_ms: int | None = None
        for digest, size_bytes in wanted:
            retry = self._retries.get(digest)
            if retry is not None and now_ms < retry.due_ms:
                deadline_ms = retry.due_ms if deadline_ms is None else min(deadline_ms, retry.due_ms)
            elif self._begin(digest, size_bytes, session, now_ms):
                return None
        return deadline_ms

    def _collect(self) -> bool:
        """Have the store forget what nobody names any more: at start, and when a name is gone. What is unknown may
        need what it was made of."""
        if self._supervisor.keeps_unknown:
            return False
        named = self._supervisor.named_artifacts()
        if self._named is not None and all(digest in named for digest in self._named):
            self._named = named
            return False
        self._named = named
        self._retries = {digest: self._retries[digest] for digest in named if digest in self._retries}
        self._collecting = True
        self._context.emit(CollectArtifacts(named))
        return True

    def collected(self) -> None:
        self._collecting = False

    def _begin(self, digest: bytes, size_bytes: int, session: "NodeSession | None", now_ms: int) -> bool:
        """True where something was begun that must end before anything else begins."""
        try:
            offset_bytes = self._store.offset_bytes(digest)
        except PlatformError as error:
            self._fail(digest, str(error), now_ms)
            return False
        if offset_bytes == size_bytes:
            self._install(digest)
            return True
        if session is None or not session.can_open_stream():
            return False
        self._digest = digest
        self._stream = session.open_artifact(digest, offset_bytes)
        return True

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
        self._retries.pop(digest, None)
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
        retry = self._retries.get(digest)
        if retry is None:
            retry = self._retries[digest] = Retry(self._context.random_bytes)
        retry.due_ms = now_ms + retry.backoff.next_ms()
        self._context.emit(Log("warning", "artifact " + digest.hex()[:12] + ": " + text))
        self._supervisor.artifact_failed(digest, text, now_ms)

    def _finish(self) -> None:
        self._digest = b""
        self._installing = False
