"""The emulator of one machine: its command line, its process, its console's log."""

from __future__ import annotations

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from edgelite_sim.qemu import emulators
from edgelite_sim.qemu.image import Image

EMULATOR = "qemu-system-arm"
END_TIMEOUT_S = 10
COMMAND_PORT = "edgelite.command"


class GuestError(Exception):
    """The guest did not do what was asked, or in time; the text says what, and how its console ends."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a machine is made of.

    memory_mb      of RAM; Debian's kernel needs 64
    network        the host's loopback is 10.0.2.2 in the guest, which is 10.0.2.15
    counted        run one instruction a nanosecond of guest time, which makes the CPU time of a process a count of
                   its instructions, repeatable within 1 %; idle time is the host's
    clock          where the real-time clock starts, as "2026-01-01T00:00:00"; "" for the host's
    """

    memory_mb: int = 128
    network: bool = True
    counted: bool = False
    clock: str = ""

    def arguments(self) -> list[str]:
        words = ["-m", str(self.memory_mb)]
        if self.network:
            words += ["-netdev", "user,id=network", "-device", "virtio-net-device,netdev=network"]
        if self.counted:
            words += ["-icount", "shift=0"]
        if self.clock:
            words += ["-rtc", f"base={self.clock}"]
        return words


class Machine:
    """One run of the emulator, from power-on to power-off. `folder` gets its socket and its own complaints."""

    def __init__(
        self, image: Image, hardware: Hardware, folder: Path, data: Path | None, job: Path | None, console: Path
    ) -> None:
        emulators.require("qemu-system-arm")
        self.console = console
        self.command_socket = folder / "command.sock"
        self.command_socket.unlink(missing_ok=True)
        self._complaints = folder / "emulator.err"
        initramfs = image.initramfs
        if job is not None:
            initramfs = folder / "initramfs.cpio"
            initramfs.write_bytes(image.initramfs.read_bytes() + job.read_bytes())
        words = self._words(image, hardware, initramfs, data)
        with self._complaints.open("wb") as complaints:
            # In our process group: what ends a test run as a group ends its machines, too.
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=complaints, stderr=complaints)

    def _words(self, image: Image, hardware: Hardware, initramfs: Path, data: Path | None) -> list[str]:
        board = image.recipe.board
        disks = [(image.root, "root", True), (image.agent, "agent", True)]
        if data is not None:
            disks.append((data, "data", False))
        words = [EMULATOR, "-M", board.text("machine"), "-cpu", board.text("cpu"), "-nodefaults", "-display", "none"]
        words += ["-no-reboot", "-kernel", str(image.kernel), "-initrd", str(initramfs)]
        words += ["-append", f"console={board.text('console')} {board.text('arguments')}"]
        words += ["-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console"]
        for path, serial, is_read_only in disks:
            words += [
                "-drive",
                f"if=none,id={serial},file={path},format=raw,readonly={'on' if is_read_only else 'off'}",
            ]
            words += ["-device", f"virtio-blk-device,drive={serial},serial={serial}"]
        # On PCI, where its queues have 128 places. On virtio-mmio each has 1024, and the kernel holds a page for each
        # place of two of them and the rings of all 64: 11 MB that no real machine misses.
        words += ["-device", "virtio-rng-device", "-device", "virtio-serial-pci,max_ports=2"]
        words += ["-chardev", f"socket,id=command,path={self.command_socket},server=on,wait=off"]
        words += ["-device", f"virtserialport,chardev=command,name={COMMAND_PORT}"]
        return words + hardware.arguments()

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        """At once, as when the plug is pulled: what the guest has flushed stays, what it holds in memory is gone."""
        if self.is_running():
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def wait(self, timeout_s: float) -> bool:
        """Until it has ended by itself; False after the timeout."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def complaints(self) -> str:
        return self._complaints.read_text(errors="replace").strip()
