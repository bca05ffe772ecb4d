"""Bluetooth on a board: its manifest takes the driver along where a firmware asks for it, and nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgelite_cli.mpy_files import Manifest
from edgelite_ports import micropython

BOARDS = Path(str(micropython.__file__)).parent / "boards"


def names(manifest: Path) -> set[str]:
    return {source.target.rpartition(".")[0] + ".py" for source in Manifest(manifest).sources}


@pytest.mark.parametrize("board", ["esp32", "rp2", "qemu_cortex_m3"])
def test_a_board_has_no_bluetooth_unless_its_firmware_asks(board: str) -> None:
    found = names(BOARDS / board / "manifest.py")
    assert not [name for name in found if "ble" in name.split("/")]


def test_a_firmware_with_bluetooth_has_the_driver_and_its_half(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.py"
    manifest.write_text(f'include("{BOARDS}/board_manifest.py", board="esp32", has_network=True, has_ble=True)\n')
    found = names(manifest)
    for name in (
        "edgelite_drivers/ble/central.py",
        "edgelite_drivers/remote.py",
        "edgelite_drivers/process.py",
        "edgelite_ports/common/driver_half.py",
        "edgelite_ports/micropython/ble/board_radio.py",
    ):
        assert name in found, name
    assert "edgelite_drivers/ble/bleak_radio.py" not in found
