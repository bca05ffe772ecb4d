"""Whether a scenario holds together: every name is known, and nothing contradicts itself. Before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from edgelite.config import _KEYS as AGENT_KEYS
from edgelite.config import parse as parse_agent_conf
from edgelite.driver import ConfigurationError
from edgelite_sim import faults, invariants
from edgelite_sim.network import profile as profiles
from edgelite_sim.network.profile import Profile
from edgelite_sim.network.profile_file import ProfileError, read_tables
from edgelite_sim.scenario import targets
from edgelite_sim.scenario.errors import ScenarioError
from edgelite_sim.scenario.figures import FIGURES
from edgelite_sim.scenario.format import NODES_MAX
from edgelite_sim.scenario.model import ChangePart, DevicePart, ExpectPart, FaultPart, FleetPart, Scenario
from edgelite_sim.scenario.reading import Source
from edgelite_sim.written import units
from edgelite_sim.written.names import one_of
from edgelite_sim.written.places import Path

# What a node is, and what the simulated port has no other end for.
SETTINGS_REFUSED = (
    "node",
    "hub",
    "link",
    "link_address",
    "gateway",
    "tls_in_kernel",
    "mqtt",
    "mqtt_user",
    "mqtt_password_file",
    "mqtt_prefix",
    "mqtt_qos",
    "drivers",
    "driver_path",
    "driver_environment",
    "driver_python",
)
FILES = (".toml", ".yaml", ".yml")  # that an error may name
BACKUP = "backup"  # what `backup_every` calls its backups


def check(scenario: Scenario, source: Source | None = None) -> None:
    """ScenarioError names the first thing that does not hold."""
    source = source or Source(scenario.name)
    own_profiles(scenario, source)
    _check_hubs(scenario, source)
    _check_fleets(scenario, source)
    _check_devices(scenario, source)
    _check_workloads(scenario, source)
    for number, change in enumerate(scenario.changes):
        _check_change(scenario, source, ("change", number), change)
    for number, fault in enumerate(scenario.faults):
        _check_fault(scenario, source, ("fault", number), fault)
    for number, expectation in enumerate(scenario.expectations):
        _check_expectation(scenario, source, ("expect", number), expectation)
    _check_manifests(source, scenario, ("objects",), scenario.objects)
    _check_invariants(scenario, source)


def own_profiles(scenario: Scenario, source: Source | None = None) -> dict[str, Profile]:
    """Those of `[profiles.NAME]`."""
    source = source or Source(scenario.name)
    known = {name: profiles.builtin(name) for name in profiles.names()}
    for name in scenario.profiles:
        if name in known:
            raise source.error(("profiles", name), f"there is a profile '{name}' already", "give yours another name")
    try:
        return read_tables(scenario.profiles, source.file, source.places, known, ("profiles",))
    except ProfileError as error:
        raise ScenarioError(source.file, error.line, error.text) from error


def profile_names(scenario: Scenario) -> list[str]:
    return [*profiles.names(), *scenario.profiles]


def universe(scenario: Scenario, kind: str) -> list[str]:
    """All names that a target of this kind can have."""
    if kind == "hub":
        return [hub.name for hub in scenario.hubs]
    nodes = scenario.nodes()
    if kind in ("node", "link"):
        return nodes
    parts: Sequence[Any] = scenario.devices if kind == "device" else scenario.workloads
    return [f"{part.name}@{node}" for part in parts for node in nodes if node in targets.possible(part.on, nodes)]


# ---- who is there


def _check_hubs(scenario: Scenario, source: Source) -> None:
    if not scenario.hubs:
        raise source.error(("hub",), "there is no hub", "leave [[hub]] out for one named hub")
    _check_once(source, "hub", [hub.name for hub in scenario.hubs])


def _check_once(source: Source, table: str, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        if name in names[:number]:
            raise source.error((table, number, "name"), f"there are two named '{name}'", "give each its own name")


def _check_fleets(scenario: Scenario, source: Source) -> None:
    if not scenario.fleets:
        raise source.error((), "a scenario needs at least one [[fleet]]")
    seen: set[str] = set()
    for number, fleet in enumerate(scenario.fleets):
        path: Path = ("fleet", number)
        if fleet.count > 1 and "{n}" not in fleet.name:
            raise source.error(
                (*path, "name"), f"{fleet.count} nodes cannot all be named '{fleet.name}'", f"write {fleet.name}-{{n}}"
            )
        _check_known(source, (*path, "profile"), "profile", fleet.profile, profile_names(scenario))
        _check_known(source, (*path, "hub"), "hub", fleet.hub, [hub.name for hub in scenario.hubs])
        _check_settings(source, path, fleet)
        for name in fleet.nodes():
            if name in seen:
                raise source.error((*path, "name"), f"there are two nodes named '{name}'", "give each its own name")
            seen.add(name)
    if len(seen) > NODES_MAX:
        raise source.error(("fleet",), f"{len(seen)} nodes are too many", f"allowed: {NODES_MAX}")


def _check_known(source: Source, path: Path, what: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise source.error(path, f"there is no {what} '{name}'", one_of(name, known))


def _check_settings(source: Source, path: Path, fleet: FleetPart) -> None:
    allowed = sorted(set(AGENT_KEYS) - set(SETTINGS_REFUSED))
    for key in fleet.settings:
        if key not in allowed:
            raise source.error((*path, "settings", key), f"a fleet's settings have no '{key}'", one_of(key, allowed))
    try:
        parse_agent_conf(agent_conf(fleet.nodes()[0], [fleet.hub], fleet)).journal_limits()
    except ConfigurationError as error:
        _, _, key = error.path.rpartition(", ")
        where = (*path, "name") if key == "node" else (*path, "settings", key)
        raise source.error(where, f"{key}: {error.text}") from error


def agent_conf(node: str, hubs: Sequence[str], fleet: FleetPart) -> str:
    lines = {"node": node, "hub": ", ".join(f"{hub}:7444" for hub in hubs), **settings(fleet)}
    return "".join(f"{key} = {value}\n" for key, value in lines.items())


def settings(fleet: FleetPart) -> dict[str, object]:
    """As agent.conf has them: sizes may be written with units, and flags as true and false."""
    found: dict[str, object] = {}
    for key, value in fleet.settings.items():
        if isinstance(value, bool):
            value = "yes" if value else "no"
        elif isinstance(value, str):
            size, duration = units.size_bytes(value), units.duration_ms(value)
            value = size if size is not None else duration if duration is not None else value
        found[key] = value
    return found


def _check_on(scenario: Scenario, source: Source, path: Path, patterns: Sequence[str]) -> None:
    nodes = scenario.nodes()
    for pattern in patterns:
        if not targets.matching(targets.parse(pattern).pattern, nodes):
            raise source.error((*path, "on"), f"no node is named '{pattern}'", one_of(pattern, nodes))


def _check_devices(scenario: Scenario, source: Source) -> None:
    _check_once(source, "device", [device.name for device in scenario.devices])
    for number, device in enumerate(scenario.devices):
        path: Path = ("device", number)
        _check_on(scenario, source, path, device.on)
        if bool(device.file) is bool(device.model):
            raise source.error(
                path,
                f"the device '{device.name}' needs a register map",
                'write either file = "meter.toml" or a table [device.model]',
            )
        _check_files(source, scenario, (*path, "file"), [device.file] if device.file else [])
        _check_files(source, scenario, (*path, "objects"), [device.objects] if device.objects else [])
        _check_model(scenario, source, path, device)


def _check_model(scenario: Scenario, source: Source, path: Path, device: DevicePart) -> None:
    from edgelite_sim.scenario.devices import DeviceFileError, load_device

    try:
        load_device(scenario, device)
    except DeviceFileError as error:
        raise source.error((*path, "file" if device.file else "model"), str(error)) from error


def _check_workloads(scenario: Scenario, source: Source) -> None:
    from edgelite_sim.scenario.workloads import command_error

    _check_once(source, "workload", [workload.name for workload in scenario.workloads])
    for number, workload in enumerate(scenario.workloads):
        path: Path = ("workload", number)
        _check_on(scenario, source, path, workload.on)
        if wrong := command_error(workload.command):
            raise source.error((*path, "command"), *wrong)


def _check_files(source: Source, scenario: Scenario, path: Path, names: Sequence[str]) -> None:
    for name in names:
        if not (scenario.folder / name).is_file():
            folder = (scenario.folder / name).parent
            there = sorted(one.name for one in folder.glob("*") if one.suffix in FILES)
            raise source.error(path, f"there is no file '{name}' beside this one", one_of(name, there))


def _check_manifests(source: Source, scenario: Scenario, path: Path, names: Sequence[str]) -> None:
    _check_files(source, scenario, path, names)
    for name in names:
        _check_yaml(source, path, f"'{name}'", (scenario.folder / name).read_bytes())


def _check_yaml(source: Source, path: Path, what: str, text: str | bytes) -> None:
    """What it says is the hub's to judge; that it says something is ours."""
    try:
        found = [one for one in yaml.safe_load_all(text) if one is not None]
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise source.error(path, f"{what} is no YAML: {' '.join(str(error).split())}") from error
    if not found or not all(isinstance(one, dict) and one.get("kind") for one in found):
        raise source.error(path, f"{what} has to have objects, each with its apiVersion and kind")


# ---- what happens


def _check_time(scenario: Scenario, source: Source, path: Path, at_ms: int | None, what: str) -> None:
    if at_ms is not None and at_ms > scenario.duration:
        text = f"{what} at {units.duration_text(at_ms)} comes after the end"
        raise source.error(path, text, f"the scenario lasts {units.duration_text(scenario.duration)}")


def _check_targets(scenario: Scenario, source: Source, path: Path, kind: str, texts: Sequence[str]) -> set[str]:
    """Whom it can meet."""
    known = universe(scenario, kind)
    what = {"link": "node"}.get(kind, kind)
    for text in texts:
        choice = targets.parse(text)
        match = targets.matching(choice.pattern, known)
        if not match:
            raise source.error(path, f"no {what} is named '{choice.pattern}'", one_of(choice.pattern, known))
        if choice.count is not None and not 0 < choice.count <= len(match):
            raise source.error(path, f"{choice.count} of {len(match)} cannot be drawn", f"allowed: 1 to {len(match)}")
        if choice.share_percent is not None and not 0 < choice.share_percent <= 100:
            raise source.error(path, f"{choice.share_percent}% cannot be drawn", "allowed: 1% to 100%")
    return targets.possible(texts, known)


def _check_change(scenario: Scenario, source: Source, path: Path, change: ChangePart) -> None:
    _check_time(scenario, source, (*path, "at"), change.at, "a change")
    what = [name for name in ("apply", "text", "delete", "device", "workload") if getattr(change, name)]
    if len(what) != 1:
        raise source.error(
            path,
            "a change is one of apply, text, delete, device and workload",
            f"here {'are ' + ' and '.join(what) if what else 'is none'}",
        )
    if change.device and (not change.property or change.value is None):
        raise source.error(path, "a change of a device needs its property and value")
    if change.workload and not change.command:
        raise source.error(path, "a change of a workload needs its new command")
    for kind in ("device", "workload"):
        if getattr(change, kind):
            _check_targets(scenario, source, (*path, kind), kind, getattr(change, kind))
    for name in change.delete:
        if not 2 <= len(name.split("/")) <= 3 or not all(name.split("/")):
            raise source.error(
                (*path, "delete"), f"'{name}' names no object", "write resource/name, such as pods/till-shop-1"
            )
    _check_manifests(source, scenario, (*path, "apply"), change.apply)
    if change.text:
        _check_yaml(source, (*path, "text"), "this text", change.text)


def _check_fault(scenario: Scenario, source: Source, path: Path, fault: FaultPart) -> None:
    kind = faults.KINDS.get(fault.kind)
    if kind is None:
        raise source.error((*path, "kind"), f"there is no fault '{fault.kind}'", one_of(fault.kind, faults.KINDS))
    for field in kind.fields:
        if field.is_required and field.name not in fault.parameters:
            raise source.error(path, f"{kind.name} needs '{field.name}': {field.sentence}")
    _check_times(scenario, source, path, fault)
    if not fault.target and (kind.target != "hub" or len(scenario.hubs) != 1):
        known = universe(scenario, kind.target)
        raise source.error(path, f"{kind.name} needs a target", one_of("", ["all", *known]))
    met = _check_targets(scenario, source, (*path, "target"), kind.target, fault.target)
    if "profile" in fault.parameters:
        name = fault.parameters["profile"]
        _check_known(source, (*path, "profile"), "profile", name, profile_names(scenario))
    if kind.name == "heal":
        _check_heal(scenario, source, path, fault, met)
    if kind.name == "hub-restore":
        _check_restore(scenario, source, path, fault)


def _check_times(scenario: Scenario, source: Source, path: Path, fault: FaultPart) -> None:
    given = [name for name in ("at", "every", "per_hour") if getattr(fault, name)]
    if fault.at == 0:
        given.insert(0, "at")
    if len(given) != 1:
        here = "here " + ("are " + " and ".join(given) if given else "is none")
        raise source.error(path, f"{fault.kind} needs one of at, every and per_hour: when it happens", here)
    if given == ["at"]:
        for name in ("from", "until"):
            value = fault.from_ if name == "from" else fault.until
            if value:
                raise source.error((*path, name), f"'{name}' goes with every or per_hour, not with at")
    _check_time(scenario, source, (*path, "at"), fault.at, "a fault")
    _check_time(scenario, source, (*path, "from"), fault.from_, "a fault")
    if fault.until is not None and fault.until < fault.from_:
        raise source.error((*path, "until"), "'until' is before 'from'", f"from is {units.duration_text(fault.from_)}")


def first_ms(fault: FaultPart) -> int:
    return fault.at if fault.at is not None else fault.from_


def _check_heal(scenario: Scenario, source: Source, path: Path, heal: FaultPart, met: set[str]) -> None:
    known = universe(scenario, "link")
    for fault in scenario.faults:
        if fault.kind == "outage" and "for" not in fault.parameters and first_ms(fault) <= first_ms(heal):
            met = met - targets.possible(fault.target, known)
    if met:
        text = f"nothing is cut that this could heal: {', '.join(sorted(met)[:5])}"
        raise source.error(path, text, "an outage of it without 'for' has to come before")


def _check_restore(scenario: Scenario, source: Source, path: Path, restore: FaultPart) -> None:
    names = [BACKUP] if any(0 < hub.backup_every <= first_ms(restore) for hub in scenario.hubs) else []
    for fault in scenario.faults:
        if fault.kind == "hub-backup" and first_ms(fault) <= first_ms(restore):
            names.append(fault.parameters.get("name", BACKUP))
    name = restore.parameters.get("backup", BACKUP)
    if name not in names:
        allowed = one_of(name, names) if names else "a hub-backup, or backup_every at the hub, has to come before"
        raise source.error((*path, "backup"), f"there is no backup '{name}' by then", allowed)


def _check_expectation(scenario: Scenario, source: Source, path: Path, expected: ExpectPart) -> None:
    _check_known(source, (*path, "figure"), "figure", expected.figure, list(FIGURES))
    figure = FIGURES[expected.figure]
    if expected.at_least is None and expected.at_most is None:
        raise source.error(path, f"what is expected of {figure.name}?", "write at_least, at_most or both")
    if expected.at_least is not None and expected.at_most is not None and expected.at_least > expected.at_most:
        raise source.error((*path, "at_least"), "at_least is more than at_most: nothing can pass")
    if figure.has_time is not (expected.at is not None):
        text = f"{figure.name} needs 'at'" if figure.has_time else f"{figure.name} is of the whole run and has no 'at'"
        raise source.error((*path, "at"), text)
    _check_time(scenario, source, (*path, "at"), expected.at, "an expectation")
    _check_targets(scenario, source, (*path, "nodes"), "node", expected.nodes)


# ---- invariants


def _check_invariants(scenario: Scenario, source: Source) -> None:
    for name, switch in scenario.invariants.items():
        path: Path = ("invariants", name)
        _check_known(source, path, "invariant", name, invariants.names())
        if isinstance(switch, bool):
            continue
        for bound, value in switch.items():
            if bound not in invariants.bounds_of(name):
                text = f"{name} has no bound '{bound}'"
                raise source.error((*path, bound), text, one_of(bound, invariants.bounds_of(name)))
            if bound_value(bound, value) is None:
                wanted = units.DURATION_EXAMPLES if "_ms" in bound else "write a number"
                raise source.error((*path, bound), f"{bound}: {value!r} is no bound", wanted)


def bound_value(bound: str, value: Any) -> float | None:
    """A bound in milliseconds may be written as a duration, one in bytes as a size."""
    if isinstance(value, str):
        return units.duration_ms(value) if "_ms" in bound else units.size_bytes(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
