"""What devices and drivers bring into the agent process, which has a budget."""

from __future__ import annotations

import subprocess
import sys

FORBIDDEN = {
    "typing",
    "dataclasses",
    "enum",
    "re",
    "asyncio",
    "logging",
    "json",
    "socket",
    "ssl",
    "selectors",
    "threading",
    "subprocess",
    "hashlib",
    "tempfile",
    "pathlib",
    "contextlib",
    "functools",
    "traceback",
    "inspect",
    "datetime",
    "random",
    "argparse",
    "collections.abc",
    "shutil",
}


def test_devices_and_the_modbus_driver_import_nothing_dear() -> None:
    script = (
        "import sys; before = set(sys.modules); import edgelite.devices; edgelite.devices.load_driver('modbus'); "
        "print(' '.join(sorted(set(sys.modules) - before)))"
    )
    # -S and -I: what site and its .pth files import in a developer's environment is not the agent's.
    path = f"import sys; sys.path[:0] = {[entry for entry in sys.path if entry]!r}; "
    result = subprocess.run(
        [sys.executable, "-I", "-S", "-c", path + script], capture_output=True, text=True, timeout=20
    )
    assert result.returncode == 0, result.stderr
    loaded = result.stdout.split()
    assert "edgelite_drivers.modbus" in loaded
    assert sorted(FORBIDDEN.intersection(loaded)) == []
