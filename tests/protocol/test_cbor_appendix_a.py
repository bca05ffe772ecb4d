"""RFC 8949 appendix A: each of its examples either comes back byte for byte, or is refused by name."""

import json
from pathlib import Path
from typing import Any

import pytest
from cbor_diagnostic import diagnostic

from edgelite_protocol import cbor

ROWS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "rfc8949_appendix_a.json").read_text())

# Why each is outside the profile: SPEC.md section 2.2.
REFUSED = {
    "c249010000000000000000": "cbor_tag",
    "c349010000000000000000": "cbor_tag",
    "c074323031332d30332d32315432303a30343a30305a": "cbor_tag",
    "c11a514b67b0": "cbor_tag",
    "c1fb41d452d9ec200000": "cbor_tag",
    "d74401020304": "cbor_tag",
    "d818456449455446": "cbor_tag",
    "d82076687474703a2f2f7777772e6578616d706c652e636f6d": "cbor_tag",
    "fa7f800000": "cbor_not_deterministic",
    "fa7fc00000": "cbor_not_deterministic",
    "faff800000": "cbor_not_deterministic",
    "fb7ff0000000000000": "cbor_not_deterministic",
    "fb7ff8000000000000": "cbor_not_deterministic",
    "fbfff0000000000000": "cbor_not_deterministic",
    "f7": "cbor_simple_value",
    "f0": "cbor_simple_value",
    "f818": "cbor_simple_value",
    "f8ff": "cbor_simple_value",
    "5f42010243030405ff": "cbor_indefinite_length",
    "7f657374726561646d696e67ff": "cbor_indefinite_length",
    "9fff": "cbor_indefinite_length",
    "9f018202039f0405ffff": "cbor_indefinite_length",
    "9f01820203820405ff": "cbor_indefinite_length",
    "83018202039f0405ff": "cbor_indefinite_length",
    "83019f0203ff820405": "cbor_indefinite_length",
    "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff": "cbor_indefinite_length",
    "bf61610161629f0203ffff": "cbor_indefinite_length",
    "826161bf61626163ff": "cbor_indefinite_length",
    "bf6346756ef563416d7421ff": "cbor_indefinite_length",
}
ADMITTED = [row for row in ROWS if row["hex"] not in REFUSED]


def test_the_file_is_the_whole_appendix() -> None:
    assert len(ROWS) == 82
    assert len(ADMITTED) + len(REFUSED) == len(ROWS)


@pytest.mark.parametrize("row", ADMITTED, ids=lambda row: row["hex"][:32])
def test_admitted(row: dict[str, Any]) -> None:
    value = cbor.decode(bytes.fromhex(row["hex"]))
    if "decoded" in row:
        assert value == row["decoded"]
        assert type(value) is type(row["decoded"])
    else:
        assert diagnostic(value) == row["diagnostic"]
    assert cbor.encode(value).hex() == row["hex"]


@pytest.mark.parametrize(("data", "code"), REFUSED.items())
def test_refused(data: str, code: str) -> None:
    with pytest.raises(cbor.CborError) as caught:
        cbor.decode(bytes.fromhex(data))
    assert caught.value.code == code
