"""Work that may block, done at once: there is one thread. `submit` has the form of the CPython port's worker.

A sync of the journal therefore holds up the loop for as long as the medium takes.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Worker:
    def submit(
        self, _lane: int, work: "Callable[[], object]", done: "Callable[[object, BaseException | None], None]"
    ) -> None:
        result = None
        failure = None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is not swallowed: `done` gets it
            failure = error
        done(result, failure)

    def idle(self) -> bool:
        return True
