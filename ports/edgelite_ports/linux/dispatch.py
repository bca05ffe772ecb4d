"""Carries out the core's effects, each by its class, and brings their completions back."""

from edgelite import effects
from edgelite_ports.linux.clock import monotonic_ms
from edgelite_ports.linux.worker import LANE_DISK, LANE_INSTALL
from edgelite_protocol.errors import EdgeliteError, MisuseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite.node import Node
    from edgelite.storage import Storage
    from edgelite_ports.linux.artifacts import ArtifactStore
    from edgelite_ports.linux.connections import Connections
    from edgelite_ports.linux.identity import Identity
    from edgelite_ports.linux.log import Log
    from edgelite_ports.linux.processes import Processes
    from edgelite_ports.linux.worker import Worker


class Dispatcher:
    def __init__(
        self,
        node: "Node",
        storage: "Storage",
        artifacts: "ArtifactStore",
        identity: "Identity",
        processes: "Processes",
        connections: "Connections",
        worker: "Worker",
        log: "Log",
    ) -> None:
        self._node = node
        self._storage = storage
        self._artifacts = artifacts
        self._identity = identity
        self._processes = processes
        self._worker = worker
        self._log = log
        self._table: dict[type, Callable[..., object]] = {
            effects.Sync: self._sync,
            effects.Open: connections.open,
            effects.Close: lambda effect: connections.close(effect.channel),
            effects.StartProcess: processes.start,
            effects.AdoptProcess: processes.adopt,
            effects.SignalProcess: processes.signal,
            effects.RemoveWorkload: self._remove,
            effects.InstallArtifact: self._install,
            effects.CollectArtifacts: self._collect,
            effects.StoreCertificate: self._store_certificate,
            effects.Log: lambda effect: log(effect.level, effect.text),
        }

    def run_effects(self) -> bool:
        """All that wait; True where there was one, because its completion may have come at once."""
        some = False
        while (effect := self._node.next_effect()) is not None:
            self._table[type(effect)](effect)
            some = True
        return some

    def _sync(self, effect: effects.Sync) -> None:
        def done(_result: object, error: "BaseException | None") -> None:
            if error is None:
                self._node.synced(effect.token, monotonic_ms())
            else:
                self._node.sync_failed(effect.token, _text(error), monotonic_ms())

        self._worker.submit(LANE_DISK, self._storage.sync, done)

    def _install(self, effect: effects.InstallArtifact) -> None:
        def done(_result: object, error: "BaseException | None") -> None:
            if error is None:
                self._node.artifact_installed(effect.digest, monotonic_ms())
            else:
                self._node.artifact_failed(effect.digest, _text(error), monotonic_ms())

        self._worker.submit(LANE_INSTALL, lambda: self._artifacts.install(effect.digest), done)

    def _collect(self, effect: effects.CollectArtifacts) -> None:
        def done(result: object, error: "BaseException | None") -> None:
            if error is not None:
                self._log("warning", "artifacts that nobody needs any more: " + _text(error))
            elif result:
                self._log("debug", "removed artifacts: %s" % (result,))
            self._node.artifacts_collected(monotonic_ms())

        self._worker.submit(LANE_INSTALL, lambda: self._artifacts.collect_garbage(effect.named), done)

    def _remove(self, effect: effects.RemoveWorkload) -> None:
        def done(_result: object, error: "BaseException | None") -> None:
            if error is not None:
                self._log("warning", "what is left of workload " + effect.uid + ": " + _text(error))

        self._worker.submit(LANE_INSTALL, lambda: self._processes.remove(effect), done)

    def _store_certificate(self, effect: effects.StoreCertificate) -> None:
        def done(_result: object, error: "BaseException | None") -> None:
            if error is None:
                self._log("info", "the node's certificate was renewed")
            else:
                self._log("error", "the renewed certificate is not kept: " + _text(error))

        self._worker.submit(LANE_DISK, lambda: self._identity.store_certificate(effect.certificate), done)


def _text(error: BaseException) -> str:
    """What a completion tells the core of an error; one that is our own bug must not pass for the platform's."""
    if isinstance(error, (EdgeliteError, OSError)) and not isinstance(error, MisuseError):
        return str(error)
    raise error
