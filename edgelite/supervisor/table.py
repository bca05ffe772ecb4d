"""The state table of a unit: one container of a workload.

Everything that a unit ever does is one cell of TABLE: (action, next state). Two rules keep it readable: an action
never chooses the state that follows, and whoever raises an event has already decided what it means (an end is
AGAIN, WELL or BADLY by the restart policy, see `ending`). An empty action leaves things as they are. IMPOSSIBLE
marks what a port that keeps the contract of edgelite/effects.py cannot cause; it is a bug and raised as one.
"""

# States
IDLE = 0  # nothing of it runs and nothing is due
WAITING = 1  # shall run; its artifact is not here yet
STARTING = 2  # StartUnit was asked for
ADOPTING = 3  # AdoptUnit was asked for, after a restart of the agent
CANCELLING = 4  # shall stop, but whether anything runs is not known before the start or adoption completes
RUNNING = 5
STOPPING = 6  # SIGTERM was sent, the grace period runs
KILLING = 7  # SIGKILL was sent
BACKOFF = 8  # ended, starts again at its deadline
COMPLETED = 9  # ended well and stays so
FAILED = 10  # ended badly and stays so

STATE_NAMES = (
    "idle",
    "waiting",
    "starting",
    "adopting",
    "cancelling",
    "running",
    "stopping",
    "killing",
    "backoff",
    "completed",
    "failed",
)

# Events
RUN = 0  # it shall run and its artifact, if it has one, is here
WAIT = 1  # it shall run and its artifact is not here
ADOPT = 2  # an earlier agent of this boot left it running
STOP = 3  # it shall not run, or not as it was started
STARTED = 4  # it runs, or ran to its end unseen
AGAIN = 5  # it ended, or could not be started, and the restart policy wants it again
WELL = 6  # it ended for good, as it should
BADLY = 7  # it ended for good, as it should not, or could not be started
DUE = 8  # the deadline of the state has come

EVENT_NAMES = ("run", "wait", "adopt", "stop", "started", "again", "well", "badly", "due")

# Actions, by the name of the Supervisor's method
NOTHING = ""
START = "start"  # StartUnit
ADOPT_UNIT = "adopt"  # AdoptUnit
NOTE_RUNNING = "note_running"  # keep its identity in the journal
TERMINATE = "terminate"  # SIGTERM to its group; the deadline is the end of the grace period
KILL = "kill"  # SIGKILL to its group; the deadline is the next try
BACK_OFF = "back_off"  # keep how it ended; the deadline is the next start
FINISH = "finish"  # keep how it ended
CLEAR = "clear"  # forget it, or take the form that it shall have next

IMPOSSIBLE = ("impossible", -1)


def _stay(state: int) -> "tuple[str, int]":
    return (NOTHING, state)


# fmt: off
TABLE = (
    # IDLE
    (
        (START, STARTING),            # RUN
        (NOTHING, WAITING),           # WAIT
        (ADOPT_UNIT, ADOPTING),       # ADOPT
        (CLEAR, IDLE),                # STOP
        IMPOSSIBLE,                   # STARTED
        IMPOSSIBLE,                   # AGAIN
        IMPOSSIBLE,                   # WELL
        (FINISH, FAILED),             # BADLY: the device restarted under what shall run once only
        IMPOSSIBLE,                   # DUE
    ),
    # WAITING
    (
        (START, STARTING),            # RUN
        _stay(WAITING),               # WAIT
        IMPOSSIBLE,                   # ADOPT
        (CLEAR, IDLE),                # STOP
        IMPOSSIBLE,                   # STARTED
        IMPOSSIBLE,                   # AGAIN
        IMPOSSIBLE,                   # WELL
        IMPOSSIBLE,                   # BADLY
        IMPOSSIBLE,                   # DUE
    ),
    # STARTING
    (
        _stay(STARTING),              # RUN
        (NOTHING, WAITING),           # WAIT: the port found that the artifact is gone
        IMPOSSIBLE,                   # ADOPT
        (NOTHING, CANCELLING),        # STOP
        (NOTE_RUNNING, RUNNING),      # STARTED
        (BACK_OFF, BACKOFF),          # AGAIN: it could not be started
        IMPOSSIBLE,                   # WELL: an end follows STARTED
        (FINISH, FAILED),             # BADLY: it could not be started
        IMPOSSIBLE,                   # DUE
    ),
    # ADOPTING
    (
        _stay(ADOPTING),              # RUN
        _stay(ADOPTING),              # WAIT: what runs needs no artifact to go on
        IMPOSSIBLE,                   # ADOPT
        (NOTHING, CANCELLING),        # STOP
        (NOTE_RUNNING, RUNNING),      # STARTED
        (BACK_OFF, BACKOFF),          # AGAIN: it is gone
        IMPOSSIBLE,                   # WELL: how it ended is not known, so not well
        (FINISH, FAILED),             # BADLY: it is gone
        IMPOSSIBLE,                   # DUE
    ),
    # CANCELLING
    (
        _stay(CANCELLING),            # RUN: taken up again from IDLE
        _stay(CANCELLING),            # WAIT
        IMPOSSIBLE,                   # ADOPT
        _stay(CANCELLING),            # STOP
        (TERMINATE, STOPPING),        # STARTED
        (CLEAR, IDLE),                # AGAIN: it could not be started, or is gone
        IMPOSSIBLE,                   # WELL
        (CLEAR, IDLE),                # BADLY
        IMPOSSIBLE,                   # DUE
    ),
    # RUNNING
    (
        _stay(RUNNING),               # RUN
        _stay(RUNNING),               # WAIT
        IMPOSSIBLE,                   # ADOPT
        (TERMINATE, STOPPING),        # STOP
        IMPOSSIBLE,                   # STARTED
        (BACK_OFF, BACKOFF),          # AGAIN
        (FINISH, COMPLETED),          # WELL
        (FINISH, FAILED),             # BADLY
        IMPOSSIBLE,                   # DUE
    ),
    # STOPPING
    (
        _stay(STOPPING),              # RUN: taken up again from IDLE
        _stay(STOPPING),              # WAIT
        IMPOSSIBLE,                   # ADOPT
        _stay(STOPPING),              # STOP
        IMPOSSIBLE,                   # STARTED
        (CLEAR, IDLE),                # AGAIN
        (CLEAR, IDLE),                # WELL
        (CLEAR, IDLE),                # BADLY
        (KILL, KILLING),              # DUE
    ),
    # KILLING
    (
        _stay(KILLING),               # RUN: taken up again from IDLE
        _stay(KILLING),               # WAIT
        IMPOSSIBLE,                   # ADOPT
        _stay(KILLING),               # STOP
        IMPOSSIBLE,                   # STARTED
        (CLEAR, IDLE),                # AGAIN
        (CLEAR, IDLE),                # WELL
        (CLEAR, IDLE),                # BADLY
        (KILL, KILLING),              # DUE: something of it is stuck in the kernel; try until it is gone
    ),
    # BACKOFF
    (
        _stay(BACKOFF),               # RUN: not before the deadline
        (NOTHING, WAITING),           # WAIT
        IMPOSSIBLE,                   # ADOPT
        (CLEAR, IDLE),                # STOP
        IMPOSSIBLE,                   # STARTED
        IMPOSSIBLE,                   # AGAIN
        IMPOSSIBLE,                   # WELL
        IMPOSSIBLE,                   # BADLY
        (START, STARTING),            # DUE
    ),
    # COMPLETED
    (
        _stay(COMPLETED),             # RUN
        _stay(COMPLETED),             # WAIT
        IMPOSSIBLE,                   # ADOPT
        (CLEAR, IDLE),                # STOP
        IMPOSSIBLE,                   # STARTED
        IMPOSSIBLE,                   # AGAIN
        IMPOSSIBLE,                   # WELL
        IMPOSSIBLE,                   # BADLY
        IMPOSSIBLE,                   # DUE
    ),
    # FAILED
    (
        _stay(FAILED),                # RUN
        _stay(FAILED),                # WAIT
        IMPOSSIBLE,                   # ADOPT
        (CLEAR, IDLE),                # STOP
        IMPOSSIBLE,                   # STARTED
        IMPOSSIBLE,                   # AGAIN
        IMPOSSIBLE,                   # WELL
        IMPOSSIBLE,                   # BADLY
        IMPOSSIBLE,                   # DUE
    ),
)
# fmt: on


def ending(restart_policy: str, well: bool) -> int:
    """The event that an end is under Kubernetes' restartPolicy; `well` is exit code 0 and no signal."""
    if restart_policy == "Always" or (restart_policy == "OnFailure" and not well):
        return AGAIN
    return WELL if well else BADLY
