"""Emulated machines. Where the tools of emulation can't be had, the whole suite is skipped and says why; CI never
skips, and what goes wrong with the tools there is a failure anywhere."""

from __future__ import annotations

import os

import pytest

from edgelite_sim.qemu import image
from edgelite_sim.qemu.emulators import UnavailableError, require

TOOLS = ("qemu-system-arm", "qemu-user-static", "mmdebstrap", "squashfs-tools", "dpkg-dev")


@pytest.fixture(scope="session")
def built() -> image.Image:
    try:
        require(*TOOLS)
    except UnavailableError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no emulated machine here: {error}")
    return image.build()
