"""Reads protocol/vectors/ under both runtimes."""

import json
from binascii import hexlify, unhexlify

_VECTORS = __file__.replace("\\", "/").rsplit("/", 4)[0] + "/protocol/vectors/"


def load(name: str) -> "list[dict[str, object]]":
    with open(_VECTORS + name) as file:
        rows: list[dict[str, object]] = json.load(file)
    assert rows, name + " is empty"
    return rows


def from_hex(text: object) -> bytes:
    assert isinstance(text, str)
    return unhexlify(text)


def to_hex(data: bytes) -> str:
    return hexlify(data).decode()
