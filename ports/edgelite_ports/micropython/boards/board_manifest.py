# What every board takes; options.board is its folder, options.has_network whether sockets and TLS come along,
# options.has_ble whether Bluetooth Low Energy does: for a firmware of your own, on a board with a radio.
# mypy: ignore-errors
# ruff: noqa: F821
import os

options.defaults(has_ble=False)

OPT = 3  # without assertions and lines' numbers: flash is small, and a traceback still names the function

NO_PROCESSES = ("bus/frames", "bus/local")  # a board's bus is for its broker alone
NO_NETWORK = ("bus", "mqtt", "vendored")

include(
    "../core_manifest.py",
    opt=OPT,
    left_out=NO_PROCESSES if options.has_network else NO_NETWORK,
    more_drivers=("ble",) if options.has_ble else (),
)

COMMON = ("__init__", "absent", "files", "os_errors", "ring_log", "shell", "tasks", "worker")
NETWORK = ("connections", "dns", "file_storage", "identity", "listening", "loop", "names", "resolver", "tls")
BOARDS = ("__init__", "agent", "clock", "heap", "storage_files", "uart_line")
NETWORK_BOARDS = ("network_board", "wifi")


def named(folder, names):
    return tuple(folder + "/" + name + ".py" for name in names)


folder = "micropython/boards/" + options.board
package(
    "edgelite_ports",
    files=(
        named("micropython", COMMON + (NETWORK if options.has_network else ()))
        + named("micropython/boards", BOARDS + (NETWORK_BOARDS if options.has_network else ()))
        + named(folder, ("__init__", "board", *(options.more or ())))
        + (named("common", ("block_storage",)) if not options.has_network else ())
        + (named("micropython/ble", ("__init__", "board_radio")) if options.has_ble else ())
    ),
    base_path=os.path.abspath(os.path.join("..", "..", "..")),
    opt=OPT,
)
