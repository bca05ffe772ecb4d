"""The values of feed entries: encoded, decoded, and checked against the protocol's own tables before they are kept,
so that a node never gets an entry that it must refuse."""

from __future__ import annotations

from typing import Any

import cbor2

from edgelite_hub.compiler.compile_environment import CannotCompile
from edgelite_protocol import cbor
from edgelite_protocol import messages as m
from edgelite_protocol.body_tables import DESIRED
from edgelite_protocol.errors import EdgeliteError
from edgelite_protocol.schema import check_map

_WISH = (m.PROPERTY_DESIRED, m.PROPERTY_DESIRED_TIME)
ENTRY_OVERHEAD_BYTES = 64  # the heads around key and value in an ENTRY or SNAPSHOT_ENTRY, and more than them


def value_bytes_max(frame_bytes_max: int, key: str) -> int:
    """What fits one frame of a node beside the key: an entry is never split."""
    return frame_bytes_max - ENTRY_OVERHEAD_BYTES - len(key.encode())


def encode_value(kind: int, value: dict[int, Any], size_bytes_max: int) -> bytes:
    """CannotCompile where the value breaks the protocol's bounds or the node's."""
    name, table = DESIRED[kind]
    try:
        check_map(value, table, name)
        data = cbor.encode(value)
    except EdgeliteError as error:
        raise CannotCompile("Invalid" + name.capitalize(), str(error)) from error
    if len(data) > size_bytes_max:
        text = f"the compiled {name} has {len(data)} bytes, the node takes {size_bytes_max}"
        raise CannotCompile("TooLarge", text + ": bring large files as an artifact")
    return data


def decode_value(data: bytes) -> dict[int, Any]:
    return cbor2.loads(data)  # type: ignore[no-any-return]  # only what encode_value made is ever stored


def keep_desired_versions(compact: dict[int, Any], held: dict[int, Any]) -> None:
    """A desired value that has not changed, nor was desired anew, keeps its version: a node writes to its device once
    for each."""
    earlier = {one[m.PROPERTY_NAME]: one for one in held[m.DEVICE_PROPERTIES]}
    for one in compact[m.DEVICE_PROPERTIES]:
        before = earlier.get(one[m.PROPERTY_NAME], {})
        if m.PROPERTY_DESIRED in one and all(one.get(key) == before.get(key) for key in _WISH):
            one[m.PROPERTY_DESIRED_VERSION] = before[m.PROPERTY_DESIRED_VERSION]
