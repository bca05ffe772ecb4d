"""What Hypothesis feeds to a target: anything, and what is nearly right."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from targets import Target

SIZE_MAX = 300
EXAMPLES = 300


EDGES = (0, 1, 2, 3, 4, 5, 16, 127, 128, 254, 255)


def inputs(target: Target) -> st.SearchStrategy[bytes]:
    byte = st.sampled_from(EDGES) | st.integers(0, 255)
    piece = byte.map(lambda value: bytes([value])) | st.binary(max_size=2)
    changes = st.lists(st.tuples(st.integers(0, 20), piece), max_size=5)
    return st.binary(max_size=SIZE_MAX) | st.builds(_changed, st.sampled_from(target.seeds), changes)


def _changed(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    """Each change puts bytes in the place of one; none cuts it out."""
    for place, piece in changes:
        place %= len(data) + 1
        data = data[:place] + piece + data[place + 1 :]
    return data


def run(target: Target) -> None:
    """Raises what the target raised."""
    function: Callable[[bytes], None] = target.prepare()

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(inputs(target))
    def feed(data: bytes) -> None:
        function(data)

    feed()
