"""The table of messages: name, the streams that may carry it, its fields. messages.py names the keys."""

from edgelite_protocol import messages as m
from edgelite_protocol.body_tables import (
    DIGEST_ARTIFACT,
    DIGEST_ENTRY,
    EPOCH,
    FLAG,
    JOURNAL_ID,
    LANE,
    LINE,
    NAME,
    NUMBER,
    UID,
    WORD,
)
from edgelite_protocol.schema import ANY, BYTES, INT, LIST, MAP, OPTIONAL, REQUIRED, TEXT, TEXT_MAP, TUPLE, UINT

# Where a message may travel.
ON_CONTROL = 0
ON_STATE = 1
ON_LANE = 2  # STREAM_STATE or STREAM_TELEMETRY, as its lane says
ON_BULK = 3  # the bulk stream that it belongs to
ON_CONTROL_OR_BULK = 4  # CLOSE: from who opened the stream on control, from who sends data behind the data

# Types from here on may be skipped by who does not know them; an unknown one below ends the session.
TYPE_FIRST_SKIPPABLE = 128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_MAJOR = (UINT, 0, 255, None)
_STREAM = (UINT, 0, 255, None)
_BULK = (UINT, m.STREAM_FIRST_DYNAMIC, 255, None)
_CODE = (TEXT, 0, 64, None)
_DER = (BYTES, 1, 2048, None)
_REVISION = (UINT, 0, 0xFFFFFFFFFFFFFFFF, None)
_KEY = (TEXT, 1, 600, None)  # two names, a uid and the slashes between
_VALUE = (ANY, 0, 0, None)  # by its kind: body_tables.DESIRED
_LANE_POSITION = (TUPLE, 3, 3, (LANE, NUMBER, NUMBER))
_LANE_POSITIONS = (LIST, 0, 8, _LANE_POSITION)
_GAP = (TUPLE, 5, 5, (LANE, NUMBER, NUMBER, NUMBER, NUMBER))
_REPORTS = (LIST, 1, 4096, (TUPLE, 2, 2, (NUMBER, (ANY, 0, 0, None))))  # bodies: body_tables.REPORT_TABLES
_FRAME_BYTES = (UINT, m.FRAME_BYTES_MAX_LEAST, m.FRAME_BYTES_MAX_LIMIT, None)

_HELLO = (
    (m.HELLO_MAJOR, "major", REQUIRED, _MAJOR),
    (m.HELLO_MINOR, "minor", REQUIRED, _MAJOR),
    (m.HELLO_NODE, "node", REQUIRED, NAME),
    (m.HELLO_BOOT_ID, "boot_id", REQUIRED, (BYTES, 16, 16, None)),
    (m.HELLO_JOURNAL_ID, "journal_id", REQUIRED, JOURNAL_ID),
    (m.HELLO_GENERATION, "generation", REQUIRED, NUMBER),
    (m.HELLO_INSTANCE, "instance", REQUIRED, (BYTES, 8, 8, None)),
    (m.HELLO_MONOTONIC_MS, "monotonic", REQUIRED, NUMBER),
    (m.HELLO_FRAME_BYTES_MAX, "frame_bytes_max", REQUIRED, _FRAME_BYTES),
    (m.HELLO_EPOCH, "epoch", OPTIONAL, EPOCH),
    (m.HELLO_REVISION, "revision", REQUIRED, _REVISION),
    (m.HELLO_DIGEST, "digest", OPTIONAL, DIGEST_ENTRY),
    (m.HELLO_CAPABILITIES, "capabilities", REQUIRED, (TEXT_MAP, 0, 32, (ANY, 0, 0, None))),
    (m.HELLO_ACKNOWLEDGED, "acknowledged", REQUIRED, _LANE_POSITIONS),
)

_WELCOME = (
    (m.WELCOME_MAJOR, "major", REQUIRED, _MAJOR),
    (m.WELCOME_MINOR, "minor", REQUIRED, _MAJOR),
    (m.WELCOME_EPOCH, "epoch", REQUIRED, EPOCH),
    (m.WELCOME_TIME_MS, "time", REQUIRED, NUMBER),
    (m.WELCOME_MODE, "mode", REQUIRED, (UINT, m.MODE_DELTA, m.MODE_DIVERGED, None)),
    (
        m.WELCOME_FRAME_BYTES_MAX,
        "frame_bytes_max",
        REQUIRED,
        (UINT, m.FRAME_BYTES_MAX_DEFAULT, m.FRAME_BYTES_MAX_LIMIT, None),
    ),
    (m.WELCOME_STORED, "stored", REQUIRED, _LANE_POSITIONS),
    (m.WELCOME_KEEPALIVE_REST_MS, "keepalive_rest", REQUIRED, (UINT, 1000, 86_400_000, None)),
    (m.WELCOME_KEEPALIVE_BUSY_MS, "keepalive_busy", REQUIRED, (UINT, 100, 600_000, None)),
    (m.WELCOME_NEW_JOURNAL, "new_journal", OPTIONAL, FLAG),
    (m.WELCOME_GAPS, "gaps", OPTIONAL, (LIST, 0, 16, _GAP)),
    (m.WELCOME_RENEW, "renew", OPTIONAL, FLAG),
)

MESSAGES: "dict[int, Any]" = {
    m.PING: ("ping", ON_CONTROL, ((1, "number", REQUIRED, NUMBER),)),
    m.PONG: ("pong", ON_CONTROL, ((1, "number", REQUIRED, NUMBER),)),
    m.GOODBYE: ("goodbye", ON_CONTROL, ((1, "code", REQUIRED, _CODE), (2, "text", REQUIRED, LINE))),
    m.CREDIT: (
        "credit",
        ON_CONTROL,
        ((1, "stream", REQUIRED, _STREAM), (2, "bytes", REQUIRED, (UINT, 1, 0x3FFFFFFF, None))),
    ),
    m.OPEN: (
        "open",
        ON_CONTROL,
        (
            (1, "stream", REQUIRED, _BULK),
            (2, "purpose", REQUIRED, NUMBER),
            (3, "parameters", REQUIRED, (MAP, 0, 0, ())),  # by purpose: PURPOSES
            (4, "credit", REQUIRED, (UINT, 0, 0x3FFFFFFF, None)),
        ),
    ),
    m.DATA: ("data", ON_BULK, ((1, "bytes", REQUIRED, (BYTES, 1, m.FRAME_BYTES_MAX_LIMIT, None)),)),
    m.CLOSE: (
        "close",
        ON_CONTROL_OR_BULK,
        ((1, "stream", REQUIRED, _BULK), (2, "code", REQUIRED, _CODE), (3, "text", REQUIRED, LINE)),
    ),
    m.HELLO: ("hello", ON_CONTROL, _HELLO),
    m.APPLIED: (
        "applied",
        ON_CONTROL,
        ((1, "epoch", REQUIRED, EPOCH), (2, "revision", REQUIRED, _REVISION), (3, "digest", REQUIRED, DIGEST_ENTRY)),
    ),
    m.REPORTS: (
        "reports",
        ON_LANE,
        (
            (1, "lane", REQUIRED, LANE),
            (2, "generation", REQUIRED, NUMBER),
            (3, "items", REQUIRED, _REPORTS),
            (4, "journal", OPTIONAL, JOURNAL_ID),
        ),
    ),
    m.RENEW: ("renew", ON_CONTROL, ()),
    m.DIVERGED: (
        "diverged",
        ON_CONTROL,
        (
            (1, "epoch_held", REQUIRED, EPOCH),
            (2, "revision_held", REQUIRED, _REVISION),
            (3, "epoch_offered", REQUIRED, EPOCH),
        ),
    ),
    m.WELCOME: ("welcome", ON_CONTROL, _WELCOME),
    m.ENTRY: (
        "entry",
        ON_STATE,
        (
            (1, "revision", REQUIRED, (UINT, 1, 0xFFFFFFFFFFFFFFFF, None)),
            (2, "kind", REQUIRED, NUMBER),
            (3, "key", REQUIRED, _KEY),
            (4, "value", OPTIONAL, _VALUE),
        ),
    ),
    m.SNAPSHOT_BEGIN: (
        "snapshot_begin",
        ON_STATE,
        (
            (1, "epoch", REQUIRED, EPOCH),
            (2, "revision", REQUIRED, _REVISION),
            (3, "digest", REQUIRED, DIGEST_ENTRY),
            (4, "count", REQUIRED, NUMBER),
        ),
    ),
    m.SNAPSHOT_ENTRY: (
        "snapshot_entry",
        ON_STATE,
        ((1, "kind", REQUIRED, NUMBER), (2, "key", REQUIRED, _KEY), (3, "value", REQUIRED, _VALUE)),
    ),
    m.SNAPSHOT_END: ("snapshot_end", ON_STATE, ((1, "revision", REQUIRED, _REVISION),)),
    m.ACKNOWLEDGE: (
        "acknowledge",
        ON_CONTROL,
        (
            (1, "lane", REQUIRED, LANE),
            (2, "generation", REQUIRED, NUMBER),
            (3, "sequence", REQUIRED, NUMBER),
            (4, "journal", OPTIONAL, JOURNAL_ID),
        ),
    ),
    m.RENEWED: ("renewed", ON_CONTROL, ((1, "certificate", REQUIRED, _DER),)),
    m.ADOPT: ("adopt", ON_CONTROL, ((1, "epoch", REQUIRED, EPOCH),)),
    m.SNAPSHOT_OFFER: (
        "snapshot_offer",
        ON_CONTROL,
        ((1, "epoch", REQUIRED, EPOCH), (2, "revision", REQUIRED, _REVISION)),
    ),
    m.JOIN_CA_REQUEST: ("join_ca_request", ON_CONTROL, ()),
    m.JOIN_CA: ("join_ca", ON_CONTROL, ((1, "certificate", REQUIRED, _DER),)),
    m.JOIN: (
        "join",
        ON_CONTROL,
        ((1, "token", REQUIRED, (TEXT, 1, 128, None)), (2, "node", REQUIRED, NAME), (3, "csr", REQUIRED, _DER)),
    ),
    m.JOINED: (
        "joined",
        ON_CONTROL,
        ((1, "certificate", REQUIRED, _DER), (2, "ca", REQUIRED, _DER), (3, "node", REQUIRED, NAME)),
    ),
}

# The parameters of OPEN, by purpose.
PURPOSES = {
    m.PURPOSE_ARTIFACT: (
        "artifact",
        ((1, "digest", REQUIRED, DIGEST_ARTIFACT), (2, "offset", REQUIRED, NUMBER)),
    ),
    m.PURPOSE_LOG: (
        "log",
        (
            (1, "uid", REQUIRED, UID),
            (2, "container", REQUIRED, WORD),
            (3, "tail_lines", REQUIRED, (INT, -1, 0x7FFFFFFF, None)),
            (4, "follow", REQUIRED, FLAG),
            (5, "previous", REQUIRED, FLAG),
            (6, "since", REQUIRED, NUMBER),
        ),
    ),
}
