"""Drivers, each a module or package of its own name; beside them what they share."""

MACHINERY = (
    "backoff",
    "driver_frames",
    "exchange",
    "fields",
    "hearing",
    "line_settings",
    "process",
    "process_server",
    "remote",
    "testing_process",
    "testing",
)  # no drivers
# Where the packages are frozen or in an archive, there is no folder to look into.
SHIPPED = ("mapper", "modbus", "modbus_server", "serial")
