"""A desired workload: the compact form of a Pod with its fields by name. The session and the hub have checked it."""

from edgelite_protocol.messages import (
    WORKLOAD_CONTAINERS,
    WORKLOAD_GENERATION,
    WORKLOAD_GRACE_MS,
    WORKLOAD_RESTART_POLICY,
    WORKLOAD_RUNTIME,
    WORKLOAD_TERMINATING,
    WORKLOAD_UID,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edgelite.supervisor.unit import Unit

OWN_PREFIX = "edgelite-driver-"  # of the uids of the node's own workloads; the hub's are UUIDs
RUNTIME_PROCESS = "process"  # where a form, or a record of an earlier agent, names none
_GRACE_MS_DEFAULT = 30000  # Kubernetes' terminationGracePeriodSeconds, for one whose form was never seen here


class Workload:
    """A workload and its units by name. `form` is None when it is only known from the journal's records."""

    def __init__(self, uid: str, form: "dict[int, object] | None") -> None:
        self.uid = uid
        self.is_own = uid.startswith(OWN_PREFIX)  # the hub knows nothing of it
        self.form: dict[int, object] = {} if form is None else form
        self.known = form is not None
        self.removed = form is None  # the hub wants it no more
        self.units: dict[str, Unit] = {}
        self.changed = False  # something that a report tells has changed since the last one

    def containers(self) -> "list[dict[int, object]]":
        return self.form.get(WORKLOAD_CONTAINERS, [])  # type: ignore[return-value]

    def restart_policy(self) -> str:
        return self.form.get(WORKLOAD_RESTART_POLICY, "Never")  # type: ignore[return-value]

    def grace_ms(self) -> int:
        return self.form.get(WORKLOAD_GRACE_MS, _GRACE_MS_DEFAULT)  # type: ignore[return-value]

    def generation(self) -> int:
        return self.form.get(WORKLOAD_GENERATION, 0)  # type: ignore[return-value]

    def shall_run(self) -> bool:
        return not self.removed and not self.form.get(WORKLOAD_TERMINATING, False)

    def runtime(self) -> str:
        return self.form.get(WORKLOAD_RUNTIME, RUNTIME_PROCESS)  # type: ignore[return-value]


def uid_of(form: "dict[int, object]") -> str:
    return form[WORKLOAD_UID]  # type: ignore[return-value]


def uid_of_key(key: str) -> str:
    """The last part of an entry's key "namespace/name/uid"."""
    return key.split("/")[-1]
