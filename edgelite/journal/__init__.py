"""The journal: an append-only record on flash of all that the agent must not forget."""

from edgelite.journal.journal import Journal
from edgelite.journal.limits import KEEP_NEWEST, KEEP_OLDEST, THIN_OUT, JournalLimits
from edgelite.journal.recovery import Recovery

# Key spaces: who keeps what.
SPACE_META = 0
SPACE_DESIRED = 1
SPACE_STAGED = 2
SPACE_TWIN = 3
SPACE_SUPERVISOR = 4
SPACE_ADDRESS = 5
SPACE_LINK = 6

__all__ = [
    "KEEP_NEWEST",
    "KEEP_OLDEST",
    "SPACE_ADDRESS",
    "SPACE_DESIRED",
    "SPACE_LINK",
    "SPACE_META",
    "SPACE_STAGED",
    "SPACE_SUPERVISOR",
    "SPACE_TWIN",
    "THIN_OUT",
    "Journal",
    "JournalLimits",
    "Recovery",
]
