"""Work that may block, where there is one thread: done at once, or a step a round where it comes in steps.

`submit` has the form of the CPython port's worker. Work that gives a generator is stepped by `step`, so that installing
an artifact does not hold up the loop; what it yields is not looked at. A sync of the journal does hold up the loop, for
as long as the medium takes.
"""

from edgelite_protocol.errors import MisuseError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Done = Callable[[object, BaseException | None], None]

JOBS_MAX = 64  # as of the CPython port's: callers have at most one job in flight per purpose


class Worker:
    def __init__(self) -> None:
        self._stepped: list[tuple[Any, Done]] = []  # generators and their completions, one after another

    def submit(self, _lane: int, work: "Callable[[], object]", done: "Done") -> None:
        result: Any = None
        failure = None
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is not swallowed: `done` gets it
            failure = error
        if hasattr(result, "send"):
            if len(self._stepped) >= JOBS_MAX:
                raise MisuseError("the worker holds %d jobs" % JOBS_MAX)
            self._stepped.append((result, done))
        else:
            done(result, failure)

    def step(self, now_ms: int) -> "int | None":
        """One step of the first job; at once again while there is one."""
        if self._stepped:
            self._step(*self._stepped[0])
        return now_ms if self._stepped else None

    def _step(self, steps: "Any", done: "Done") -> None:
        failure = None
        try:
            steps.send(None)
            return
        except StopIteration:
            pass
        except Exception as error:  # noqa: BLE001 - it is not swallowed: `done` gets it
            failure = error
        self._stepped.pop(0)
        done(None, failure)

    def idle(self) -> bool:
        return not self._stepped
