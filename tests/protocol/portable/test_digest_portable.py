"""The entry digest, and SHA-256 against published values."""

from protocol_vectors import from_hex

from edgelite_protocol import cbor, digest


def test_sha256_of_nothing_and_of_abc() -> None:
    # FIPS 180-4's own examples.
    empty = from_hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    abc = from_hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    assert digest.sha256().digest() == empty
    assert digest.sha256(b"abc").digest() == abc
    state = digest.sha256(b"a")
    state.update(memoryview(b"bc"))
    assert state.digest() == abc


def test_entry_digest_is_over_the_array_of_spec_2_5() -> None:
    value = cbor.encode({1: "meter"})
    expected = digest.sha256(b"\x84\x07\x02\x69default/m\x48" + value).digest()[:8]
    assert len(value) == 8
    assert digest.entry_digest(7, 2, "default/m", value) == expected


def test_entry_digest_differs_in_each_part() -> None:
    parts = [
        (1, 2, "k", b"v"),
        (2, 2, "k", b"v"),
        (1, 1, "k", b"v"),
        (1, 2, "l", b"v"),
        (1, 2, "k", b""),
        (1, 2, "k", None),
    ]
    digests = [digest.entry_digest(revision, kind, key, value) for revision, kind, key, value in parts]
    assert len(set(digests)) == len(parts)
    assert [len(one) for one in digests] == [digest.ENTRY_DIGEST_BYTES] * len(parts)
