"""Every report that devices make passes the protocol's own schema: the hub ends the session over one that does not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent / "portable"))

from test_devices import Bench, property_row

from edgelite_protocol import cbor
from edgelite_protocol.message import check_report

VALUES = {
    "INT": st.integers(-(1 << 65), 1 << 65),
    "FLOAT": st.floats(),
    "DOUBLE": st.floats(),
    "BOOLEAN": st.booleans() | st.integers(),
    "STRING": st.text(st.characters(), max_size=40) | st.text(min_size=1500, max_size=2100),
    "BYTES": st.binary(max_size=1100),
}
PROPERTIES = st.sampled_from(sorted(VALUES)).flatmap(
    lambda kind: st.tuples(st.just(kind), VALUES[kind], st.text(max_size=20))
)
"""Type, value, desired."""


@settings(max_examples=150, deadline=None)
@given(st.lists(PROPERTIES, max_size=6), st.text(max_size=3000), st.booleans())
def test_every_report_passes_the_schema(rows: list[Any], error: str, is_silent: bool) -> None:
    properties = [
        property_row(f"p{index}", kind, writable=index % 2 == 0, desired=desired[:2048])
        for index, (kind, _, desired) in enumerate(rows)
    ]
    bench: Any = Bench({f"p{index}": value for index, (_, value, _) in enumerate(rows)}, properties)
    bench.bus.silent = is_silent
    bench.bus.errors = {"p1": error}
    bench.run(0, 3000)
    for lane, body, _ in bench.recorder.reports:
        assert check_report(lane, body)
        assert cbor.decode(cbor.encode(body)) == body
