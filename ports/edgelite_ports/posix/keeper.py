"""The agent's side of the keeper (shim.py): start it where there is none, hand it units to start, dismiss it."""

from edgelite_ports.posix import system
from edgelite_ports.posix.command import PATH_DEFAULT, StartError
from edgelite_ports.posix.files import EAGAIN, EEXIST, exists, join, read_if_there, write_private
from edgelite_ports.posix.proc import lives, parse_stat_file
from edgelite_ports.posix.shim import KEEPER_SCRIPT

SHELL = "/bin/sh"
SCRIPT_NAME = "keeper.sh"
_ENVIRONMENT = {"PATH": PATH_DEFAULT}
_DISMISSED = b".\n"
_END_TIMEOUT_MS = 500  # for a dismissed keeper to end: 1 ms on a PC; the agent is ending too, so nothing else waits
_END_LOOK_MS = 2
_REQUESTS_BYTES_MAX = 65536  # a FIFO's capacity


class Keeper:
    """`directory` is the one that holds the units' run directories."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._requests = -1  # the FIFO, open for both directions so that no order of opening matters
        self._child_pid = 0  # of a keeper that this process started

    def submit(self, unit_path: str) -> None:
        """Have the shim of a unit started; `unit_path` is its run directory, relative. OSError or StartError where
        that cannot be."""
        self._open()
        if not self._is_alive():
            self._spawn()
        system.write(self._requests, unit_path.encode() + b"\n")  # less than PIPE_BUF, so whole or not at all

    def reap(self) -> bool:
        """Collect a keeper that ended; True where one did."""
        if not self._child_pid:
            return False
        try:
            has_ended = system.wait_if_ended(self._child_pid)
        except OSError:
            has_ended = True  # somebody else collected it
        if has_ended:
            self._child_pid = 0
        return has_ended

    def dismiss(self) -> None:
        """End the keeper, if there is one. Shims and workloads go on. OSError."""
        if self._is_alive():
            if self._requests < 0:
                self._open()
            self._send_away()

    def close(self) -> None:
        if self._requests >= 0:
            system.close(self._requests)
            self._requests = -1

    def pid(self) -> int:
        """0 where none lives."""
        stat = parse_stat_file(read_if_there(self._path("keeper")))
        return stat.pid if stat is not None and lives(stat.pid, stat.start) else self._child_pid

    def _is_alive(self) -> bool:
        self.reap()
        return self.pid() != 0

    def _path(self, name: str) -> str:
        return join(self._directory, name)

    def _open(self) -> None:
        path = self._path("requests")
        if self._requests >= 0 and not exists(path):
            self._send_away()  # somebody removed the directory; its keeper hears only who still holds the old FIFO
            self.close()
            self._child_pid = 0
        if self._requests < 0:
            try:
                system.mkfifo(path, 0o600)
            except OSError as error:
                if error.errno != EEXIST:
                    raise
            self._requests = system.open(path, system.O_RDWR | system.O_NONBLOCK | system.O_CLOEXEC)

    def _send_away(self) -> None:
        """Wait until it is gone: an agent that starts at once must not hand units to a keeper that is about to end."""
        try:
            system.write(self._requests, _DISMISSED)
        except OSError as error:
            if error.errno != EAGAIN:
                raise
            return  # it is stopped and reads nothing; it stays
        for _ in range(_END_TIMEOUT_MS // _END_LOOK_MS):
            if not self._is_alive():
                return
            system.sleep_ms(_END_LOOK_MS)

    def _spawn(self) -> None:
        self._drop_requests()
        arguments = [SHELL, self._write_script()]
        arguments += session_leader_words()
        self._child_pid = system.spawn(arguments, _ENVIRONMENT, _inheritable(), new_session=True)

    def _drop_requests(self) -> None:
        """What a keeper did not live to read. Whoever asked has been told that it failed, or will be, and asks
        again: a new keeper that read both would start the unit twice."""
        try:
            system.read(self._requests, _REQUESTS_BYTES_MAX)
        except OSError as error:
            if error.errno != EAGAIN:  # there is none
                raise

    def _write_script(self) -> str:
        """Its path. By rename, because the keeper of an earlier agent may still be reading the earlier one."""
        path = self._path(SCRIPT_NAME)
        script = KEEPER_SCRIPT.encode()
        if read_if_there(path) != script:
            write_private(path + ".new", script)
            system.rename(path + ".new", path)
        return path


def _inheritable() -> "tuple[int, ...]":
    """What would outlive the agent in the keeper and every workload: descriptors that whoever started the agent
    left open for its children, and what MicroPython opens. CPython's own are closed on exec."""
    numbers = []
    for name in system.listdir("/proc/self/fd"):
        try:
            if int(name) > 2 and system.is_inheritable(int(name)):
                numbers.append(int(name))
        except OSError:
            continue  # the descriptor of this very listing
    return tuple(numbers)


def session_leader_words() -> "list[str]":
    """The words that put what follows them into a session of its own, with no signal ignored where that can be
    had. `setsid` is util-linux's or busybox's; `env` is used if it is coreutils' (see shim.py)."""
    env = _find("env")
    words = [env, "--default-signal=INT,QUIT"] if _resets_signals(env) else []
    words.append(_find("setsid"))
    return words


def _resets_signals(env: str) -> bool:
    """Ask it: busybox calls this an unrecognized option."""
    return system.wait(system.spawn([env, "--default-signal=INT", "true"], _ENVIRONMENT)) == 0


def _find(name: str) -> str:
    for place in PATH_DEFAULT.split(":"):
        path = join(place, name)
        if system.is_executable(path):
            return path
    raise StartError("RuntimeMissing", "this machine has no %s; install util-linux and coreutils, or busybox" % name)
