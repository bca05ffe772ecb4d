"""What a session tells its caller: one class per event. SPEC.md says what each message means.

After each `receive` and `receive_eof` take events with `next_event` until it answers None: a session parses no
further than its caller has asked, so what a peer sends is held as bytes already bounded, never as a queue.
"""


class Ended:
    """The last event of every session. `code` is in SPEC.md's table of errors; `by_peer` is False where this end
    (the session itself or its caller) ended it."""

    def __init__(self, code: str, text: str, by_peer: bool) -> None:
        self.code = code
        self.text = text
        self.by_peer = by_peer


class StreamClosed:
    """The peer closed a bulk stream; `code` is "" where it is complete."""

    def __init__(self, stream: int, purpose: int, code: str, text: str) -> None:
        self.stream = stream
        self.purpose = purpose
        self.code = code
        self.text = text


# ---- at the node


class Welcomed:
    """`welcome` is the WELCOME message: keys WELCOME_*, checked."""

    def __init__(self, welcome: "dict[int, object]") -> None:
        self.welcome = welcome


class Entry:
    """The next entry of the feed; `value` is None where the key was deleted. Journal it, then call `applied`."""

    def __init__(self, revision: int, kind: int, key: str, value: "dict[int, object] | None", digest: bytes) -> None:
        self.revision = revision
        self.kind = kind
        self.key = key
        self.value = value
        self.digest = digest


class SnapshotBegin:
    """`count` entries follow; together they replace all desired state, as one transaction, at SnapshotEnd."""

    def __init__(self, epoch: bytes, revision: int, digest: bytes, count: int) -> None:
        self.epoch = epoch
        self.revision = revision
        self.digest = digest
        self.count = count


class SnapshotEntry:
    def __init__(self, kind: int, key: str, value: "dict[int, object]") -> None:
        self.kind = kind
        self.key = key
        self.value = value


class SnapshotEnd:
    def __init__(self, revision: int) -> None:
        self.revision = revision


class SnapshotOffer:
    """The hub's epoch or history is foreign: answer with `diverged`, go on with what runs."""

    def __init__(self, epoch: bytes, revision: int) -> None:
        self.epoch = epoch
        self.revision = revision


class Adopt:
    """A person decided: the snapshot that follows is to be taken."""

    def __init__(self, epoch: bytes) -> None:
        self.epoch = epoch


class Acknowledged:
    """All reports of the lane up to here are durable at the hub. `journal` is None for the session's own."""

    def __init__(self, lane: int, generation: int, sequence: int, journal: "bytes | None") -> None:
        self.lane = lane
        self.generation = generation
        self.sequence = sequence
        self.journal = journal


class ArtifactData:
    """`data` belongs at `offset` (bytes) of the artifact."""

    def __init__(self, stream: int, digest: bytes, offset: int, data: bytes) -> None:
        self.stream = stream
        self.digest = digest
        self.offset = offset
        self.data = data


class LogRequest:
    """The hub wants a container's output: send it with `log_data` as `can_send_bulk` allows, then close the
    stream. `tail_lines` -1 means all; `since_ms` is Unix time, 0 for no bound."""

    def __init__(
        self,
        stream: int,
        uid: str,
        container: str,
        tail_lines: int,
        follow: bool,
        previous: bool,
        since_ms: int,
    ) -> None:
        self.stream = stream
        self.uid = uid
        self.container = container
        self.tail_lines = tail_lines
        self.follow = follow
        self.previous = previous
        self.since_ms = since_ms


class Renewed:
    """`certificate` is DER."""

    def __init__(self, certificate: bytes) -> None:
        self.certificate = certificate


# ---- at a node that joins


class CaOffered:
    """The hub's CA certificate (DER), not to be trusted before its SHA-256 matches the token's."""

    def __init__(self, certificate: bytes) -> None:
        self.certificate = certificate


class Joined:
    """Both certificates are DER; `node` is the name that the certificate carries."""

    def __init__(self, certificate: bytes, ca: bytes, node: str) -> None:
        self.certificate = certificate
        self.ca = ca
        self.node = node


# ---- at the hub


class Hello:
    """`hello` is the HELLO message: keys HELLO_*, checked. Answer with `welcome` or `end`."""

    def __init__(self, hello: "dict[int, object]") -> None:
        self.hello = hello


class Applied:
    """The node has journaled and synced the feed up to here."""

    def __init__(self, epoch: bytes, revision: int, digest: bytes) -> None:
        self.epoch = epoch
        self.revision = revision
        self.digest = digest


class Reports:
    """Reports of one lane, ascending, of the kinds that this version knows. Those of unknown kinds are left out,
    so `items` may be empty, yet `sequence_last` covers them: note (journal, generation, sequence_last) in the
    transaction that stores the items, skip those at or below the position noted before, and after the commit
    call `acknowledge`. `journal` is the id that names them, the session's own or an older one."""

    def __init__(
        self,
        lane: int,
        generation: int,
        items: "list[tuple[int, dict[int, object]]]",
        journal: bytes,
        sequence_last: int,
    ) -> None:
        self.lane = lane
        self.generation = generation
        self.items = items
        self.journal = journal
        self.sequence_last = sequence_last


class RenewRequest:
    """Answer with `renewed` or `end`: a certificate for the key that this connection proved."""


class Diverged:
    def __init__(self, epoch_held: bytes, revision_held: int, epoch_offered: bytes) -> None:
        self.epoch_held = epoch_held
        self.revision_held = revision_held
        self.epoch_offered = epoch_offered


class ArtifactRequest:
    """Send the artifact's bytes from `offset` with `artifact_data` as `can_send_bulk` allows, then close the
    stream with code ""; or close it with "not_found" or "bad_offset"."""

    def __init__(self, stream: int, digest: bytes, offset: int) -> None:
        self.stream = stream
        self.digest = digest
        self.offset = offset


class LogData:
    def __init__(self, stream: int, data: bytes) -> None:
        self.stream = stream
        self.data = data


class JoinCaRequest:
    """Answer with `join_ca`."""


class JoinRequest:
    """`token` is the secret with its id ("id.secret"), `csr` DER. Answer with `joined` or `end`."""

    def __init__(self, token: str, node: str, csr: bytes) -> None:
        self.token = token
        self.node = node
        self.csr = csr
