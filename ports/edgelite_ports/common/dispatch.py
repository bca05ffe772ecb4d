"""Carries out the core's effects, each by its class, and brings their completions back.

Every port has this one. What differs is handed in: where the work is done that may block (a worker with threads, or
one that does it at once), the clock, processes, connections.
"""

from edgelite import effects
from edgelite_protocol.errors import EdgeliteError, MisuseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from edgelite.node import Node
    from edgelite.storage import Storage

LANE_DISK = 0  # sync; at most one in flight, and the rare certificate
LANE_NAMES = 1  # lookups
LANE_INSTALL = 2  # artifacts
LANES = 3


class Dispatcher:
    """`artifacts`, `identity`, `connections` and `log` are the port's own; `runtimes` has, by the name that hello
    announces, objects with `start`, `adopt`, `signal` and `remove`, each given its effect (`remove` through
    the worker). `worker` has `submit(lane, work, done)`: `work()` may block, `done(result, error)` comes on the loop,
    at once or later. A storage may have `sync_later(done)` of its own."""

    def __init__(
        self,
        node: "Node",
        storage: "Storage",
        artifacts: "Any",
        identity: "Any",
        runtimes: "dict[str, Any]",
        connections: "Any",
        worker: "Any",
        log: "Callable[[str, str], None]",
        monotonic_ms: "Callable[[], int]",
    ) -> None:
        self._node = node
        self._storage = storage
        self._artifacts = artifacts
        self._identity = identity
        self._runtimes = runtimes
        self._worker = worker
        self._log = log
        self._now_ms = monotonic_ms
        self._table: dict[type, Callable[..., object]] = {
            effects.Sync: self._sync,
            effects.Open: connections.open,
            effects.Listen: connections.listen,
            effects.Close: lambda effect: connections.close(effect.channel),
            effects.Configure: lambda effect: connections.configure(effect.channel, effect.settings),
            effects.StartUnit: lambda effect: self._runtimes[effect.runtime].start(effect),
            effects.AdoptUnit: lambda effect: self._runtimes[effect.runtime].adopt(effect),
            effects.SignalUnit: lambda effect: self._runtimes[effect.runtime].signal(effect),
            effects.RemoveWorkload: self._remove,
            effects.InstallArtifact: self._install,
            effects.CollectArtifacts: self._collect,
            effects.StoreCertificate: self._store_certificate,
            effects.Log: self._log_line,
        }

    def run_effects(self) -> bool:
        """All that wait; True where there was one, because its completion may have come at once."""
        some = False
        while (effect := self._node.next_effect()) is not None:
            self._table[type(effect)](effect)
            some = True
        return some

    def _log_line(self, effect: effects.Log) -> None:
        text = effect.text
        if effect.error is not None:
            from edgelite_ports.common.error_place import place_of  # seldom needed

            text += " (%s)" % place_of(effect.error)
        self._log(effect.level, text)

    def _sync(self, effect: effects.Sync) -> None:
        def done(_result: object, error: "BaseException | None") -> None:
            if error is None:
                self._node.synced(effect.token, self._now_ms())
            else:
                self._node.sync_failed(effect.token, _text(error), self._now_ms())

        later = getattr(self._storage, "sync_later", None)
        if later is None:
            self._worker.submit(LANE_DISK, self._storage.sync, done)
        else:
            later(done)

    def _install(self, effect: effects.InstallArtifact) -> None:
        def done(_result: object, error: "BaseException | None") -> None:
            if error is None:
                self._node.artifact_installed(effect.digest, self._now_ms())
            else:
                self._node.artifact_failed(effect.digest, _text(error), self._now_ms())

        self._worker.submit(LANE_INSTALL, lambda: self._artifacts.install(effect.digest), done)

    def _collect(self, effect: effects.CollectArtifacts) -> None:
        def done(result: object, error: "BaseException | None") -> None:
            if error is not None:
                self._log("warning", "artifacts that nobody needs any more: " + _text(error))
            elif result:
                self._log("debug", "removed artifacts: %s" % (result,))
            self._node.artifacts_collected(self._now_ms())

        self._worker.submit(LANE_INSTALL, lambda: self._artifacts.collect_garbage(effect.named), done)

    def _remove(self, effect: effects.RemoveWorkload) -> None:
        def done(_result: object, error: "BaseException | None") -> None:
            if error is not None:
                self._log("warning", "what is left of workload " + effect.uid + ": " + _text(error))

        for name in sorted(self._runtimes):
            runtime = self._runtimes[name]
            self._worker.submit(LANE_INSTALL, lambda runtime=runtime: runtime.remove(effect), done)

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
