"""What the documentation shows of serial devices is taken by the driver, and means what the page says."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from edgelite_drivers import serial
from edgelite_drivers.serial.checksum import CRCS
from edgelite_drivers.serial.config import PROTOCOL_FIELDS, VISITOR_FIELDS
from edgelite_drivers.serial.conversion import WORDS
from edgelite_drivers.serial.framing import FIELDS, Framer
from edgelite_protocol.messages import PROPERTY_TYPE, PROPERTY_WRITABLE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "serial-devices.md").read_text()
SNIPPETS = [part.split("```")[0] for part in PAGE.split("```yaml\n")[1:]]
EXAMPLES = ("gps", "scale", "electricity-meter")


def configured(spec: dict[str, Any], types: dict[str, dict[str, Any]]) -> tuple[Any, dict[str, Any]]:
    protocol = serial.check_protocol(spec["protocol"]["configData"])
    visitors = {}
    for one in spec["properties"]:
        known = types.get(one["name"], {})
        kind = {
            PROPERTY_TYPE: known.get("type", "FLOAT"),
            PROPERTY_WRITABLE: known.get("accessMode") == "ReadWrite",
        }
        visitors[one["name"]] = serial.check_visitor(one["visitors"]["configData"], kind)
    return protocol, visitors


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_taken(name: str) -> None:
    assert f"examples/{name}.yaml" in PAGE
    model, device = yaml.safe_load_all((ROOT / "examples" / f"{name}.yaml").read_text())
    types = {one["name"]: one for one in model["spec"]["properties"]}
    _, visitors = configured(device["spec"], types)
    assert set(visitors) == set(types)


FRAMES = {
    "weight": (b"ST,GS,+  1.234kg\r\n", 1.234),
    "pressure": (b"\xaa\x07\x01\xd7\x04\x00\x00", 1.239),
    "gas": (b"/ISK5\r\n0-1:24.2.1(101209112500W)(12785.123*m3)\r\n!", 12785.123),
}


@pytest.mark.parametrize("text", SNIPPETS)
def test_snippets_are_taken_and_read(text: str) -> None:
    protocol, visitors = configured(yaml.safe_load(text), {})
    ((name, visitor),) = visitors.items()
    frame, value = FRAMES[name]
    checksum = protocol.framing.checksum
    if name == "gas":
        frame += checksum.encoded(frame + b"xxxx\r\n") + b"\r\n"
    elif checksum is not None:
        frame += checksum.encoded(frame + b"xx")
        assert visitor.request.data({}, checksum)[:3] == b"\xaa\x03\x01"
    framer = Framer(protocol.framing)
    framer.feed(b"noise" + frame if protocol.framing.start else frame, 0)
    content = framer.next_frame(0)
    assert content is not None, framer.fault
    fits, found, error = visitor.read(content)
    assert fits and not error and found == pytest.approx(value)


def test_every_field_and_name_is_documented() -> None:
    for name in (*PROTOCOL_FIELDS, *VISITOR_FIELDS, *FIELDS, *CRCS):
        assert f"`{name}`" in PAGE, name
    for word in WORDS:
        assert f"{word}" in PAGE, word
