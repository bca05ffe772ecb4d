"""An emulated Cortex-M3 with the agent's firmware as a node of a real hub, behind a real gateway: its line, its block
device, a thermometer on another line, and power that can be cut."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import pytest

from edgelite_cli.commands import bundle
from edgelite_sim.qemu import emulators
from edgelite_sim.qemu.block_server import BlockServer
from edgelite_sim.qemu.micropython_build import cortex_m3, cortex_m3_command, mpy_cross
from edgelite_sim.serial_line import SharedLine
from edgelite_sim.site import Site

GATEWAY, NODE = "gateway", "sensor"
BAUD = 115200
FIRMWARE_FILES = Path(__file__).parent / "board"
HEAP_BYTES = 112 * 1024  # all that Python has of the board's RAM; the goal is less than 128 KB


def firmware(folder: Path, heap_bytes: int = HEAP_BYTES) -> Path:
    """The bundle of this checkout with the test's own driver and start, frozen. Skips where it cannot be built, and
    fails under CI."""
    try:
        made = folder / f"bundle-{heap_bytes}"
        compiler = str(mpy_cross())
        assert bundle.main(["--port", "qemu-cortex-m3", "--out", str(made), "--mpy-cross", compiler]) == 0
        drivers = made / "own" / "edgelite_drivers"
        drivers.mkdir(parents=True)
        shutil.copy(FIRMWARE_FILES / "thermometer.py", drivers)
        shutil.copy(FIRMWARE_FILES / "main.py", made)
        manifest = made / "manifest.py"
        manifest.write_text(manifest.read_text() + 'freeze("own", "edgelite_drivers/thermometer.py", opt=3)\n')
        return cortex_m3(manifest, [made], heap_bytes=heap_bytes)
    except emulators.UnavailableError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no firmware for a Cortex-M3: {error}")


class Thermometer:
    """Counts how often it was asked and answers with that, so that each reading is told from every other one."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.readings = 0
        self._is_closing = False
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._listener.settimeout(0.2)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._is_closing = True
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        while not self._is_closing:
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(0.2)
            with connection:
                self._serve(connection)

    def _serve(self, connection: socket.socket) -> None:
        while not self._is_closing:
            try:
                data = connection.recv(64)
            except TimeoutError:
                continue
            except ConnectionError:
                return
            if not data:
                return
            for _ in range(data.count(b"?")):
                self.readings += 1
                connection.sendall(b"%d\n" % self.readings)


class BoardSite(Site):
    def __init__(self, folder: Path, firmware: Path) -> None:
        super().__init__(folder)
        self.firmware = firmware
        self.line = SharedLine(1)
        self.blocks = BlockServer(folder / "blocks.sock")
        self.thermometer = Thermometer(folder / "thermometer.sock")
        self.console = folder / "console.txt"
        self.emulator: subprocess.Popen[bytes] | None = None

    async def begin(self) -> None:
        await self.start_hub()
        settings = f"backoff_cap_ms = 1000\ngateway = {self.line.gateway_path}:{BAUD}\n"
        await self.join(GATEWAY, await self.token(), self.node_port, settings)
        await self.start_agent(GATEWAY)
        state = self.folder / "device"
        await self.command("provision", "qemu-cortex-m3", "--out", str(state), "--name", NODE)
        files = {path.name: path.read_bytes() for path in state.iterdir()}
        files["agent.conf"] += b"backoff_cap_ms = 1000\n"
        self.blocks.put_files(files)
        self.power_on()
        await self.until("the board is a node", self.is_ready, 30)

    def power_on(self) -> None:
        command = cortex_m3_command(self.firmware, "chardev:console", self.line.node_paths[0])
        command += ["-chardev", f"file,id=console,path={self.console},append=on"]
        lines = ["-serial", f"unix:{self.blocks.path}", "-serial", f"unix:{self.thermometer.path}"]
        self.emulator = subprocess.Popen([*command, *lines], stdin=subprocess.DEVNULL, cwd=self.folder)

    def power_off(self) -> None:
        """As a cable that is pulled: nothing is told to the board. What its block device keeps, `blocks.cut` says."""
        if self.emulator is not None:
            self.emulator.kill()
            self.emulator.wait()
        self.emulator = None

    def is_ready(self) -> bool:
        conditions = self.get(f"/api/v1/nodes/{NODE}")["status"].get("conditions", [])
        return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)

    def said(self) -> str:
        return self.console.read_text(errors="replace") if self.console.exists() else ""

    def sessions(self) -> int:
        """How often the hub has welcomed the board."""
        return (self.folder / "hub.out").read_text().count(f"node {NODE}: session open")

    async def stop(self) -> None:
        self.power_off()
        await super().stop()
        self.line.close()
        self.blocks.close()
        self.thermometer.close()
