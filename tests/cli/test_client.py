"""What a hub says beside its answer."""

from __future__ import annotations

import pytest

from edgelite_cli.client import warnings_of


@pytest.mark.parametrize(
    ("headers", "texts"),
    [
        ([], []),
        (['299 - "property video is a STREAM"'], ["property video is a STREAM"]),
        (['299 - "one, two", 299 - "three"', '199 hub "four"'], ["one, two", "three", "four"]),
        ([r'299 - "unknown field \"a\\b\""'], [r'unknown field "a\b"']),
        (["nonsense", '299 - "cut sho'], []),
    ],
)
def test_warnings_are_told_one_by_one(headers: list[str], texts: list[str]) -> None:
    assert warnings_of(headers) == texts
