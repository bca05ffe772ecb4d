"""One container of a workload, as the supervisor sees it, and the record of it that outlives the agent."""

from edgelite.supervisor.table import BACKOFF, COMPLETED, FAILED, IDLE
from edgelite.supervisor.workload import RUNTIME_PROCESS
from edgelite_protocol import cbor, schema
from edgelite_protocol.digest import sha256
from edgelite_protocol.errors import CorruptionError, ProtocolError
from edgelite_protocol.messages import CONTAINER_DIGEST, CONTAINER_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EXIT_CODE_UNKNOWN = -1
EXIT_CODE_NOT_STARTED = 128  # as Kubernetes tells of a container that could not be started (StartError)

# Keys of a unit's identity, which a port makes and understands; the core tells the pid.
IDENTITY_SHIM_PID = 1
IDENTITY_SHIM_START = 2  # in clock ticks since boot, /proc/PID/stat's field 22
IDENTITY_PID = 3
IDENTITY_START = 4

# What a record says of a unit; a unit that never ran has no record.
RECORD_RUNNING = 1
RECORD_BACKOFF = 2
RECORD_COMPLETED = 3
RECORD_FAILED = 4

_RECORD_OF_STATE = {BACKOFF: RECORD_BACKOFF, COMPLETED: RECORD_COMPLETED, FAILED: RECORD_FAILED}
_ANY = (schema.ANY, 0, 0, None)
_COUNT = (schema.UINT, 0, schema.UINT_MAX, None)
_RECORD = (
    schema.TUPLE,
    8,
    9,
    (
        (schema.UINT, RECORD_RUNNING, RECORD_FAILED, None),
        (schema.BYTES, 16, 16, None),  # boot id
        (schema.MAP, 0, 0, ()),  # identity
        (schema.BYTES, 0, 8, None),  # fingerprint
        (schema.TUPLE, 2, 2, (_ANY, _COUNT)),  # started: a report's time, monotonic milliseconds
        (schema.TUPLE, 2, 2, (_COUNT, _COUNT)),  # restarts, ends in a row
        _ANY,  # deadline, monotonic milliseconds
        _ANY,  # last end: End.fields
        (schema.TEXT, 1, 32, None),  # runtime; agents before 0.2 knew one only and wrote none
    ),
)


def unit_name(uid: str, container_name: str) -> str:
    return uid + "/" + container_name


def fingerprint(container: "dict[int, object]") -> bytes:
    """Tells two forms of a container apart; 8 bytes, because nobody gains by making two alike."""
    return sha256(cbor.encode(container)).digest()[:8]


class End:
    """How a unit last ended, or why it could not be started. Times are as in a report; None where unknown."""

    def __init__(
        self,
        exit_code: int,
        signal: int,
        reason: str,
        message: str,
        started: "list[object] | None",
        finished: "list[object] | None",
    ) -> None:
        self.exit_code = exit_code
        self.signal = signal
        self.reason = reason
        self.message = message
        self.started = started
        self.finished = finished

    def ran(self) -> bool:
        """False where it could not be started."""
        return self.started is not None

    def well(self) -> bool:
        return self.exit_code == 0 and self.signal == 0

    def fields(self) -> "list[object]":
        return [self.exit_code, self.signal, self.reason, self.message, self.started, self.finished]


class Unit:
    def __init__(self, uid: str, container_name: str) -> None:
        self.uid = uid
        self.container_name = container_name
        self.name = unit_name(uid, container_name)
        self.state = IDLE
        self.deadline_ms: int | None = None
        self.runtime = RUNTIME_PROCESS  # of the form that runs, or shall run
        self.container: dict[int, object] | None = None  # that form
        self.fingerprint = b""  # of that form
        self.wanted_runtime = RUNTIME_PROCESS
        self.wanted: dict[int, object] | None = None  # the form that shall run; None: it shall not run
        self.identity: dict[int, object] = {}  # of its process, while one may be there
        self.started: list[object] | None = None  # a report's time
        self.started_ms = 0
        self.restarts = 0
        self.ends = 0  # in a row
        self.last_end: End | None = None
        self.interrupted = False  # it ran when the device restarted
        self.pull_error = ""  # why its artifact is still not here

    def digest(self) -> "bytes | None":
        """The artifact that its wanted form needs."""
        return None if self.wanted is None else self.wanted.get(CONTAINER_DIGEST)  # type: ignore[return-value]

    def running_digest(self) -> "bytes | None":
        """The artifact that its running form came from."""
        return None if self.container is None else self.container.get(CONTAINER_DIGEST)  # type: ignore[return-value]

    def take_wanted(self) -> None:
        """Nothing runs any more: become what is wanted, with a clean history if that is something else."""
        self.deadline_ms = None
        self.identity = {}
        self.container = self.wanted
        self.runtime = self.wanted_runtime
        self.fingerprint = b"" if self.wanted is None else fingerprint(self.wanted)
        self.interrupted = False
        self.restarts = 0
        self.ends = 0
        self.last_end = None

    def forget_boot(self, ran: bool) -> None:
        """Its record is of another boot: no process is left, and monotonic times mean nothing any more."""
        self.identity = {}
        self.deadline_ms = None
        self.ends = 0
        self.interrupted = ran

    def is_outdated(self) -> bool:
        """True where what runs is not what is wanted."""
        return (
            self.wanted is None or self.runtime != self.wanted_runtime or self.fingerprint != fingerprint(self.wanted)
        )

    def encode(self, boot_id: bytes) -> bytes:
        """The record of this moment, for STARTING (no identity yet), RUNNING, BACKOFF, COMPLETED and FAILED."""
        return cbor.encode(
            [
                _RECORD_OF_STATE.get(self.state, RECORD_RUNNING),
                boot_id,
                self.identity,
                self.fingerprint,
                [self.started, self.started_ms],
                [self.restarts, self.ends],
                self.deadline_ms,
                None if self.last_end is None else self.last_end.fields(),
                self.runtime,
            ]
        )


class Record:
    """A unit's record as read from the journal; CorruptionError where it is none."""

    def __init__(self, name: str, data: bytes) -> None:
        try:
            fields: Any = cbor.decode(data)
            schema.check(fields, _RECORD, "record")
        except ProtocolError as error:
            raise CorruptionError("journal, unit " + name, str(error)) from error
        self.name = name
        self.kind: int = fields[0]
        self.boot_id: bytes = fields[1]
        self.runtime: str = fields[8] if len(fields) > 8 else RUNTIME_PROCESS
        self._fields = fields

    def apply(self, unit: Unit) -> None:
        """Give `unit` the history that the record tells."""
        fields = self._fields
        unit.runtime = self.runtime
        unit.identity = fields[2]
        unit.fingerprint = fields[3]
        unit.started, unit.started_ms = fields[4]
        unit.restarts, unit.ends = fields[5]
        unit.deadline_ms = fields[6]
        unit.last_end = None if fields[7] is None else End(*fields[7])


def container_name_of(container: "dict[int, object]") -> str:
    return container[CONTAINER_NAME]  # type: ignore[return-value]
