"""An emulated armv7 machine that runs a firmware image: boot it, run commands in it, cut its power, boot it again.

    from edgelite_sim.qemu import Guest

    with Guest(folder) as guest:
        guest.boot()
        print(guest.check("uname -m"))
        guest.power_cut()
        guest.boot()

Everything here blocks; from asyncio, call it by `asyncio.to_thread`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from edgelite_sim.qemu import cpio, image
from edgelite_sim.qemu.channel import Channel, ChannelError, Result
from edgelite_sim.qemu.machine import GuestError, Hardware, Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "10.0.2.2"  # the host's loopback as the guest sees it
BOOT_TIMEOUT_S = 90
RUN_TIMEOUT_S = 30
SHUTDOWN_TIMEOUT_S = 30
TAIL_LINES = 15
POLL_S = 0.05
ENDING_S = 0.5
PANIC = "Kernel panic"

# tc by its path: busybox has a small one of its own, which its shell would take first.
ALL_PORTS = "/usr/sbin/tc qdisc add dev eth0 root netem %(netem)s"
ONE_PORT = """set -e
/usr/sbin/tc qdisc add dev eth0 root handle 1: prio bands 2 priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0
/usr/sbin/tc qdisc add dev eth0 parent 1:2 netem %(netem)s
/usr/sbin/tc filter add dev eth0 parent 1: protocol ip prio 1 u32 match ip dport %(port)d 0xffff flowid 1:2"""

Job = Mapping[str, str | bytes]


class Guest:
    """One machine with its data disk, below one folder. As a context manager it is off afterwards, whatever happened.

    image       what it runs; the image of this checkout by default
    hardware    memory, network, clock: see Hardware
    data_mb     size of the data disk, which starts blank; 0 for none: state is then in the guest's memory
    job         files for the guest's /run/job, by name: `run` (a program, started at boot), `join` ("HOST:PORT TOKEN
                NAME", where the node is to join), `agent.conf` (lines to add), `no-agent` (leave the agent out)
    """

    def __init__(
        self,
        folder: Path,
        built: image.Image | None = None,
        hardware: Hardware | None = None,
        data_mb: int = 64,
        job: Job | None = None,
    ) -> None:
        self.folder = folder
        self.image = built or image.build()
        self.hardware = hardware or Hardware()
        self.job: dict[str, str | bytes] = dict(job or {})
        folder.mkdir(parents=True, exist_ok=True)
        self.console_log = folder / "console.log"
        self.data = folder / "data.img" if data_mb else None
        if self.data is not None and not self.data.exists():
            with self.data.open("wb") as file:
                file.truncate(data_mb << 20)
        self._machine: Machine | None = None
        self._channel: Channel | None = None
        self._mark = 0  # where this boot's part of the console's log begins

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.power_cut()

    # ---- power

    def power_on(self) -> None:
        """Start the machine and return at once; `boot` also waits."""
        if self.is_running():
            raise GuestError("the guest runs already")
        self.console_log.touch()
        self._mark = self.console_log.stat().st_size
        job = self._pack_job() if self.job else None
        self._machine = Machine(self.image, self.hardware, self.folder, self.data, job, self.console_log)
        self._channel = Channel(self._machine.command_socket, self._may_answer)

    def boot(self, timeout_s: float = BOOT_TIMEOUT_S) -> float:
        """Start the machine and return when it takes commands; the seconds that took. The agent starts beside that.
        GuestError with the end of the console where it takes longer, or where the machine ends."""
        started_s = time.monotonic()
        self.power_on()
        assert self._channel is not None
        try:
            self._channel.open(started_s + timeout_s)
        except ChannelError as error:
            why = "ended while it booted" if self._has_ended() else f"did not boot within {timeout_s:g} s"
            tail = self.tail()
            self.power_cut()
            raise GuestError(f"the guest {why}: {error}; {tail}") from error
        return time.monotonic() - started_s

    def power_cut(self) -> None:
        """Pull the plug: what the guest has flushed to its data disk stays, anything else is lost."""
        if self._machine is not None:
            self._machine.end()
        if self._channel is not None:
            self._channel.close()
        self._channel = None

    def shutdown(self, timeout_s: float = SHUTDOWN_TIMEOUT_S) -> None:
        """Let the guest end its programs and unmount; GuestError after the timeout, and its power is cut."""
        if self._machine is None or self._channel is None:
            raise GuestError("the guest is off")
        try:
            self._channel.run("poweroff", timeout_s)
        except ChannelError:
            pass  # it was faster than its answer; whether it is off is what counts
        if not self._machine.wait(timeout_s):
            tail = self.tail()
            self.power_cut()
            raise GuestError(f"the guest did not power off within {timeout_s:g} s; {tail}")
        self.power_cut()

    def is_running(self) -> bool:
        return self._machine is not None and self._machine.is_running()

    def _has_ended(self) -> bool:
        """Its sockets close a moment before it is gone."""
        return (self._machine is not None and self._machine.wait(ENDING_S)) or not self._may_answer()

    def _may_answer(self) -> bool:
        return self.is_running() and PANIC not in self.console()

    # ---- commands

    def run(self, script: str, timeout_s: float = RUN_TIMEOUT_S) -> Result:
        """Run a script with the guest's /bin/sh: exit status and output, 1 MiB at most. GuestError where the guest
        doesn't answer."""
        if self._channel is None:
            raise GuestError("the guest is off")
        try:
            return self._channel.run(script, timeout_s)
        except ChannelError as error:
            raise GuestError(f"`{script[:60]}`: {error}; {self.tail()}") from error

    def check(self, script: str, timeout_s: float = RUN_TIMEOUT_S) -> str:
        """The output of a script that has to succeed; GuestError with its output where it fails."""
        result = self.run(script, timeout_s)
        if result.status != 0:
            raise GuestError(f"`{script[:60]}` ended with {result.status}: {result.output.strip()[-500:]}")
        return result.output

    # ---- the console

    def console(self) -> str:
        """What this boot has written to its console so far; all boots are in `console_log`."""
        return self.console_log.read_bytes()[self._mark :].decode(errors="replace")

    def tail(self) -> str:
        """How the console ends, for an error's text."""
        complaints = self._machine.complaints() if self._machine is not None else ""
        said = f"the emulator says: {complaints}; " if complaints else ""
        lines = [line for line in self.console().splitlines() if line.strip()][-TAIL_LINES:]
        shown = "\n  ".join(lines) if lines else "(nothing)"
        return f"{said}its console ends with:\n  {shown}"

    def wait_for(self, text: str, timeout_s: float = 30, count: int = 1, unless: str = "") -> float:
        """Returns when `text` has appeared `count` times on this boot's console; the seconds that took. GuestError
        after the timeout, where the machine ends, or where `unless` appears first."""
        started_s = time.monotonic()
        while (console := self.console()).count(text) < count:
            if unless and unless in console:
                raise GuestError(f"waiting for {text!r}: {unless!r} came; {self.tail()}")
            if time.monotonic() - started_s > timeout_s or not self._may_answer():
                why = f"not within {timeout_s:g} s" if self._may_answer() else "the machine has ended"
                raise GuestError(f"waiting for {text!r}: {why}; {self.tail()}")
            time.sleep(POLL_S)
        return time.monotonic() - started_s

    # ---- the network

    def impair(self, *netem: str, port: int = 0) -> None:
        """What the guest sends passes through the kernel's network emulator, as in impair("delay", "200ms", "loss",
        "5%"); see tc-netem(8). Replaces what was set before; without words the line is good again. With `port`, only
        what goes to that TCP or UDP port of anybody."""
        self.check("/usr/sbin/tc qdisc del dev eth0 root 2>/dev/null || true")
        if netem:
            script = ONE_PORT if port else ALL_PORTS
            self.check("load-modules netem\n" + script % {"netem": " ".join(netem), "port": port})

    @contextmanager
    def outage(self, port: int = 0) -> Iterator[None]:
        """Nothing that the guest sends (to that port) arrives anywhere; nobody is told of an end."""
        self.impair("loss", "100%", port=port)
        try:
            yield
        finally:
            self.impair()

    # ---- its files

    def _pack_job(self) -> Path:
        archive = cpio.Archive()
        archive.folder("job")
        for name, content in self.job.items():
            data = content.encode() if isinstance(content, str) else content
            archive.file(f"job/{name}", data, 0o755 if data.startswith(b"#!") else 0o644)
        path = self.folder / "job.cpio"
        path.write_bytes(archive.data())
        return path
