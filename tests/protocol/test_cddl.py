"""protocol/edgelite.cddl against a CDDL validator: it admits each valid vector and refuses each malformed one that
a grammar can refuse."""

import json
from pathlib import Path

import pytest
from cddl_rules import NAMES, VARIANTS, refusal

from edgelite_protocol.message_tables import MESSAGES

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"
VALID = json.loads((VECTORS / "messages_valid.json").read_text())
MALFORMED = json.loads((VECTORS / "messages_malformed.json").read_text())

# What a grammar cannot say: the order of sequences, and how the bytes of one value are to be encoded.
BEYOND_GRAMMAR = {
    "out_of_order",
    "cbor_key_order",
    "cbor_not_deterministic",
    "cbor_indefinite_length",
    "cbor_trailing_bytes",
}
# CDDL could say that epoch and digest come together only by writing hello twice.
BEYOND_OURS = {"hello, epoch without digest", "hello, digest without epoch"}
# What the grammar refuses and this validator lets through, found by these vectors: `.size` takes text for bytes and
# bytes for text; arrays of arrays have no upper bound; a choice forgives an array; a choice of maps at the root
# forgives surplus keys, and what is no map at all. A validator that learns these fails here, and the set shrinks.
BEYOND_VALIDATOR = {
    "an array",
    "data as text",
    "hello, journal id as text",
    "hello, nine positions",
    "telemetry with an array",
    "entry of an unknown kind",
    "entry, environment with a number",
}


def test_every_message_has_a_rule() -> None:
    assert set(NAMES) | set(VARIANTS) == set(MESSAGES)


@pytest.mark.parametrize("row", VALID, ids=lambda row: row["name"])
def test_valid_vectors_are_in_the_grammar(row: dict[str, str]) -> None:
    assert refusal(bytes.fromhex(row["hex"])) is None


@pytest.mark.parametrize("row", MALFORMED, ids=lambda row: row["why"])
def test_malformed_vectors_are_not(row: dict[str, str]) -> None:
    refused = refusal(bytes.fromhex(row["hex"])) is not None
    beyond = row["error"] in BEYOND_GRAMMAR or row["why"] in BEYOND_OURS | BEYOND_VALIDATOR
    assert refused != beyond
