"""What the agent process loads. Each forbidden module costs memory on every node, for as long as it runs."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from house_files import ROOM_FOLDERS

AGENT = "edgelite_ports.linux.agent"

# Measured (armv7 and x86-64): asyncio 4.5 MB private, hashlib 3.4 MB (libcrypto), json + logging + argparse 1 MB,
# ssl.py 1.5 MB over _ssl; the others pull each other in. `re` and `enum` come with nearly all of them.
_FORBIDDEN = """
    typing dataclasses importlib.metadata asyncio logging json argparse enum re socket ssl selectors threading
    subprocess signal hashlib tempfile pathlib collections.abc contextlib functools traceback inspect datetime random
    shutil concurrent.futures ctypes multiprocessing cbor2 cryptography
"""
FORBIDDEN = frozenset(_FORBIDDEN.split())

# CPython itself loads these when it starts, even with -S -I, so they cost nothing more.
TELL = "import sys; before = set(sys.modules); import %s; print(*sorted(set(sys.modules) - before))"


def loaded_by(module: str, *folders: Path) -> set[str]:
    """The modules that importing `module` adds, in a fresh process without site-packages and environment."""
    path = f"import sys; sys.path[:0] = {[str(folder) for folder in folders]!r}; "
    told = subprocess.run(
        [sys.executable, "-S", "-I", "-c", path + TELL % module],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PATH": os.environ["PATH"]},
        check=False,
    )
    assert told.returncode == 0, f"{module} cannot be imported on its own: {told.stderr}"
    return set(told.stdout.split())


ROOM_PARENTS = [
    ROOM_FOLDERS[room].parent for room in ("edgelite", "edgelite_protocol", "edgelite_drivers", "edgelite_ports")
]


def all_agent_modules() -> list[str]:
    """The agent, and what it loads later by name: drivers, and whatever else of its rooms runs in the process."""
    drivers = sorted(
        f"edgelite_drivers.{path.parent.name}" for path in ROOM_FOLDERS["edgelite_drivers"].glob("*/__init__.py")
    )
    return [
        AGENT,
        *drivers,
        "edgelite.serial_link",
        "edgelite.gateway",
        "edgelite.bus.service",
        "edgelite.mqtt.bridge",
        "edgelite_protocol.oscore.aes",
    ]


@pytest.mark.parametrize("module", all_agent_modules())
def test_nothing_forbidden_is_loaded(module: str) -> None:
    loaded = loaded_by(module, *ROOM_PARENTS)
    assert not loaded & FORBIDDEN, f"loads {sorted(loaded & FORBIDDEN)}"


def test_the_agent_alone_loads_no_bus_and_no_umqtt() -> None:
    loaded = loaded_by(AGENT, *ROOM_PARENTS)
    assert "edgelite.node" in loaded
    assert not [name for name in loaded if name.startswith(("edgelite.bus", "edgelite.mqtt", "edgelite.vendored"))]


def test_umqtt_brings_no_socket_along() -> None:
    loaded = loaded_by("edgelite.mqtt.umqtt_client as client; client.load()", *ROOM_PARENTS)
    assert "edgelite.vendored.umqtt" in loaded
    assert not loaded & {*FORBIDDEN, "usocket", "ustruct", "ubinascii", "_socket"}


def test_a_serial_line_brings_pyserial_and_no_more() -> None:
    """`array`, which pyserial needs, loads collections: half of what a first line costs the process, about 750 kB here
    by tests/bench/serial_port_memory.py."""
    packages = Path(importlib.util.find_spec("serial").origin).parent.parent  # type: ignore[union-attr,arg-type]
    loaded = loaded_by("edgelite_ports.linux.serial_port, serial.rs485", *ROOM_PARENTS, packages)
    assert loaded & FORBIDDEN == {"collections.abc"}
    assert "serial" not in loaded_by("edgelite_ports.linux.serial_port", *ROOM_PARENTS, packages)


def test_the_agent_needs_only_its_rooms() -> None:
    rooms = {name.split(".")[0] for name in loaded_by(AGENT, *ROOM_PARENTS) if name.startswith("edgelite")}
    assert rooms <= {"edgelite", "edgelite_protocol", "edgelite_drivers", "edgelite_ports"}


@pytest.mark.parametrize("module", sorted(FORBIDDEN & set(sys.stdlib_module_names)))
def test_a_planted_import_is_found(module: str, tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text(f"import {module}\n")
    assert module in loaded_by("planted", tmp_path)
