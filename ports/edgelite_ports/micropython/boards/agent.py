"""The agent on a board: the core on the board's loop, with tasks as its workloads.

A board is an object that has

    name, frame_bytes_max, tasks_max, watchdog_ms (0: none)
    now_ms()                       monotonic
    random_bytes(count)
    loop                           wait(deadline_ms), register, modify, unregister, as micropython.loop.Loop
    state                          a StateDirectory: agent.conf, and the keys of the link
    load_identity()                with `store_certificate`; asked for only where the link is the network's.
                                   NotJoinedError, ConfigurationError where the board has no network
    storage()                      of the journal
    connections(config)            what the dispatcher calls so, with `step`
    parts()                        whatever else acts by time
    about()                        more of what hello says: architecture, os, kernel, memory_bytes
    log(level, text)
    feed()                         tell the watchdog that all is well; the first call starts it
    reset()                        start anew after something that a person need not look at first

`run_board` is what a board's main.py calls.
"""

import gc
import os
import sys

from edgelite import __version__
from edgelite.devices.installed import installed_drivers
from edgelite.driver import ConfigurationError
from edgelite.node import Node, Platform
from edgelite.storage import Storage
from edgelite_ports.common.dispatch import Dispatcher
from edgelite_ports.common.state import NotJoinedError
from edgelite_ports.micropython.absent import NoArtifacts
from edgelite_ports.micropython.ring_log import RingLogs
from edgelite_ports.micropython.shell import Shell
from edgelite_ports.micropython.tasks import Tasks
from edgelite_ports.micropython.worker import Worker
from edgelite_protocol.errors import CorruptionError, PlatformError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from edgelite.config import Config

RING_BYTES = 512  # of a task's output
RESERVE_SEGMENTS = 2  # the journal takes so many more for a while after a power cut
CANNOT = {
    "runtime-container": "this port starts no containers",
    "runtime-process": "a board has no processes: use task",
}


class Agent:
    """PlatformError, CorruptionError and ConfigurationError pass, of the constructor and of `run`."""

    def __init__(self, board: "Any", drivers: "tuple[str, ...]" = ()) -> None:
        self._board = board
        config = board.state.load_config()
        link_keys = board.state.load_link_keys(config)
        identity = board.load_identity() if config.link is None else None
        storage = board.storage()
        check_room(storage, config)
        logs = RingLogs(ring_bytes=RING_BYTES)
        artifacts = NoArtifacts()
        platform = Platform(
            *(
                storage,
                artifacts,
                logs,
                board.random_bytes(16),
                board.random_bytes,
                capabilities(board.about(), drivers + tuple(config.drivers)),
            ),
            writes_outlive_agent=False,
            frame_bytes_max=board.frame_bytes_max,
            link_keys=link_keys,
        )
        self.node = Node(config, platform)
        self.tasks = Tasks(
            *(self.node.supervisor, logs, config.node, board.now_ms, self._warn), tasks_max=board.tasks_max
        )
        connections = board.connections(config)
        runtimes = {"task": self.tasks}
        dispatcher = Dispatcher(
            *(self.node, storage, artifacts, identity, runtimes, connections, Worker(), board.log), board.now_ms
        )
        parts = [connections]
        parts.extend(board.parts())
        self._shell = Shell(self.node, dispatcher, parts, board.now_ms, [self.tasks])

    def open(self) -> None:
        recovery = self.node.open(self._board.now_ms())
        for text in recovery.damaged:
            self._board.log("error", "the journal is damaged: " + text + "; what can be read is kept, the hub is told")
        if recovery.fresh:
            self._board.log("info", "a new journal was made")
        _collect_early()

    def step(self) -> "int | None":
        return self._shell.step()

    def run(self) -> None:
        """Until `node.stop` was called and is done."""
        self.open()
        while not self.node.stopped:
            self.turn()
        self.tasks.close()

    def turn(self) -> None:
        """One round: all that can be done now, then a wait that the watchdog does not bark at."""
        board = self._board
        deadline_ms = self._shell.step()
        if board.watchdog_ms:
            board.feed()
            latest_ms = board.now_ms() + board.watchdog_ms // 2
            deadline_ms = latest_ms if deadline_ms is None else min(deadline_ms, latest_ms)
        board.loop.wait(deadline_ms)

    def _warn(self, text: str) -> None:
        self._board.log("warning", text)


def run_board(board: "Any", drivers: "tuple[str, ...]" = ()) -> None:
    """Run the agent until a person is needed; what the next start may cure resets the board. Ctrl-C passes. `drivers`:
    those that a firmware has frozen in beyond what edgelite brings."""
    try:
        Agent(board, drivers).run()
    except (NotJoinedError, ConfigurationError) as error:
        board.log("error", str(error))
    except (PlatformError, CorruptionError) as error:
        board.log("error", str(error) + "; the board starts anew")
        board.reset()
    except Exception as error:  # noqa: BLE001 - our own bug, or no memory: nobody is there to see it otherwise
        show: Any = getattr(sys, "print_exception", None)
        if show is not None:
            show(error)
        board.log("error", "the agent failed: " + repr(error) + "; the board starts anew")
        board.reset()


def _collect_early() -> None:
    """Before a quarter of what is free has become garbage: else what lives on lies scattered between it, until no piece
    is left that is large enough for a frame."""
    heap: Any = gc  # MicroPython's
    gc.collect()
    heap.threshold(heap.mem_free() // 4)


def check_room(storage: Storage, config: "Config") -> None:
    """PlatformError at the first start where the journal could never grow to what agent.conf lets it."""
    limits = config.journal_limits()
    there = sum([storage.size_bytes(name) for name in storage.names()])
    needed = (limits.files_max + RESERVE_SEGMENTS) * limits.segment_bytes
    room = there + storage.free_bytes()
    if room < needed:
        raise PlatformError(
            "the flash has room for %d bytes and the journal may take %d" % (room, needed),
            "lower journal_bytes_max in agent.conf, or provision with --flash-bytes",
        )


def capabilities(about: "dict[str, object]", drivers: "tuple[str, ...]") -> "dict[str, object]":
    release = ".".join([str(part) for part in sys.implementation.version[:3]])
    told: dict[str, object] = {
        "agent": __version__,
        "runtime": sys.implementation.name + " " + release,
        "runtimes": ["task"],
        "drivers": sorted(installed_drivers(_list_folder) + drivers),
        "cannot": CANNOT,
        "cores": 1,
    }
    told.update(about)
    return told


def _list_folder(path: str) -> "list[str]":
    list_folder: Any = getattr(os, "listdir", None)  # a firmware without file systems has none
    if list_folder is None:
        raise OSError(2)
    return list(list_folder(path))
