"""The journal: an append-only record on flash of all that the agent must not forget."""

# ruff: noqa: I001
# MicroPython on 32-bit Linux lets imports nest 8 deep (tests/house/test_import_depth.py): the deep end first.
import edgelite.storage
import edgelite.journal.reader
import edgelite.journal.files
import edgelite.journal.log
import edgelite.journal.compaction
import edgelite.journal.recovery
import edgelite.journal.state
import edgelite.journal.telemetry  # noqa: F401

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
