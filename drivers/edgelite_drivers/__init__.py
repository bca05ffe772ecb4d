"""Drivers, each a module or package of its own name; beside them what they share."""

MACHINERY = ("backoff", "exchange", "fields", "testing")  # no drivers
SHIPPED = ("mapper", "modbus")  # where the packages are frozen or in an archive, there is no folder to look into
