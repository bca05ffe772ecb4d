"""The agent's side of the keeper (shim.py): start it where there is none, hand it units to start, dismiss it."""

import os
import time

from edgelite_ports.linux.command import PATH_DEFAULT, StartError
from edgelite_ports.linux.proc import lives, parse_stat_file, read_if_there
from edgelite_ports.linux.shim import KEEPER_SCRIPT

SHELL = "/bin/sh"
SCRIPT_NAME = "keeper.sh"
_DISMISSED = b".\n"
_END_TIMEOUT_MS = 500  # for a dismissed keeper to end: 1 ms on a PC; the agent is ending too, so nothing else waits
_END_LOOK_MS = 2
_REQUESTS_BYTES_MAX = 65536  # a FIFO's capacity
_ALL_SIGNALS = [number for number in range(1, 32) if number not in (9, 19)]  # SIGKILL and SIGSTOP have no action

_QUIET = [(os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDWR, 0) for number in (0, 1, 2)]


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
        os.write(self._requests, unit_path.encode() + b"\n")  # less than PIPE_BUF, so whole or not at all

    def reap(self) -> bool:
        """Collect a keeper that ended; True where one did."""
        if not self._child_pid:
            return False
        try:
            pid, _status = os.waitpid(self._child_pid, os.WNOHANG)
        except ChildProcessError:
            pid = self._child_pid
        if pid:
            self._child_pid = 0
        return pid != 0

    def dismiss(self) -> None:
        """End the keeper, if there is one. Shims and workloads go on. OSError."""
        if self._is_alive():
            if self._requests < 0:
                self._open()
            self._send_away()

    def close(self) -> None:
        if self._requests >= 0:
            os.close(self._requests)
            self._requests = -1

    def pid(self) -> int:
        """0 where none lives."""
        stat = parse_stat_file(read_if_there(self._path("keeper")))
        return stat.pid if stat is not None and lives(stat.pid, stat.start) else self._child_pid

    def _is_alive(self) -> bool:
        self.reap()
        return self.pid() != 0

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)

    def _open(self) -> None:
        path = self._path("requests")
        if self._requests >= 0 and not os.path.exists(path):
            self._send_away()  # somebody removed the directory; its keeper hears only who still holds the old FIFO
            self.close()
            self._child_pid = 0
        if self._requests < 0:
            try:
                os.mkfifo(path, 0o600)
            except FileExistsError:
                pass
            self._requests = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def _send_away(self) -> None:
        """Wait until it is gone: an agent that starts at once must not hand units to a keeper that is about to end."""
        try:
            os.write(self._requests, _DISMISSED)
        except BlockingIOError:
            return  # it is stopped and reads nothing; it stays
        for _ in range(_END_TIMEOUT_MS // _END_LOOK_MS):
            if not self._is_alive():
                return
            time.sleep(_END_LOOK_MS / 1000)

    def _spawn(self) -> None:
        self._drop_requests()
        arguments = [SHELL, self._write_script(), *session_leader_words()]
        self._child_pid = os.posix_spawn(
            SHELL,
            arguments,
            {"PATH": PATH_DEFAULT},
            file_actions=_QUIET + [(os.POSIX_SPAWN_CLOSE, number) for number in _inheritable()],
            setsid=True,
            setsigmask=[],
            setsigdef=_ALL_SIGNALS,
        )

    def _drop_requests(self) -> None:
        """What a keeper did not live to read. Whoever asked has been told that it failed, or will be, and asks
        again: a new keeper that read both would start the unit twice."""
        try:
            os.read(self._requests, _REQUESTS_BYTES_MAX)
        except BlockingIOError:
            pass  # there is none

    def _write_script(self) -> str:
        """Its path. By rename, because the keeper of an earlier agent may still be reading the earlier one."""
        path = self._path(SCRIPT_NAME)
        script = KEEPER_SCRIPT.encode()
        if read_if_there(path) != script:
            descriptor = os.open(path + ".new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(script)
            os.rename(path + ".new", path)
        return path


def _inheritable() -> "list[int]":
    """What would outlive the agent in the keeper and every workload: descriptors that whoever started the agent
    left open for its children. Python's own are closed on exec."""
    numbers = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2 and os.get_inheritable(int(name)):
                numbers.append(int(name))
        except OSError:
            continue  # the descriptor of this very listing
    return numbers


def session_leader_words() -> "list[str]":
    """The words that put what follows them into a session of its own, with no signal ignored where that can be
    had. `setsid` is util-linux's or busybox's; `env` is used if it is coreutils' (see shim.py)."""
    words = [_find("setsid")]
    env = _find("env")
    if _resets_signals(env):
        return [env, "--default-signal=INT,QUIT", *words]
    return words


def _resets_signals(env: str) -> bool:
    """Ask it: busybox calls this an unrecognized option."""
    pid = os.posix_spawn(env, [env, "--default-signal=INT", "true"], {"PATH": PATH_DEFAULT}, file_actions=_QUIET)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _find(name: str) -> str:
    for place in PATH_DEFAULT.split(":"):
        path = os.path.join(place, name)
        if os.access(path, os.X_OK):
            return path
    raise StartError("RuntimeMissing", "this machine has no %s; install util-linux and coreutils, or busybox" % name)
