"""Devices and DeviceModels at the door: what a driver, a model and the object itself say against them, by field."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from edgelite_hub import drivers
from tests.hub.api_server import Api, serving

MODELS = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devicemodels"
DEVICES = "/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices"


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as served:
        served.get(MODELS)
        created = served.post(MODELS, {"metadata": {"name": "meter"}, "spec": MODEL})
        assert created.code == 201, created.text
        yield served


MODEL: dict[str, Any] = {
    "protocol": "modbus",
    "properties": [
        {"name": "power", "type": "FLOAT"},
        {"name": "limit", "type": "INT", "accessMode": "ReadWrite", "minimum": "0", "maximum": "100"},
        {"name": "on", "type": "BOOLEAN", "accessMode": "ReadWrite"},
        {"name": "video", "type": "STREAM"},
        {"name": "shared", "type": "INT", "visitors": {"configData": {"register": "InputRegister", "offset": 9}}},
    ],
}
POWER = {"name": "power", "visitors": {"configData": {"register": "InputRegister", "offset": 0, "limit": 2}}}
LIMIT = {"name": "limit", "visitors": {"configData": {"register": "HoldingRegister", "offset": 7}}}


def device(*properties: dict[str, Any], protocol: str = "modbus", **config: Any) -> dict[str, Any]:
    spec = {
        "deviceModelRef": {"name": "meter"},
        "nodeName": "n1",
        "protocol": {"protocolName": protocol, "configData": {"ip": "192.0.2.7", **config}},
        "properties": list(properties),
    }
    return {"metadata": {"generateName": "d-"}, "spec": spec}


def causes(api: Api, body: dict[str, Any], path: str = DEVICES) -> list[tuple[str, str]]:
    answer = api.post(path, body)
    assert answer.code in (201, 422), answer.text
    found = answer.json.get("details", {}).get("causes", []) if answer.code == 422 else []
    return [(cause["field"], cause["message"]) for cause in found]


def changed(instance: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**copy.deepcopy(instance), **more}


def visitor(instance: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = copy.deepcopy(instance)
    made["visitors"]["configData"].update(more)
    return made


def test_a_device_that_holds_is_taken_without_a_warning(api: Api) -> None:
    answer = api.post(DEVICES, device(POWER, LIMIT, {"name": "shared"}))
    assert answer.code == 201 and "warning" not in {name.lower() for name in answer.headers}, answer.text


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "port": (device(POWER, port=70_000), "spec.protocol.configData.port", "Invalid value: 70000: must be an integer"),
    "unknown option": (device(POWER, speed=9600), "spec.protocol.configData.speed", "unknown field"),
    "offset": (
        device(LIMIT, visitor(POWER, offset=-1)),
        "spec.properties[1].visitors.configData.offset",
        "must be an integer from 0 to 65535",
    ),
    "register": (device({"name": "power"}), "spec.properties[0].visitors.configData.register", "in the DeviceModel"),
    "read-only": (device(changed(POWER, desired={"value": "5"})), "spec.properties[0].desired.value", "ReadOnly"),
    "above": (device(changed(LIMIT, desired={"value": "101"})), "spec.properties[0].desired.value", "at most 100"),
    "fail-safe above": (
        device(changed(LIMIT, failSafe={"value": 101, "afterMs": 60_000})),
        "spec.properties[0].failSafe.value",
        "at most 100",
    ),
    "fail-safe too soon": (
        device(changed(LIMIT, failSafe={"value": 1, "afterMs": 999})),
        "spec.properties[0].failSafe.afterMs",
        "must be between 1000 and",
    ),
    "expiry": (
        device(changed(LIMIT, desired={"value": "5", "metadata": {"expiresAfterMs": "soon"}})),
        "spec.properties[0].desired.metadata.expiresAfterMs",
        "must be milliseconds",
    ),
    "two expiries": (
        device(changed(LIMIT, desired={"value": "5", "metadata": {"expiresAfterMs": 5, "expires": 6}})),
        "spec.properties[0].desired.metadata.expiresAfterMs",
        "expires says it already",
    ),
    "expiry of no time": (
        device(changed(LIMIT, desired={"value": "5", "metadata": {"expires": "tomorrow"}})),
        "spec.properties[0].desired.metadata.expires",
        "must be an RFC 3339 time",
    ),
    "expiry from nowhere": (
        device(changed(LIMIT, desired={"value": "5", "metadata": {"expiresAfterMs": 5, "timestamp": "noon"}})),
        "spec.properties[0].desired.metadata.timestamp",
        "must be an RFC 3339 time",
    ),
    "deadband": (device(changed(POWER, deadband=-1)), "spec.properties[0].deadband", "must not be negative"),
    "percent": (device(changed(POWER, deadbandPercent="-0.5")), "spec.properties[0].deadbandPercent", "negative"),
    "function": (
        device(changed(POWER, aggregate={"windowMs": 1000, "functions": ["median"]})),
        "spec.properties[0].aggregate.functions[0]",
        "supported values",
    ),
    "window and cycle": (
        device(changed(POWER, reportCycle=5000, aggregate={"windowMs": 1000})),
        "spec.properties[0].reportCycle",
        "aggregate says when",
    ),
    "window of a switch": (
        device({"name": "on", "visitors": LIMIT["visitors"], "aggregate": {"windowMs": 1000}}),
        "spec.properties[0].aggregate",
        "only numbers",
    ),
    "nanoseconds": (
        device(changed(POWER, collectCycle=10_000_000_000)),
        "spec.properties[0].collectCycle",
        "2678400000",
    ),
    "push": (device(changed(POWER, pushMethod={"mqtt": {}})), "spec.properties[0].pushMethod", "not push"),
    "anomalies": (
        device(changed(POWER, anomalyDetection={"x": 1})),
        "spec.properties[0].anomalyDetection",
        "not support",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named_by_its_field(api: Api, name: str) -> None:
    body, field, words = WRONG[name]
    found = causes(api, body)
    assert [path for path, _ in found].count(field) == 1, found
    assert words in dict(found)[field]


def test_every_fault_is_named_at_once(api: Api) -> None:
    found = causes(api, device(visitor(POWER, limit=200), visitor(LIMIT, register="Coil"), port=0))
    assert [path for path, _ in found] == [
        "spec.protocol.configData.port",
        "spec.properties[0].visitors.configData.limit",
        "spec.properties[1].visitors.configData.register",
    ]


def test_a_stream_is_taken_with_a_warning(api: Api) -> None:
    answer = api.post(DEVICES, device(POWER, {"name": "video", "visitors": {"configData": {"url": "rtsp://x"}}}))
    assert answer.code == 201
    assert "property video is a STREAM" in warning_of(answer)


def test_a_driver_that_only_the_node_has_is_taken_with_a_warning(api: Api) -> None:
    answer = api.post(DEVICES, device(POWER, protocol="lonworks"))
    assert answer.code == 201
    assert "no driver lonworks to check it with; its node will" in warning_of(answer)


def warning_of(answer: Any) -> str:
    return next((text for name, text in answer.headers.items() if name.lower() == "warning"), "")


class Point:
    """An entry point as importlib.metadata gives it."""

    def __init__(self, name: str, module: Any) -> None:
        self.name = name
        self.module = module

    def load(self) -> Any:
        if isinstance(self.module, Exception):
            raise self.module
        return self.module


def fails(*arguments: object) -> None:
    raise ZeroDivisionError("a bug of its own: \u00fc\u2013\r\nX-Forged: 1")


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (SimpleNamespace(check_protocol=fails, check_visitor=fails), "failed at checking it: ZeroDivisionError"),
        (SimpleNamespace(), "failed at checking it: AttributeError"),
        (SyntaxError("invalid syntax"), "cannot be loaded here: SyntaxError"),
        (SystemError("half of it"), "cannot be loaded here"),
    ],
)
def test_whatever_a_third_party_s_driver_does_costs_a_warning(
    api: Api, monkeypatch: pytest.MonkeyPatch, module: Any, words: str
) -> None:
    drivers._load.cache_clear()
    monkeypatch.setattr(drivers, "entry_points", lambda group: [Point("odd", module)])
    answer = api.post(DEVICES, device(POWER, protocol="odd"))
    drivers._load.cache_clear()
    assert answer.code == 201 and words in warning_of(answer), warning_of(answer)
    assert "x-forged" not in {name.lower() for name in answer.headers}


def test_a_visitor_in_a_model_is_checked_there(api: Api) -> None:
    spec = copy.deepcopy(MODEL)
    spec["properties"][4]["visitors"]["configData"]["offset"] = 65_536
    found = causes(api, {"metadata": {"generateName": "m-"}, "spec": spec}, MODELS)
    assert [path for path, _ in found] == ["spec.properties[4].visitors.configData.offset"]


def test_each_wish_has_the_time_at_which_it_was_made(api: Api) -> None:
    body = device(changed(LIMIT, desired={"value": "5"}))
    created = api.post(DEVICES, body).json
    stamp = created["spec"]["properties"][0]["desired"]["metadata"]["timestamp"]
    assert abs(int(stamp) - api.hub.now_ms()) < 60_000
    path = f"{DEVICES}/{created['metadata']['name']}"
    api.hub.offset_ms += 5000

    def put(**desired: Any) -> str:
        again = {**copy.deepcopy(body), "metadata": {"name": created["metadata"]["name"]}}
        again["spec"]["properties"][0]["desired"] = desired
        answer = api.put(path, again)
        assert answer.code == 200, answer.text
        return str(answer.json["spec"]["properties"][0]["desired"]["metadata"]["timestamp"])

    assert put(value="5") == stamp, "the same manifest again is no new wish"
    second = put(value="6")
    assert int(second) >= int(stamp) + 5000
    assert put(value="6", metadata={"timestamp": "77"}) == "77", "who gives a time keeps it"
    third = put(value="6", metadata={"expiresAfterMs": 5})
    assert int(third) >= int(second), "another wish in what it says of itself"
    api.hub.offset_ms += 5000
    patch = {"spec": {"properties": [{"name": "limit", "desired": {"value": "7"}}]}}
    patched = api.patch(path, patch, "strategic-merge-patch").json["spec"]["properties"][0]["desired"]["metadata"]
    assert int(patched["timestamp"]) >= int(third) + 5000, "the old time came along with the patch, and is not its own"


@pytest.mark.parametrize(
    ("protocol", "config", "visitors", "fields"),
    [
        ("ble", {"macAddress": "A4:C1"}, {"characteristicUUID": "2a19"}, ["spec.protocol.configData.macAddress"]),
        (
            "ble",
            {"macAddress": "A4:C1:38:00:11:22"},
            {"characteristicUUID": "2a19", "dataConverter": {"startIndex": 0, "endIndex": 9}},
            ["spec.properties[0].visitors.configData.dataConverter.endIndex"],
        ),
        (
            "serial",
            {"serialPort": "/dev/ttyUSB0", "baudRate": 0},
            {},
            ["spec.protocol.configData.baudRate"],
        ),
        (
            "modbus",
            {"serialPort": "/dev/ttyUSB0", "baudRate": 9600, "parity": "sometimes"},
            {"register": "InputRegister", "offset": 65_535, "limit": 2},
            ["spec.protocol.configData.parity", "spec.properties[0].visitors.configData.offset"],
        ),
    ],
)
def test_each_driver_that_comes_along_names_its_own_fields(
    api: Api, protocol: str, config: dict[str, Any], visitors: dict[str, Any], fields: list[str]
) -> None:
    body = device({"name": "power", "visitors": {"configData": visitors}}, protocol=protocol)
    body["spec"]["protocol"]["configData"] = config
    found = [path for path, _ in causes(api, body)]
    assert [path for path in fields if path not in found] == [], found
