"""Where the agent keeps what on a Linux device, for workloads.

    <state>/workloads/<uid>/<container>/     the workload's own directory: EDGELITE_ROOT, HOME, mounted files
    <state>/workloads/<uid>/<container>.files  which of them came from ConfigMaps and Secrets, one path a line
    <state>/logs/<uid>/<container>.log[.1]   its output
    <state>/artifacts/<digest, hex>/         an unpacked artifact
    <run>/sockets/                           the agent's own Unix sockets: what uses them finds them after a reboot too
    <run>/<boot>/requests, keeper            the keeper's FIFO and identity (shim.py)
    <run>/<boot>/<uid>/<container>/          a unit's run directory (shim.py)

<run> is memory (/run/edgelite/<node>) where that can be written; the boot's id in the path makes what another boot
left behind in <state>/run unfindable, so that no pid of it is taken for one of ours.
"""

import binascii

from edgelite_ports.posix import system
from edgelite_ports.posix.command import StartError
from edgelite_ports.posix.files import base, join, make_directories, reason, remove_tree
from edgelite_protocol.errors import PlatformError

_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
_NAME_LENGTH_MAX = 240  # a file name has 255 bytes, ours add at most ".log.1.new"


class Places:
    def __init__(self, state: str, run: str, boot_id: bytes) -> None:
        self.state = state
        self.run_base = run
        self.run = join(run, binascii.hexlify(boot_id).decode())
        self.sockets = join(run, "sockets")
        self.bus_path = ""  # of the bus' socket, for workloads; "" where the node has none

    def make(self) -> None:
        """Make what is missing, for the owner only, and remove what other boots left in the run directory.
        PlatformError."""
        try:
            self._make()
        except OSError as error:
            raise PlatformError("cannot make the agent's directories: " + reason(error), "check their owner") from error

    def _make(self) -> None:
        for directory in [self.run, self.sockets] + [
            join(self.state, name) for name in ("workloads", "logs", "artifacts")
        ]:
            make_directories(directory)
        for name in system.listdir(self.run_base):
            if name != base(self.run) and _is_boot(name):
                remove_tree(join(self.run_base, name))

    def unit_run(self, unit: str) -> str:
        return join(self.run, *_split(unit))

    def root(self, unit: str) -> str:
        return join(self.state, "workloads", *_split(unit))

    def file_list(self, unit: str) -> str:
        return self.root(unit) + ".files"

    def log(self, unit: str) -> str:
        return join(self.state, "logs", *_split(unit)) + ".log"

    def of_workload(self, uid: str) -> "list[str]":
        """All that belongs to a workload and goes with it."""
        _check_name(uid)
        return [join(self.run, uid)] + [join(self.state, kind, uid) for kind in ("workloads", "logs")]


def _split(unit: str) -> "tuple[str, str]":
    """(uid, container name) as two file names. StartError where they are none: they come from the hub."""
    uid, _, container = unit.partition("/")
    _check_name(uid)
    _check_name(container)
    return uid, container


def _check_name(name: str) -> None:
    if (
        not name
        or name[0] == "."
        or len(name) > _NAME_LENGTH_MAX
        or not all(letter in _NAME_CHARACTERS for letter in name)
    ):
        raise StartError("InvalidName", "%r: letters, digits, - _ . only, not starting with a dot" % name)


def _is_boot(name: str) -> bool:
    return len(name) == 32 and set(name) <= set("0123456789abcdef")
