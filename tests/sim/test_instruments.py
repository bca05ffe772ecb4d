"""The simulated instruments speak as the standards and the documentation have it."""

import os
import subprocess
import sys
import termios
import time
import tty
from pathlib import Path

from edgelite_sim.devices.instruments import Gps, Meter, Scale, SimulatedLine


def opened(path: Path, speed: int = termios.B9600) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(descriptor)
    set_speed(descriptor, speed)
    return descriptor


def set_speed(descriptor: int, speed: int) -> None:
    attributes = termios.tcgetattr(descriptor)
    attributes[4] = attributes[5] = speed
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def read_until(descriptor: int, end: bytes) -> bytes:
    found = b""
    while not found.endswith(end):
        found += os.read(descriptor, 1)
    return found


def test_the_program_is_a_gps_receiver(tmp_path: Path) -> None:
    """Each sentence has its checksum: the XOR of what is between $ and * (NMEA 0183)."""
    rooms = os.pathsep.join(sys.path)
    words = [sys.executable, "-m", "edgelite_sim.devices.instruments", "gps", str(tmp_path / "gps")]
    process = subprocess.Popen(words, env={**os.environ, "PYTHONPATH": rooms}, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None and process.stdout.readline().strip() == f"gps is on {tmp_path}/gps"
        descriptor = opened(tmp_path / "gps")
        read_until(descriptor, b"\r\n")
        for _ in range(3):
            text, _, digits = read_until(descriptor, b"\r\n").strip().lstrip(b"$").partition(b"*")
            total = 0
            for byte in text:
                total ^= byte
            assert int(digits, 16) == total
        os.close(descriptor)
    finally:
        process.terminate()
        process.wait(10)


def test_a_scale_is_asked_and_set(tmp_path: Path) -> None:
    scale = Scale()
    with SimulatedLine(scale, tmp_path / "scale"):
        descriptor = opened(tmp_path / "scale")
        for asked, answer in (
            (b"READ\r\n", b"ST,GS,+  1.234kg\r\n"),
            (b"TARGET,1.5\r\n", b"TG,OK\r\n"),
            (b"TARGET?\r\n", b"TG,1.500kg\r\n"),
            (b"NONSENSE\r\n", b"??\r\n"),
        ):
            os.write(descriptor, asked)
            assert read_until(descriptor, b"\r\n") == answer
        os.close(descriptor)


def test_a_meter_sends_its_data_to_who_has_changed_the_baud_rate(tmp_path: Path) -> None:
    with SimulatedLine(Meter(), tmp_path / "meter") as line:
        descriptor = opened(tmp_path / "meter", termios.B300)
        os.write(descriptor, b"/?!\r\n")
        assert read_until(descriptor, b"\r\n") == b"/EDL5SIMULATED-1\r\n"
        os.write(descriptor, b"\x06050\r\n")
        time.sleep(0.1)
        meter = line.instrument
        assert isinstance(meter, Meter) and meter.readouts == 0, "it is still spoken to at 300 baud"
        set_speed(descriptor, termios.B9600)
        data = read_until(descriptor, b"\x03")
        assert data.startswith(b"\x02F.F(") and b"1-0:1.8.0*255(001234.500*kWh)\r\n" in data
        os.write(descriptor, b"/?!\r\n")
        time.sleep(0.1)
        assert meter.bauds == [300, 300, 9600, 9600], "and who signs on at 9600 has no answer"
        os.close(descriptor)


def test_a_receiver_without_a_fix_has_empty_fields() -> None:
    gps = Gps()
    said: list[bytes] = []
    gps.write = said.append
    gps.has_fix = False
    gps.tick()
    assert b",,,,,0,00," in said[0] and b",V,,,,," in said[1]
