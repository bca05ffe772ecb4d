"""The step contract: what the core asks of a port, and how the port answers.

The core (everything in edgelite/, protocol/, drivers/) reads no clock, opens no socket, sleeps never, spawns
nothing. It is given bytes, completions and `now_ms`, and gives effects (objects of the classes below, in order,
through `Context.emit`) and its next deadline. A port carries the effects out and calls the completion that each
class names. Completions may come at once or much later, never from inside `emit`.
"""


class Sync:
    """Make durable what was written to the journal's storage before this. Completes with
    `node.synced(token, now_ms)` or `node.sync_failed(token, text, now_ms)`."""

    def __init__(self, token: int) -> None:
        self.token = token


class Channel:
    """A byte channel as the core sees it: the link to the hub, a Modbus bus. The core subclasses it.

    The port calls `opened` once per Open, then `received` for what arrives, and asks `data_to_send` whenever the
    descriptor takes more; `closed` comes exactly once for each Open, last, whoever ended it. While closed the
    port asks nothing. A deadline that a call moved is seen by the port through `node.step`.
    """

    peer_address = ""  # the port sets it before `opened`: the address that it is connected to
    # While it is True a port reads no more from a TCP or Unix socket, so that the peer waits; a few kilobytes that were
    # read with the last ones may still come.
    is_full = False

    def opened(self, now_ms: int) -> None:
        raise NotImplementedError

    def received(self, data: "bytes | memoryview", now_ms: int) -> None:
        raise NotImplementedError

    def data_to_send(self, size_bytes_max: int) -> bytes:
        """The next bytes to send, at most that many, b"" for none now. What it returns is gone from the core."""
        raise NotImplementedError

    def closed(self, reason: str, now_ms: int) -> None:
        """`reason` is for a person: "refused", "timed out", "no such host", "certificate of another hub"."""
        raise NotImplementedError


class Open:
    """Open `channel` to `target`: ("tls", host, port) the mutual TLS link with the node's identity;
    ("tcp", host, port); ("serial", path, settings); ("unix", path) a socket in the file system; ("driver", name) the
    process, or the part of the firmware, that a driver leaves its medium to. Name lookups block nobody; `addresses` are
    tried after those that the lookup gave, and alone where it fails.

    `settings` of a serial line: "baud" (needed), "data_bits" (8; or 7), "parity" ("none"; or "even", "odd"),
    "stop_bits" (1; or 2), "rs485" (left out where the line is none, or its adapter switches direction by itself): a map
    of "rts_on_send" (True: RTS is high while sending), "rts_after_send" (False), "receive_while_sending" (False),
    "delay_before_send_ms" and "delay_after_send_ms" (0; to 1000). The line is raw, without flow control, and nobody
    else's while it is open; bytes whose parity is wrong are dropped. What came before it was opened is forgotten. A
    setting that the port does not know, or the line cannot have, ends it at once by `closed`, which says so."""

    def __init__(self, channel: Channel, target: tuple, addresses: "list[str] | tuple[str, ...]" = ()) -> None:  # type: ignore[type-arg]
        self.channel = channel
        self.target = target
        self.addresses = addresses


class Acceptor:
    """What listens for connections, as the core sees it: the local bus, a Modbus server. The core subclasses it."""

    def accept(self, peer_address: str, now_ms: int) -> "Channel | None":
        """The channel of a connection that has come in, None to refuse it. The port calls its `opened` next, and from
        then on it is as if the core had opened it: `Close` ends it, `closed` comes once, last."""
        raise NotImplementedError

    def closed(self, reason: str, now_ms: int) -> None:
        """Nobody listens any more: it could not be done ("address already in use"), or `Close` has asked for it.
        Connections that were accepted stay."""
        raise NotImplementedError


class Listen:
    """Listen for connections to `target`: ("tcp", host, port), or ("unix", path), where what an earlier process left at
    the path is replaced. `acceptor.accept` comes for each connection, `acceptor.closed` exactly once, last."""

    def __init__(self, acceptor: Acceptor, target: tuple) -> None:  # type: ignore[type-arg]
        self.acceptor = acceptor
        self.target = target


class Configure:
    """Give the serial line of an open `channel` other `settings` (as of `Open`, "rs485" stays as it is where they say
    nothing of it). What the channel has to send now goes out under the old ones; it is asked again when the new ones
    hold. No completion; a line that cannot have them is closed, and `closed` says why."""

    def __init__(self, channel: Channel, settings: "dict[str, object]") -> None:
        self.channel = channel
        self.settings = settings


class Close:
    """Close `channel` (or an acceptor), after what it still has to send was offered once; completes with
    `channel.closed`."""

    def __init__(self, channel: "Channel | Acceptor") -> None:
        self.channel = channel


class StartUnit:
    """Start one container of a workload under `runtime`, which is one that the port announces. Completes with
    `supervisor.started(unit, identity, now_ms)` or `supervisor.start_failed(unit, reason, message, now_ms)`; later
    `supervisor.exited(unit, exit_code, signal, now_ms, message)` comes once (`exit_code` -1 where unknown; `message`
    where the runtime knows more than these)."""

    def __init__(self, unit: str, runtime: str, workload: "dict[int, object]", container: "dict[int, object]") -> None:
        self.unit = unit  # "uid/container name"
        self.runtime = runtime
        self.workload = workload
        self.container = container


class AdoptUnit:
    """Find again what an earlier agent started under `runtime`. Completes with `started`, if it still runs or ran to
    its end unseen (`exited` follows, with the status that was kept), or `supervisor.lost(unit, now_ms)`."""

    def __init__(self, unit: str, runtime: str, identity: "dict[int, object]") -> None:
        self.unit = unit
        self.runtime = runtime
        self.identity = identity


class SignalUnit:
    """Ask the unit to end (`signal` 15), or end it (9): all that belongs to it. No completion of its own; `exited`
    follows."""

    def __init__(self, unit: str, runtime: str, signal: int) -> None:
        self.unit = unit
        self.runtime = runtime
        self.signal = signal


class RemoveWorkload:
    """Remove the directory and logs of a workload that is gone. No completion."""

    def __init__(self, uid: str) -> None:
        self.uid = uid


class InstallArtifact:
    """All bytes of the artifact are there: check its digest and unpack it, off the loop. Completes with
    `node.artifact_installed(digest, now_ms)` or `node.artifact_failed(digest, text, now_ms)`."""

    def __init__(self, digest: bytes) -> None:
        self.digest = digest


class CollectArtifacts:
    """Remove what the artifact store holds of digests that are not in `named`, off the loop. Completes with
    `node.artifacts_collected(now_ms)`, whatever came of it."""

    def __init__(self, named: "list[bytes]") -> None:
        self.named = named


class StoreCertificate:
    """Keep the node's renewed certificate (DER), atomically; the next connection uses it. No completion: while it
    isn't kept, the hub asks for another renewal."""

    def __init__(self, certificate: bytes) -> None:
        self.certificate = certificate


class Log:
    """One line for the person who runs the node; `level` is "debug", "info", "warning" or "error"; the port adds where
    `error` was raised, if there is one. No completion."""

    def __init__(self, level: str, text: str, error: "BaseException | None" = None) -> None:
        self.level = level
        self.text = text
        self.error = error


class Watchdog:
    """Tell the platform's watchdog that the core is alive and well. No completion."""
