"""What a part of the core is given at construction: the ways out of it."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edgelite.clock import Clock
    from edgelite.journal import Journal


class Context:
    """`journal` to keep things in (its `get`, `keys`, `write` and `generation`; a full medium raises nothing here),
    `emit(effect)` to act on the platform, `report(lane, body, coalesce_key)` to tell the hub, `clock` to date things,
    `random_bytes(count)` for identities and jitter, `boot_id` (16 bytes)."""

    def __init__(
        self,
        journal: "Journal",
        emit: "Callable[[object], None]",
        report: "Callable[[int, dict[int, object], str | None], None]",
        clock: "Clock",
        random_bytes: "Callable[[int], bytes]",
        boot_id: bytes,
    ) -> None:
        self.journal = journal
        self.emit = emit
        self.report = report
        self.clock = clock
        self.random_bytes = random_bytes
        self.boot_id = boot_id
