"""The portable codec beside cbor2 and json on one telemetry message."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import cbor2

from bench.figures import Figure
from edgelite_protocol import cbor

MESSAGE = {
    "device": "plant-7/meter-12",
    "time": 1767225600123,
    "values": {
        f"property-{number}": {"value": 230.5 + number / 8, "unit": "V", "quality": "good", "count": number * 1000}
        for number in range(8)
    },
}
CODECS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    "ours": (cbor.encode, cbor.decode),
    "cbor2": (cbor2.dumps, cbor2.loads),
    "json": (json.dumps, json.loads),
}
ROUNDS, ROUND_S = 7, 0.15


def rate(function: Callable[[], object]) -> float:
    """Calls a second in one round."""
    count, end = 0, time.perf_counter() + ROUND_S
    while time.perf_counter() < end:
        for _ in range(20):
            function()
        count += 20
    return count / ROUND_S


def interleaved(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median rates; the functions take turns, so that a slow moment of the machine meets all of them."""
    rates: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(ROUNDS):
        for name, function in functions.items():
            rates[name].append(rate(function))
    return {name: median(found) for name, found in rates.items()}


def figures() -> list[Figure]:
    encoded, text = cbor.encode(MESSAGE), json.dumps(MESSAGE)
    assert cbor2.loads(encoded) == MESSAGE
    encoders = interleaved(
        {
            "ours": lambda: cbor.encode(MESSAGE),
            "cbor2": lambda: cbor2.dumps(MESSAGE),
            "json": lambda: json.dumps(MESSAGE),
        }
    )
    decoders = interleaved(
        {"ours": lambda: cbor.decode(encoded), "cbor2": lambda: cbor2.loads(encoded), "json": lambda: json.loads(text)}
    )
    made = []
    for name, rates in (("encodes", encoders), ("decodes", decoders)):
        beside = (
            f"cbor2 {rates['cbor2']:,.0f} (x{rates['cbor2'] / rates['ours']:.1f}), "
            f"json {rates['json']:,.0f} (x{rates['json'] / rates['ours']:.1f})"
        )
        made.append(Figure("codec", f"{name} per second, {len(encoded)} bytes", rates["ours"], "/s", None, beside))
    return made
