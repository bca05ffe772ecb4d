"""The agent as one task among others of a firmware's asyncio loop."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from agent_site import wait_until
from hub_peer import HubPeer
from micropython_site import HEAP, MicroPythonSite, environment, micropython

FIRMWARE = str(Path(__file__).parent / "async_firmware.py")
RUN_S = 2.0


def test_a_firmware_runs_the_agent_beside_its_own_work(tmp_path: Path) -> None:
    hub = HubPeer(tmp_path / "hub")
    site = MicroPythonSite(tmp_path / "node").make_node(hub)
    firmware = subprocess.Popen(
        [*micropython(), *HEAP, FIRMWARE, str(site.state)], env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        wait_until(lambda: hub.applied)
        time.sleep(RUN_S)
        firmware.terminate()
        told, _ = firmware.communicate(timeout=10)
    finally:
        firmware.kill()
        firmware.wait(10)
        hub.cut()
    assert ("node_stopping", "") in hub.ends
    assert firmware.returncode == 0
    assert told.startswith("counted ") and int(told.split()[1]) > RUN_S * 100 / 2
