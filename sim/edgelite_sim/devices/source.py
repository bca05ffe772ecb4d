"""Simulated devices from one kind of file, for the deterministic world and for real endpoints alike:

    source = device_from(Path("meter.toml"), seed=7, unix_ms=world_start_unix_ms)
    peer = source.make_peer(now_ms)            a channel end, as `edgelite.effects.Channel` has it, for each connection
    peer.opened(now_ms)
    peer.received(request, now_ms)
    peer.step(now_ms)                          the next deadline, None for none
    peer.data_to_send(4096)
    source.fail("slow", delay_ms=1500)         edgelite_sim.devices.condition has what can be wrong with a device
    source.heal()

The file's `kind` says what it is: "modbus" (edgelite_sim.devices.modbus_map), "gps", "scale", "meter62056"
(edgelite_sim.devices.instruments) or "ble" (edgelite_sim.devices.ble_file). Nothing here reads a clock or does I/O.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from edgelite.driver import ConfigurationError
from edgelite_drivers.fields import Fields
from edgelite_sim.devices.condition import RESTART, Condition
from edgelite_sim.devices.values import Clock, Values

FILE_BYTES_MAX = 1024 * 1024
KINDS = ("modbus", "gps", "scale", "meter62056", "ble")
Told = Callable[[dict[str, object], int], object]


class Peer(Protocol):
    """One end of a connection with a device, or of a serial line. `close_reason` is "" while it stays; `on_ready`,
    where it is set, is called when the device changes by itself (`fail`, `heal`): `step` the peer then, look at it."""

    close_reason: str
    on_ready: Callable[[], object] | None

    def opened(self, now_ms: int) -> None: ...

    def received(self, data: bytes, now_ms: int) -> None: ...

    def data_to_send(self, size_bytes_max: int) -> bytes: ...

    def step(self, now_ms: int) -> int | None: ...

    def closed(self, reason: str, now_ms: int) -> None: ...


class DeviceSource:
    """One simulated device, or the slaves of one line. `make_peer` gives as many ends of it as there are connections;
    those of a serial line also have `configured(settings, now_ms)`, for `effects.Open`'s and `Configure`'s settings.

    `on_answered(values, now_ms)` is called when an answer with values leaves: the truth, for whoever checks what others
    have made of it.
    """

    kind = ""
    framing = ""  # of Modbus; "" for what has none
    on_answered: Told | None
    is_serial = True  # reached by a serial line; a Modbus device with framing "tcp" is not, nor is one of Bluetooth

    def __init__(self, clock: Clock, condition: Condition) -> None:
        self.clock = clock
        self.condition = condition
        self.on_answered = None

    def make_peer(self, now_ms: int = 0) -> Peer:
        raise NotImplementedError

    def current(self, now_ms: int) -> dict[str, object]:
        """The values as they are now, by name, without counting as a read: for a display."""
        raise NotImplementedError

    def peers(self) -> list[Any]:
        """That are open."""
        raise NotImplementedError

    def fail(self, kind: str, **parameters: object) -> None:
        """ConfigurationError names what this device cannot have, and what it can."""
        self.condition.fail(kind, parameters)
        for peer in list(self.peers()):
            if kind == RESTART:
                peer.restart()
            else:
                peer.ready()

    def heal(self, kind: str = "") -> None:
        """The end of what `fail` began: of this kind, or of all."""
        self.condition.heal(kind)
        for peer in list(self.peers()):
            peer.ready()


def device_from(
    device: Path | str,
    *,
    seed: int | None = None,
    started_ms: int = 0,
    unix_ms: int = 0,
    framing: str = "",
    folder: Path | None = None,
) -> DeviceSource:
    """From a file, or from the text of one. `seed` takes the place of the file's; the device began at `started_ms`, and
    `unix_ms` is the Unix time at 0 ms; `framing` ("tcp", "rtu", "ascii") takes the place of the file's; `folder` has
    the recordings, where it is not the file's. ConfigurationError names the file and the field that is wrong."""
    if isinstance(device, Path):
        name = str(device)
        text = _text(device)
        folder = folder or device.parent
    else:
        name, text = "", device
    clock = Clock(started_ms, unix_ms)
    try:
        document = tomllib.loads(text)
        fields = Fields({"kind": document.get("kind")}, name or "device", ("kind",))
        made = _make(fields.choice("kind", KINDS), document, Values(clock, folder), seed, framing)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigurationError(name or "device", f"is no TOML: {error}") from error
    except ConfigurationError as error:
        if not name or error.path.startswith(name):
            raise
        raise ConfigurationError(f"{name}: {error.path}", error.text) from error
    return made


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise ConfigurationError(str(file), f"is larger than {FILE_BYTES_MAX} bytes")
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(str(file), error.strerror or "cannot be read") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(str(file), "is no UTF-8") from error


def _make(kind: str, document: dict[str, Any], values: Values, seed: int | None, framing: str) -> DeviceSource:
    if kind == "modbus":
        from edgelite_sim.devices.modbus_source import make_modbus

        return make_modbus(document, values, seed, framing)
    if framing:
        raise ConfigurationError("framing", f"is nothing for a device of kind {kind}")
    if kind == "ble":
        try:
            from edgelite_sim.devices.ble_source import make_ble
        except ModuleNotFoundError as error:
            if error.name != "bumble":
                raise
            raise ConfigurationError("kind", "ble stands on Bumble's controllers: pip install bumble") from error
        return make_ble(document, values, seed)
    from edgelite_sim.devices.instrument_source import make_instrument

    return make_instrument(kind, document, values, seed)
