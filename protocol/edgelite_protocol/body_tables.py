"""Tables of what travels inside messages: desired entries, reports, times. messages.py names the keys."""

from edgelite_protocol.messages import (
    CONTAINER_COMMAND,
    CONTAINER_DIGEST,
    CONTAINER_ENVIRONMENT,
    CONTAINER_FILES,
    CONTAINER_IMAGE,
    CONTAINER_NAME,
    CONTAINER_RESOURCES,
    CONTAINER_SIZE_BYTES,
    CONTAINER_WORKING_DIRECTORY,
    DEVICE_DRIVER,
    DEVICE_GENERATION,
    DEVICE_NAME,
    DEVICE_NAMESPACE,
    DEVICE_PROPERTIES,
    DEVICE_PROTOCOL,
    DEVICE_STATE,
    DEVICE_STATE_DEVICE,
    DEVICE_STATE_MS,
    DEVICE_STATE_REASON,
    DEVICE_STATE_TIME,
    DEVICE_STATE_TO_CLOUD,
    DEVICE_UID,
    KIND_DEVICE,
    KIND_WORKLOAD,
    LANE_STATE,
    LANE_TELEMETRY,
    NAME_BYTES_MAX,
    PROPERTY_COLLECT_MS,
    PROPERTY_DEADBAND,
    PROPERTY_DEADBAND_PERCENT,
    PROPERTY_DESIRED,
    PROPERTY_DESIRED_EXPIRES,
    PROPERTY_DESIRED_TIME,
    PROPERTY_DESIRED_VERSION,
    PROPERTY_FAIL_SAFE,
    PROPERTY_FAIL_SAFE_MS,
    PROPERTY_MAXIMUM,
    PROPERTY_MINIMUM,
    PROPERTY_NAME,
    PROPERTY_REPORT_MS,
    PROPERTY_REPORT_TO_CLOUD,
    PROPERTY_TYPE,
    PROPERTY_UNIT,
    PROPERTY_VISITOR,
    PROPERTY_WINDOW_FUNCTIONS,
    PROPERTY_WINDOW_MS,
    PROPERTY_WRITABLE,
    REPORT,
    REPORT_DAMAGE,
    REPORT_DEVICE,
    REPORT_DROPPED,
    REPORT_TELEMETRY,
    REPORT_TWIN,
    REPORT_WORKLOAD,
    REPORT_WORKLOAD_GONE,
    STATUS_CONTAINER_EXIT_CODE,
    STATUS_CONTAINER_FINISHED,
    STATUS_CONTAINER_MESSAGE,
    STATUS_CONTAINER_NAME,
    STATUS_CONTAINER_PID,
    STATUS_CONTAINER_REASON,
    STATUS_CONTAINER_RESTARTS,
    STATUS_CONTAINER_SIGNAL,
    STATUS_CONTAINER_STARTED,
    STATUS_CONTAINER_STATE,
    STATUS_CONTAINERS,
    STATUS_GENERATION,
    STATUS_TIME,
    STATUS_UID,
    TELEMETRY_DEVICE,
    TELEMETRY_TIME,
    TELEMETRY_VALUES,
    TWIN_DESIRED,
    TWIN_DESIRED_ORIGIN,
    TWIN_DESIRED_VERSION,
    TWIN_DEVICE,
    TWIN_ERROR,
    TWIN_PROPERTY,
    TWIN_QUALITY,
    TWIN_REPORTED,
    TWIN_TIME,
    TWIN_VERSION,
    WINDOW_FUNCTIONS_MAX,
    WORKLOAD_CONTAINERS,
    WORKLOAD_GENERATION,
    WORKLOAD_GRACE_MS,
    WORKLOAD_NAME,
    WORKLOAD_NAMESPACE,
    WORKLOAD_RESTART_POLICY,
    WORKLOAD_RUNTIME,
    WORKLOAD_TERMINATING,
    WORKLOAD_UID,
)
from edgelite_protocol.schema import (
    ANY,
    BOOL,
    BYTES,
    FLOAT,
    INT,
    LIST,
    MAP,
    OPTIONAL,
    REQUIRED,
    SCALAR,
    TEXT,
    TEXT_MAP,
    TIME,
    TUPLE,
    UINT,
    UINT_MAX,
)

NUMBER = (UINT, 0, UINT_MAX, None)
FLAG = (BOOL, 0, 0, None)
NAME = (TEXT, 1, NAME_BYTES_MAX, None)
PAIR_NAME = (TEXT, 3, 2 * NAME_BYTES_MAX + 1, None)  # "namespace/name"
UID = (TEXT, 1, 64, None)  # a UUID has 36
LINE = (TEXT, 0, 1024, None)  # a text for a person, an image reference
WORD = (TEXT, 0, 256, None)
VALUE_TEXT = (TEXT, 0, 2048, None)  # of a property, as text
LONG_TEXT = (TEXT, 0, 32768, None)  # a command's argument, an environment value: the frame is the real bound
LANE = (UINT, LANE_STATE, LANE_TELEMETRY, None)
EPOCH = (BYTES, 8, 8, None)
JOURNAL_ID = (BYTES, 8, 8, None)
DIGEST_ENTRY = (BYTES, 8, 8, None)
DIGEST_ARTIFACT = (BYTES, 32, 32, None)
DRIVER_CONFIG = (TEXT_MAP, 0, 64, (ANY, 0, 0, None))  # the driver checks what is in it

REPORT_TIME = (TIME, 0, 0, None)

_FILE = (TUPLE, 3, 3, ((TEXT, 1, 1024, None), (BYTES, 0, 65535, None), (UINT, 0, 0o7777, None)))

CONTAINER = (
    (CONTAINER_NAME, "name", REQUIRED, NAME),
    (CONTAINER_IMAGE, "image", REQUIRED, LINE),
    (CONTAINER_DIGEST, "digest", OPTIONAL, DIGEST_ARTIFACT),
    (CONTAINER_SIZE_BYTES, "size", OPTIONAL, NUMBER),
    (CONTAINER_COMMAND, "command", REQUIRED, (LIST, 1, 256, LONG_TEXT)),
    (CONTAINER_ENVIRONMENT, "environment", OPTIONAL, (TEXT_MAP, 0, 256, LONG_TEXT)),
    (CONTAINER_WORKING_DIRECTORY, "working_directory", OPTIONAL, LINE),
    (CONTAINER_FILES, "files", OPTIONAL, (LIST, 0, 256, _FILE)),
    (CONTAINER_RESOURCES, "resources", OPTIONAL, (TEXT_MAP, 0, 16, NUMBER)),
)

WORKLOAD = (
    (WORKLOAD_UID, "uid", REQUIRED, UID),
    (WORKLOAD_NAMESPACE, "namespace", REQUIRED, NAME),
    (WORKLOAD_NAME, "name", REQUIRED, NAME),
    (WORKLOAD_RUNTIME, "runtime", REQUIRED, (TEXT, 1, 16, ("process", "container", "task"))),
    (WORKLOAD_RESTART_POLICY, "restart_policy", REQUIRED, (TEXT, 1, 16, ("Always", "OnFailure", "Never"))),
    (WORKLOAD_GRACE_MS, "grace", REQUIRED, NUMBER),
    (WORKLOAD_CONTAINERS, "containers", REQUIRED, (LIST, 1, 16, (MAP, 0, 0, CONTAINER))),
    (WORKLOAD_TERMINATING, "terminating", OPTIONAL, FLAG),
    (WORKLOAD_GENERATION, "generation", REQUIRED, NUMBER),
)

PROPERTY = (
    (PROPERTY_NAME, "name", REQUIRED, NAME),
    (PROPERTY_TYPE, "type", REQUIRED, (TEXT, 1, 16, ("INT", "FLOAT", "DOUBLE", "STRING", "BOOLEAN", "BYTES"))),
    (PROPERTY_WRITABLE, "writable", REQUIRED, FLAG),
    (PROPERTY_VISITOR, "visitor", REQUIRED, DRIVER_CONFIG),
    (PROPERTY_COLLECT_MS, "collect", REQUIRED, NUMBER),
    (PROPERTY_REPORT_MS, "report", REQUIRED, NUMBER),
    (PROPERTY_REPORT_TO_CLOUD, "report_to_cloud", REQUIRED, FLAG),
    (PROPERTY_DESIRED, "desired", OPTIONAL, VALUE_TEXT),
    (PROPERTY_DESIRED_VERSION, "desired_version", OPTIONAL, NUMBER),
    (PROPERTY_MINIMUM, "minimum", OPTIONAL, VALUE_TEXT),
    (PROPERTY_MAXIMUM, "maximum", OPTIONAL, VALUE_TEXT),
    (PROPERTY_DEADBAND, "deadband", OPTIONAL, (FLOAT, 0, 0, None)),
    (PROPERTY_UNIT, "unit", OPTIONAL, WORD),
    (PROPERTY_DEADBAND_PERCENT, "deadband_percent", OPTIONAL, (FLOAT, 0, 0, None)),
    (PROPERTY_WINDOW_MS, "window", OPTIONAL, NUMBER),
    (PROPERTY_WINDOW_FUNCTIONS, "window_functions", OPTIONAL, (UINT, 1, WINDOW_FUNCTIONS_MAX, None)),
    (PROPERTY_DESIRED_TIME, "desired_time", OPTIONAL, NUMBER),
    (PROPERTY_DESIRED_EXPIRES, "desired_expires", OPTIONAL, NUMBER),
    (PROPERTY_FAIL_SAFE, "fail_safe", OPTIONAL, VALUE_TEXT),
    (PROPERTY_FAIL_SAFE_MS, "fail_safe_after", OPTIONAL, NUMBER),
)

DEVICE = (
    (DEVICE_UID, "uid", REQUIRED, UID),
    (DEVICE_NAMESPACE, "namespace", REQUIRED, NAME),
    (DEVICE_NAME, "name", REQUIRED, NAME),
    (DEVICE_DRIVER, "driver", REQUIRED, NAME),
    (DEVICE_PROTOCOL, "protocol", REQUIRED, DRIVER_CONFIG),
    (DEVICE_PROPERTIES, "properties", REQUIRED, (LIST, 0, 512, (MAP, 0, 0, PROPERTY))),
    (DEVICE_GENERATION, "generation", REQUIRED, NUMBER),
    (DEVICE_STATE_TO_CLOUD, "state_to_cloud", OPTIONAL, FLAG),
    (DEVICE_STATE_MS, "state_report", OPTIONAL, NUMBER),
)

# What the value of a desired entry must be, by kind.
DESIRED = {KIND_WORKLOAD: ("workload", WORKLOAD), KIND_DEVICE: ("device", DEVICE)}

CONTAINER_STATUS = (
    (STATUS_CONTAINER_NAME, "name", REQUIRED, NAME),
    (STATUS_CONTAINER_STATE, "state", REQUIRED, (TEXT, 1, 16, ("waiting", "running", "terminated"))),
    (STATUS_CONTAINER_REASON, "reason", OPTIONAL, WORD),
    (STATUS_CONTAINER_MESSAGE, "message", OPTIONAL, LINE),
    (STATUS_CONTAINER_EXIT_CODE, "exit_code", OPTIONAL, (INT, -0x80000000, UINT_MAX, None)),
    (STATUS_CONTAINER_SIGNAL, "signal", OPTIONAL, (INT, 0, 255, None)),
    (STATUS_CONTAINER_STARTED, "started", OPTIONAL, REPORT_TIME),
    (STATUS_CONTAINER_FINISHED, "finished", OPTIONAL, REPORT_TIME),
    (STATUS_CONTAINER_RESTARTS, "restarts", OPTIONAL, NUMBER),
    (STATUS_CONTAINER_PID, "pid", OPTIONAL, NUMBER),
)

_KIND = (REPORT, "kind", REQUIRED, NUMBER)

REPORT_TABLES = {
    REPORT_WORKLOAD: (
        "report_workload",
        LANE_STATE,
        (
            _KIND,
            (STATUS_UID, "uid", REQUIRED, UID),
            (STATUS_TIME, "time", REQUIRED, REPORT_TIME),
            (STATUS_GENERATION, "generation", OPTIONAL, NUMBER),
            (STATUS_CONTAINERS, "containers", REQUIRED, (LIST, 0, 16, (MAP, 0, 0, CONTAINER_STATUS))),
        ),
    ),
    REPORT_WORKLOAD_GONE: ("report_workload_gone", LANE_STATE, (_KIND, (1, "uid", REQUIRED, UID))),
    REPORT_TELEMETRY: (
        "report_telemetry",
        LANE_TELEMETRY,
        (
            _KIND,
            (TELEMETRY_DEVICE, "device", REQUIRED, PAIR_NAME),
            (TELEMETRY_TIME, "time", REQUIRED, REPORT_TIME),
            (TELEMETRY_VALUES, "values", REQUIRED, (TEXT_MAP, 1, 512, (SCALAR, 0, 2048, None))),
        ),
    ),
    REPORT_TWIN: (
        "report_twin",
        LANE_STATE,
        (
            _KIND,
            (TWIN_DEVICE, "device", REQUIRED, PAIR_NAME),
            (TWIN_PROPERTY, "property", REQUIRED, NAME),
            (TWIN_TIME, "time", REQUIRED, REPORT_TIME),
            (TWIN_REPORTED, "reported", OPTIONAL, VALUE_TEXT),
            (TWIN_QUALITY, "quality", REQUIRED, (TEXT, 1, 8, ("good", "bad"))),
            (TWIN_ERROR, "error", OPTIONAL, LINE),
            (TWIN_VERSION, "version", REQUIRED, NUMBER),
            (TWIN_DESIRED, "desired", OPTIONAL, VALUE_TEXT),
            (TWIN_DESIRED_VERSION, "desired_version", OPTIONAL, NUMBER),
            (TWIN_DESIRED_ORIGIN, "desired_origin", OPTIONAL, (TEXT, 1, 16, ("local", "fail-safe"))),
        ),
    ),
    REPORT_DEVICE: (
        "report_device",
        LANE_STATE,
        (
            _KIND,
            (DEVICE_STATE_DEVICE, "device", REQUIRED, PAIR_NAME),
            (DEVICE_STATE_TIME, "time", REQUIRED, REPORT_TIME),
            (DEVICE_STATE, "state", REQUIRED, (TEXT, 1, 16, ("online", "offline", "unhealthy"))),
            (DEVICE_STATE_REASON, "reason", OPTIONAL, LINE),
        ),
    ),
    REPORT_DROPPED: (
        "report_dropped",
        LANE_STATE,
        (
            _KIND,
            (1, "lane", REQUIRED, LANE),
            (2, "count", REQUIRED, NUMBER),
            (3, "from", REQUIRED, NUMBER),
            (4, "to", REQUIRED, NUMBER),
        ),
    ),
    REPORT_DAMAGE: ("report_damage", LANE_STATE, (_KIND, (1, "text", REQUIRED, LINE))),
}
