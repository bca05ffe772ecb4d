"""Protocol version 1: message types, keys and bodies. SPEC.md explains them; edgelite.cddl is the grammar.

A message is one CBOR map; key 0 holds its type. Keys are integers: an unknown key >= 0 is skipped, an
unknown key < 0 must be understood and is refused by name. Times are milliseconds. The constants are plain
integers because both runtimes keep those cheapest.
"""

VERSION_MAJOR = 1
VERSION_MINOR = 1  # 1: keys 8, 9 of a device, 14 to 20 of a property, 10 of REPORT_TWIN

# Streams of a link. 0 to 2 are always open; transfers take ids from STREAM_FIRST_DYNAMIC on: odd where the
# node opens, even where the hub does.
STREAM_CONTROL = 0
STREAM_STATE = 1
STREAM_TELEMETRY = 2
STREAM_FIRST_DYNAMIC = 4

# Priorities, the first is served first.
PRIORITY_CONTROL = 0
PRIORITY_STATE = 1
PRIORITY_TELEMETRY = 2
PRIORITY_BULK = 3

TYPE = 0  # the key of a message's type, in every message

# ---- both directions
PING = 1  # {1: number}
PONG = 2  # {1: number of the ping}
GOODBYE = 3  # {1: error code (text), 2: text}; the last message of a session
CREDIT = 4  # {1: stream, 2: bytes that the peer may send on it in addition}
OPEN = 5  # {1: stream, 2: purpose, 3: parameters (map), 4: credit in bytes}; opens a bulk stream
DATA = 6  # {1: bytes}; on the bulk stream itself
CLOSE = 7  # {1: stream, 2: error code (text, "" = complete), 3: text}

# ---- node to hub
HELLO = 16
APPLIED = 17  # {1: epoch, 2: revision, 3: digest}; journaled and synced, so never sent again
REPORTS = 18  # {1: lane, 2: generation, 3: [[sequence, body], ...], 4: journal id where it is not HELLO's};
# ascending, synced before they are sent
RENEW = 19  # {}: a new certificate for the key of this session; in place of HELLO where the old one has ended
DIVERGED = 20  # {1: epoch held, 2: revision held, 3: epoch offered}: goes on with what runs, awaits ADOPT

# ---- hub to node
WELCOME = 32
ENTRY = 33  # {1: revision, 2: kind, 3: key (text), 4: value (map), absent when deleted}
SNAPSHOT_BEGIN = 34  # {1: epoch, 2: revision, 3: digest, 4: count of entries}
SNAPSHOT_ENTRY = 35  # {1: kind, 2: key, 3: value}
SNAPSHOT_END = 36  # {1: revision}
ACKNOWLEDGE = 37  # {1: lane, 2: generation, 3: sequence, 4: journal id where it is not HELLO's}: all that was
# sent on the lane up to here is durable at the hub
RENEWED = 38  # {1: certificate (DER)}
ADOPT = 39  # {1: epoch}: a person decided that the node shall follow this epoch's snapshot
SNAPSHOT_OFFER = 40  # {1: epoch, 2: revision}: what a hub with an epoch foreign to the node announces

# ---- joining, before any hello, on STREAM_CONTROL
JOIN_CA_REQUEST = 48  # {}: over a connection whose certificate nobody has checked yet
JOIN_CA = 49  # {1: CA certificate (DER)}; the node compares its SHA-256 with the token's
JOIN = 50  # {1: "token id.token secret" (text), 2: node name, 3: certificate request (DER)}; over a verified connection
JOINED = 51  # {1: node certificate (DER), 2: CA certificate (DER), 3: node name}

# Keys of HELLO
HELLO_MAJOR = 1
HELLO_MINOR = 2
HELLO_NODE = 3  # text
HELLO_BOOT_ID = 4  # bytes, 16
HELLO_JOURNAL_ID = 5  # bytes, 8: made with the journal
HELLO_GENERATION = 6  # uint: grows by one each time the journal is opened
HELLO_INSTANCE = 7  # bytes, 8: random, fresh each time the journal is opened
HELLO_MONOTONIC_MS = 8  # uint: the node's monotonic clock now; dates samples of this boot
HELLO_FRAME_BYTES_MAX = 9  # uint: the largest frame that the node takes
HELLO_EPOCH = 10  # bytes, 8; absent before the first snapshot
HELLO_REVISION = 11  # uint: last entry applied; 0 before the first
HELLO_DIGEST = 12  # bytes, 8: digest of that entry
HELLO_CAPABILITIES = 13  # map of text: see below
HELLO_ACKNOWLEDGED = 14  # [[lane, generation, sequence], ...]: the last acknowledgements the node has kept

# Keys of WELCOME
WELCOME_MAJOR = 1
WELCOME_MINOR = 2
WELCOME_EPOCH = 3  # bytes, 8
WELCOME_TIME_MS = 4  # uint: Unix time
WELCOME_MODE = 5  # MODE_*
WELCOME_FRAME_BYTES_MAX = 6
WELCOME_STORED = 7  # [[lane, generation, sequence], ...]: what the hub has stored of this journal
WELCOME_KEEPALIVE_REST_MS = 8
WELCOME_KEEPALIVE_BUSY_MS = 9
WELCOME_NEW_JOURNAL = 10  # true: the journal is an older copy of itself; take a new journal id for new reports
WELCOME_GAPS = 11  # [[lane, from generation, from sequence, to generation, to sequence], ...]: acknowledged by
# this hub's past and no longer in its store; named, never waited for
WELCOME_RENEW = 12  # true: the node's certificate nears its end by the hub's clock; send RENEW

MODE_DELTA = 1
MODE_SNAPSHOT = 2
MODE_DIVERGED = 3

# Capability names (keys of HELLO_CAPABILITIES, text): "agent" (version), "architecture", "os" ("linux"), "os_image",
# "kernel", "runtime" ("cpython 3.11.7"), "runtimes" (list: "process", ...), "drivers" (list: "modbus", ...),
# "memory_bytes", "cores".

# Lanes of the outbox
LANE_STATE = 0
LANE_TELEMETRY = 1

# Purposes of OPEN
PURPOSE_ARTIFACT = 1  # node opens: {1: digest (bytes, 32), 2: offset}; the hub sends the rest as DATA, then CLOSE
PURPOSE_LOG = 2  # hub opens: {1: workload uid, 2: container name, 3: tail lines (-1 all), 4: follow (bool),
# 5: previous (bool), 6: since_ms (Unix, 0 none)}; the node sends DATA, then CLOSE

# Kinds of a desired entry
KIND_WORKLOAD = 1  # key "namespace/name/uid"
KIND_DEVICE = 2  # key "namespace/name"

# ---- Workload, the compact form of a Pod (value of a KIND_WORKLOAD entry)
WORKLOAD_UID = 1  # text
WORKLOAD_NAMESPACE = 2
WORKLOAD_NAME = 3
WORKLOAD_RUNTIME = 4  # "process" | "container" | "task"
WORKLOAD_RESTART_POLICY = 5  # "Always" | "OnFailure" | "Never"
WORKLOAD_GRACE_MS = 6  # uint: from the stop signal to the kill
WORKLOAD_CONTAINERS = 7  # [container, ...]
WORKLOAD_TERMINATING = 8  # true: stop it, then report it gone
WORKLOAD_GENERATION = 9  # uint: the Pod's metadata.generation

CONTAINER_NAME = 1
CONTAINER_IMAGE = 2  # text as in the Pod, for status
CONTAINER_DIGEST = 3  # bytes, 32: the artifact; absent for `image: host`
CONTAINER_SIZE_BYTES = 4  # uint: of the artifact
CONTAINER_COMMAND = 5  # [text, ...]: command and args together, never empty
CONTAINER_ENVIRONMENT = 6  # {text: text}: already resolved from ConfigMap, Secret and fieldRef
CONTAINER_WORKING_DIRECTORY = 7  # text; absent: the artifact's root, or the workload's directory
CONTAINER_FILES = 8  # [[path, bytes, mode], ...]: from ConfigMap and Secret volumes
CONTAINER_RESOURCES = 9  # {"memory_bytes": uint, "cpu_milli": uint}: noted, enforced later

# ---- Device, the compact form of Device with its DeviceModel (value of a KIND_DEVICE entry)
DEVICE_UID = 1
DEVICE_NAMESPACE = 2
DEVICE_NAME = 3
DEVICE_DRIVER = 4  # text: "modbus"
DEVICE_PROTOCOL = 5  # {text: any}: the driver's protocol configuration, validated at the hub and again here
DEVICE_PROPERTIES = 6  # [property, ...]
DEVICE_GENERATION = 7
DEVICE_STATE_TO_CLOUD = 8  # false: its state is not reported; absent: it is
DEVICE_STATE_MS = 9  # uint: at least so long between two reports of its state; absent: the node's own bound

PROPERTY_NAME = 1
PROPERTY_TYPE = 2  # "INT" | "FLOAT" | "DOUBLE" | "STRING" | "BOOLEAN" | "BYTES"
PROPERTY_WRITABLE = 3  # bool
PROPERTY_VISITOR = 4  # {text: any}: the driver's visitor configuration
PROPERTY_COLLECT_MS = 5  # uint: read each so many milliseconds
PROPERTY_REPORT_MS = 6  # uint: at least this long between two reports of one property; 0: each reading
PROPERTY_REPORT_TO_CLOUD = 7  # bool
PROPERTY_DESIRED = 8  # text: the twin's desired value; absent: none
PROPERTY_DESIRED_VERSION = 9  # uint
PROPERTY_MINIMUM = 10  # text
PROPERTY_MAXIMUM = 11  # text
PROPERTY_DEADBAND = 12  # float: absolute; absent: every reading is reported (within PROPERTY_REPORT_MS)
PROPERTY_UNIT = 13  # text
PROPERTY_DEADBAND_PERCENT = 14  # float: of the last value reported; beside PROPERTY_DEADBAND, a value must pass both
PROPERTY_WINDOW_MS = 15  # uint: one report for each window of this length, in place of PROPERTY_REPORT_MS
PROPERTY_WINDOW_FUNCTIONS = 16  # uint: WINDOW_* added up, told beside the last value
PROPERTY_DESIRED_TIME = 17  # uint: when it was desired, Unix time by the hub's clock; names the wish beside its text
PROPERTY_DESIRED_EXPIRES = 18  # uint: Unix time by the hub's clock after which it is not written any more
PROPERTY_FAIL_SAFE = 19  # text: the value to write when there has been no hub ...
PROPERTY_FAIL_SAFE_MS = 20  # uint: ... for so long; with 19

WINDOW_MIN = 1
WINDOW_MAX = 2
WINDOW_MEAN = 4
WINDOW_COUNT = 8
WINDOW_FUNCTIONS_MAX = 15

# ---- Bodies of reports: maps, key 0 is the kind
REPORT = 0
REPORT_WORKLOAD = 1  # lane state
REPORT_WORKLOAD_GONE = 2  # lane state: {1: uid}; the hub may now forget the Pod
REPORT_TELEMETRY = 3  # lane telemetry
REPORT_TWIN = 4  # lane state
REPORT_DEVICE = 5  # lane state
REPORT_DROPPED = 6  # lane state: {1: lane, 2: count, 3: first, 4: last}: what a quota made the node drop; first and
# last name reports: generation * 2^32 + sequence
REPORT_DAMAGE = 7  # lane state: {1: text}: what recovery found damaged in the journal

# A report's time is [time_ms, source]: source 1 is Unix time by the hub's clock; source 0 is the monotonic clock
# of the boot whose id follows: [monotonic_ms, 0, boot id], and the hub dates it.
TIME_MONOTONIC = 0
TIME_UNIX = 1

# REPORT_WORKLOAD
STATUS_UID = 1
STATUS_TIME = 2
STATUS_GENERATION = 3
STATUS_CONTAINERS = 4  # [container status, ...]
STATUS_CONTAINER_NAME = 1
STATUS_CONTAINER_STATE = 2  # "waiting" | "running" | "terminated"
STATUS_CONTAINER_REASON = 3  # text: "Completed", "Error", "CrashLoopBackOff", "ArtifactPull", "CommandNotFound", ...
STATUS_CONTAINER_MESSAGE = 4  # text for a person
STATUS_CONTAINER_EXIT_CODE = 5  # int; of the last end
STATUS_CONTAINER_SIGNAL = 6  # int; of the last end
STATUS_CONTAINER_STARTED = 7  # a report's time
STATUS_CONTAINER_FINISHED = 8  # a report's time
STATUS_CONTAINER_RESTARTS = 9  # uint
STATUS_CONTAINER_PID = 10  # uint

# REPORT_TELEMETRY
TELEMETRY_DEVICE = 1  # text "namespace/name"
TELEMETRY_TIME = 2
TELEMETRY_VALUES = 3  # {property name: int | float | text | bool | bytes}

# REPORT_TWIN: one property
TWIN_DEVICE = 1
TWIN_PROPERTY = 2
TWIN_TIME = 3
TWIN_REPORTED = 4  # text; absent while nothing was read
TWIN_QUALITY = 5  # "good" | "bad"
TWIN_ERROR = 6  # text: why it is bad, e.g. "Modbus exception 2: illegal data address"
TWIN_VERSION = 7  # uint: grows with each change of the reported value or quality
TWIN_DESIRED = 8  # text: the desired value that the node has observed
TWIN_DESIRED_VERSION = 9
TWIN_DESIRED_ORIGIN = 10  # "local" | "fail-safe": whose word TWIN_DESIRED is; absent: the hub's

# REPORT_DEVICE
DEVICE_STATE_DEVICE = 1
DEVICE_STATE_TIME = 2
DEVICE_STATE = 3  # "online" | "offline" | "unhealthy"
DEVICE_STATE_REASON = 4

# ---- Bounds that both ends keep
FRAME_BYTES_MAX_LEAST = 1024  # a node takes at least this; a hub at least the default
FRAME_BYTES_MAX_DEFAULT = 4096  # what a peer may send before anything else was agreed
FRAME_BYTES_MAX_LIMIT = 65534  # of a payload: the length prefix has 16 bits and counts the stream id too
NAME_BYTES_MAX = 253  # Kubernetes' bound on object names
