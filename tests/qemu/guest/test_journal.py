"""The journal on real file systems of a Linux device: power cuts on ext4, and UBI's own on NAND flash."""

from __future__ import annotations

import random
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgelite_sim.qemu import Guest
from edgelite_sim.qemu.image import Image

sys.path.insert(0, str(Path(__file__).parent))
import writers

RUNTIMES = ("cpython", "micropython")
CUTS = 4  # of each runtime, besides those of whole agents in test_power_cuts.py
FLASH_ROUNDS = 12

# 64 MiB of NAND with pages of 512 bytes, in memory, so that a cut is within one boot. UBI's emulated cut comes at one
# of the next so many writes of an erase counter (1) or of a volume's header (2), makes the medium read-only at once,
# and goes when UBI is attached again.
FLASH = """#!/bin/sh
set -e
mount -t debugfs debugfs /sys/kernel/debug
load-modules nand nandsim="first_id_byte=0x20 second_id_byte=0x76"
mkdir -p /run/flash
round=0
while [ $round -lt @ROUNDS@ ]; do
    ubiattach -m 0 >/dev/null
    [ -e /dev/ubi0_0 ] || ubimkvol /dev/ubi0 -N data -m >/dev/null
    mount -t ubifs -o compr=none ubi0:data /run/flash
    cut=/sys/kernel/debug/ubi/ubi0/tst_emulate_power_cut
    if [ $round -lt $((@ROUNDS@ - 1)) ]; then
        echo @MIN@ >${cut}_min
        echo $((@MIN@ + round * 3)) >${cut}_max
        echo $((round % 3 + 1)) >$cut
        /run/job/write /run/flash/journal || true
    else
        /run/job/write /run/flash/journal 1
    fi
    umount /run/flash
    ubidetach -m 0 >/dev/null
    round=$((round + 1))
    echo "flash round $round done"
done
"""


@pytest.mark.timeout(400)
def test_a_power_cut_on_ext4_costs_nothing_that_was_synced(tmp_path: Path, built: Image) -> None:
    seed = random.randrange(1 << 31)
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(writers.cut_often, tmp_path / name, built, name, CUTS, seed) for name in RUNTIMES]
        for name, one in zip(RUNTIMES, running, strict=True):
            complaints, synced = one.result()
            assert not complaints, f"{name}, seed {seed}: {complaints}"
            assert synced > CUTS * 5, f"{name}: the writer did not get far: {synced}"


@pytest.mark.timeout(300)
def test_a_power_cut_on_ubifs_costs_nothing_that_was_synced(tmp_path: Path, built: Image) -> None:
    with ThreadPoolExecutor() as pool:
        for one in [pool.submit(cut_by_ubi, tmp_path / name, built, name) for name in RUNTIMES]:
            one.result()


def cut_by_ubi(folder: Path, built: Image, runtime: str) -> None:
    script = FLASH.replace("@ROUNDS@", str(FLASH_ROUNDS)).replace("@MIN@", "2")
    with Guest(folder, built, data_mb=0, job=writers.job(runtime, script)) as guest:
        guest.boot()
        guest.wait_for(f"flash round {FLASH_ROUNDS} done", 180, unless="insmod: ")
        pieces = re.split(r"flash round \d+ done", guest.console())[:FLASH_ROUNDS]
    synced, cuts = 0, 0
    for number, piece in enumerate(pieces):
        said = writers.Said(piece)
        cuts += "writer failed: PlatformError" in piece
        said.failures = [text for text in said.failures if not text.startswith("writer failed: PlatformError")]
        assert said.recovered, f"{runtime}, round {number}: {piece}"
        assert said.against(synced) == [], f"{runtime}, round {number}: {piece[-1500:]}"
        synced = max(synced, said.synced)
    assert cuts == FLASH_ROUNDS - 1, runtime
    assert synced > FLASH_ROUNDS, runtime
