"""A scenario's devices: the simulated one at each node, and the DeviceModel and Device that the hub gets for it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from edgelite.driver import ConfigurationError
from edgelite_drivers.modbus_server.table_unit import Range
from edgelite_sim.devices.modbus_range import TABLE_NAMES, SlaveRange
from edgelite_sim.devices.modbus_source import ModbusSource
from edgelite_sim.devices.source import DeviceSource, device_from
from edgelite_sim.scenario import writing
from edgelite_sim.scenario.model import DevicePart, Scenario

API = "devices.kubeedge.io/v1beta1"
NAMESPACE = "default"
MODBUS_PORT = 502
REGISTERS = {
    "coils": "CoilRegister",
    "discrete": "DiscreteInputRegister",
    "input": "InputRegister",
    "holding": "HoldingRegister",
}
TYPES = {"float32": "FLOAT", "float64": "DOUBLE", "bool": "BOOLEAN", "string": "STRING"}  # anything else is a number
PROPERTY = re.compile(r"[A-Za-z][A-Za-z0-9_-]*$")

Target = tuple[Any, ...]


class DeviceFileError(ValueError):
    """One line: what of the device's file or objects does not fit."""


def source_of(scenario: Scenario, device: DevicePart, seed: int | None = None) -> DeviceSource:
    """DeviceFileError names the field."""
    where: Path | str = scenario.folder / device.file if device.file else writing.document(device.model)
    try:
        return device_from(where, seed=seed, unix_ms=scenario.start, folder=None if device.file else scenario.folder)
    except ConfigurationError as error:
        raise DeviceFileError(f"{error}") from error


def load_device(scenario: Scenario, device: DevicePart) -> DeviceSource:
    """The same, and whether objects can be had for it."""
    source = source_of(scenario, device)
    objects(scenario, device, "a-node", source)
    return source


def object_name(device: DevicePart, node: str) -> str:
    return f"{device.name}-{node}"


def target(scenario: Scenario, device: DevicePart, node: str, source: DeviceSource) -> Target:
    """Where its driver finds it."""
    for one in objects(scenario, device, node, source):
        if one.get("kind") == "Device":
            config = one["spec"]["protocol"]["configData"]
            if source.kind == "ble":
                return ("driver", "ble")  # what is around the node: its driver has it
            if "serialPort" in config:
                return ("serial", str(config["serialPort"]))
            return ("tcp", str(config["ip"]), int(config.get("port", MODBUS_PORT)))
    raise DeviceFileError(f"{device.objects} has no Device")


def objects(scenario: Scenario, device: DevicePart, node: str, source: DeviceSource) -> list[dict[str, Any]]:
    """The DeviceModel first; DeviceFileError where none can be made."""
    if device.objects:
        return _objects_of_file(scenario.folder / device.objects, device, node)
    if not isinstance(source, ModbusSource):
        raise DeviceFileError(f"no objects can be made for a device of kind {source.kind}: name a file by 'objects'")
    units = source.slaves.map.units
    if len(units) != 1:
        raise DeviceFileError(f"this map has {len(units)} units, and a device is one: name a file by 'objects'")
    ((number, unit),) = units.items()
    properties = [_property(one) for one in unit.ranges]
    order = scenario.devices.index(device)
    config: dict[str, Any] = {"ip": f"10.0.0.{10 + order % 240}", "port": MODBUS_PORT}
    if source.is_serial:
        config = {"serialPort": f"/dev/ttyS{order}", "framing": source.framing}
    return [_model(device, properties), _device(device, node, {**config, "slaveID": number}, properties)]


def _objects_of_file(path: Path, device: DevicePart, node: str) -> list[dict[str, Any]]:
    import yaml

    try:
        text = path.read_text("utf-8").replace("{node}", node)
        found = [one for one in yaml.safe_load_all(text) if one is not None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DeviceFileError(f"{path.name}: {error}") from error
    devices = [one for one in found if isinstance(one, dict) and one.get("kind") == "Device"]
    if len(devices) != 1 or "protocol" not in devices[0].get("spec", {}):
        raise DeviceFileError(f"{path.name} has to have one Device, with its protocol")
    devices[0]["spec"]["nodeName"] = node
    devices[0].setdefault("metadata", {})["name"] = object_name(device, node)
    return found


def _property(one: Range) -> dict[str, Any]:
    """Name, type, access and where it is, of one range."""
    if not isinstance(one, SlaveRange) or not PROPERTY.match(one.name):
        raise DeviceFileError("each range needs a name of letters, digits, '_' and '-', which its property has")
    registers = len(one.data) if one.table in (1, 2) else len(one.data) // 2
    config: dict[str, Any] = {"register": REGISTERS[TABLE_NAMES[one.table]], "offset": one.address, "limit": registers}
    layout = one.layout
    kind = "string" if layout is None else layout.kind
    if layout is not None:
        if len(one.data) != layout.size_bytes:
            raise DeviceFileError(f"{one.name} has several values, and a property one: name a file by 'objects'")
        config |= {"type": kind} | ({"scale": layout.scale} if layout.scale != 1.0 else {})
    access = "ReadWrite" if one.writable and one.table in (1, 3) else "ReadOnly"
    number = "FLOAT" if layout is not None and layout.scale % 1 else "INT"  # tenths are no integers
    return {"name": one.name, "type": TYPES.get(kind, number), "accessMode": access, "config": config}


def _model(device: DevicePart, properties: list[dict[str, Any]]) -> dict[str, Any]:
    rows = [{key: one[key] for key in ("name", "type", "accessMode")} for one in properties]
    metadata = {"name": device.name, "namespace": NAMESPACE}
    return {
        "apiVersion": API,
        "kind": "DeviceModel",
        "metadata": metadata,
        "spec": {"protocol": "modbus", "properties": rows},
    }


def _device(device: DevicePart, node: str, config: dict[str, Any], properties: list[dict[str, Any]]) -> dict[str, Any]:
    rows = []
    for one in properties:
        row: dict[str, Any] = {"name": one["name"], "collectCycle": device.poll, "reportToCloud": True}
        if device.report == "change":
            row["deadband"] = 0
        rows.append({**row, "visitors": {"protocolName": "modbus", "configData": one["config"]}})
    spec = {
        "deviceModelRef": {"name": device.name},
        "nodeName": node,
        "protocol": {"protocolName": "modbus", "configData": config},
        "properties": rows,
    }
    metadata = {"name": object_name(device, node), "namespace": NAMESPACE}
    return {"apiVersion": API, "kind": "Device", "metadata": metadata, "spec": spec}
