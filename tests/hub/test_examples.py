"""The examples that people copy: a hub takes each of them without a warning, and a node takes what the hub makes of
it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edgelite.devices import load_driver
from edgelite.devices.config import parse_device
from edgelite_hub.compiler.compile_device import compile_device
from edgelite_hub.nodes.feed_values import decode_value, encode_value
from edgelite_protocol.messages import KIND_DEVICE
from tests.hub.api_server import Api, serving

EXAMPLES = Path(__file__).parents[2] / "examples"
GROUP = "/apis/devices.kubeedge.io/v1beta1/namespaces/default"
PATHS = {"DeviceModel": f"{GROUP}/devicemodels", "Device": f"{GROUP}/devices"}


def device_files() -> list[str]:
    return [path.name for path in sorted(EXAMPLES.glob("*.yaml")) if "kind: DeviceModel" in path.read_text()]


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as served:
        served.get(PATHS["Device"])
        yield served


@pytest.mark.parametrize("name", device_files())
def test_a_hub_and_a_node_take_it(api: Api, name: str) -> None:
    stored: dict[str, list[Any]] = {"DeviceModel": [], "Device": []}
    for document in yaml.safe_load_all((EXAMPLES / name).read_text()):
        answer = api.post(PATHS[document["kind"]] + "?fieldValidation=Strict", document)
        assert answer.code == 201, answer.text
        assert not [header for header in answer.headers if header.lower() == "warning"], answer.headers
        stored[document["kind"]].append(answer.json)
    models = {one["metadata"]["name"]: one for one in stored["DeviceModel"]}
    assert stored["Device"], "a model alone is no example"
    for device in stored["Device"]:
        compact: Any = decode_value(encode_value(KIND_DEVICE, compile_device(device, models.get), 60_000))
        config = parse_device(compact, load_driver(str(compact[4])))
        assert [property.name for property in config.properties] == [
            one["name"] for one in device["spec"]["properties"]
        ]


def test_the_kubeedge_ones_use_no_field_that_kubeedge_has_not() -> None:
    ours = {"deadband", "deadbandPercent", "aggregate", "failSafe"}
    names = [name for name in device_files() if name.startswith("kubeedge-")]
    assert len(names) == 3
    for name in names:
        for document in yaml.safe_load_all((EXAMPLES / name).read_text()):
            for one in document["spec"]["properties"]:
                assert not ours & set(one), (name, one["name"])
