"""Drivers, each a module or package of its own name; beside them what they share."""

MACHINERY = (
    "backoff",
    "driver_frames",
    "exchange",
    "fields",
    "line_settings",
    "process",
    "process_server",
    "remote",
    "testing_process",
    "testing",
)  # no drivers
SHIPPED = ("mapper", "modbus", "serial")  # where the packages are frozen or in an archive, there is no folder to look into
