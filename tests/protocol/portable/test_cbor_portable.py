"""The codec against its vectors: whole, cut at every byte, with garbage behind."""

from protocol_vectors import from_hex, load, to_hex

from edgelite_protocol import cbor
from edgelite_protocol.errors import MisuseError, ProtocolError


def error_of(data: bytes) -> str:
    try:
        value = cbor.decode(data)
    except cbor.CborError as error:
        assert error.text, "an error without a text for a person"
        return error.code
    return "accepted: %r" % (value,)


def misuse_of(value: object) -> bool:
    try:
        cbor.encode(value)
    except MisuseError:
        return True
    return False


def test_valid_vectors_come_back_byte_for_byte() -> None:
    for row in load("cbor_valid.json"):
        data = from_hex(row["hex"])
        assert to_hex(cbor.encode(cbor.decode(data))) == row["hex"], row


def test_malformed_vectors_are_refused_by_name() -> None:
    for row in load("cbor_malformed.json"):
        assert error_of(from_hex(row["hex"])) == row["error"], row


def test_every_cut_of_a_valid_vector_is_truncated() -> None:
    for row in load("cbor_valid.json"):
        data = from_hex(row["hex"])
        for size in range(len(data)):
            assert error_of(data[:size]) == "cbor_truncated", (row, size)


def test_every_byte_behind_a_valid_vector_is_trailing() -> None:
    for row in load("cbor_valid.json"):
        data = from_hex(row["hex"])
        for garbage in (b"\x00", b"\xff", b"\x9b", b"\xf7\xf7"):
            assert error_of(data + garbage) == "cbor_trailing_bytes", (row, garbage)


def test_input_may_be_any_buffer() -> None:
    assert cbor.decode(bytearray(b"\x82\x01\x02")) == [1, 2]
    assert cbor.decode(memoryview(b"\x82\x01\x02\x03")[:3]) == [1, 2]


def test_strings_do_not_share_memory_with_the_input() -> None:
    data = bytearray(b"\x42ab")
    value = cbor.decode(data)
    data[1] = 0
    assert value == b"ab"


def test_encode_takes_every_kind_of_buffer_and_sequence() -> None:
    assert cbor.encode([bytearray(b"a"), memoryview(b"xbx")[1:2], (1, None)]) == b"\x83\x41\x61\x41\x62\x82\x01\xf6"


def test_true_is_not_one_and_one_is_not_a_float() -> None:
    assert cbor.encode([True, 1, 1.0, False, 0, 0.0]) == b"\x86\xf5\x01\xf9\x3c\x00\xf4\x00\xf9\x00\x00"
    values = cbor.decode(b"\x83\xf5\x01\xf9\x3c\x00")
    assert isinstance(values, list)
    assert [type(value) for value in values] == [bool, int, float]


def test_keys_are_sorted_by_their_bytes_whatever_the_order_given() -> None:
    keys: list[object] = ["b", 1000, -1, "", 24, "aa", 0, -25]
    for _ in range(len(keys)):
        keys = keys[1:] + keys[:1]
        encoded = cbor.encode(dict([(key, None) for key in keys]))  # noqa: C404
        assert encoded == b"\xa8\x00\xf6\x18\x18\xf6\x19\x03\xe8\xf6\x20\xf6\x38\x18\xf6\x60\xf6\x61b\xf6\x62aa\xf6"


def test_bounds_of_integers() -> None:
    for value in (0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**63, 2**64 - 1):
        assert cbor.decode(cbor.encode(value)) == value
        assert cbor.decode(cbor.encode(-1 - value)) == -1 - value
    assert misuse_of(2**64)
    assert misuse_of(-(2**64) - 1)


def test_what_has_no_encoding_is_misuse() -> None:
    for value in (object(), {1.5: 0}, {b"a": 0}, {(1,): 0}, {None: 0}, {True: 0}, set(), 1j, range(3)):
        assert misuse_of(value), value


def test_a_surrogate_is_refused_in_both_directions() -> None:
    assert misuse_of(chr(0xD800))
    assert misuse_of({"a" + chr(0xDFFF): 1})
    assert error_of(b"\x63\xed\xa0\x80") == "cbor_utf8"


def nested(depth: int) -> object:
    value: object = 0
    for level in range(depth):
        value = [value] if level % 2 else {0: value}
    return value


def test_depth_is_bounded_in_both_directions() -> None:
    deepest = nested(cbor.DEPTH_MAX)
    assert cbor.decode(cbor.encode(deepest)) == deepest
    assert misuse_of(nested(cbor.DEPTH_MAX + 1))
    loop: list[object] = []
    loop.append(loop)
    assert misuse_of(loop)


def test_a_huge_promise_allocates_nothing() -> None:
    # Would these be believed, both runtimes would run out of memory or time.
    for head in (0x5B, 0x7B, 0x9B, 0xBB):
        for count in (b"\xff" * 8, b"\x00\x00\x00\x01" + bytes(4), b"\x7f" + b"\xff" * 7):
            assert error_of(bytes([head]) + count + bytes(64)) == "cbor_truncated"


def test_a_codec_error_is_a_protocol_error() -> None:
    assert issubclass(cbor.CborError, ProtocolError)


def test_infinities_and_nan() -> None:
    assert cbor.encode(float("inf")) == b"\xf9\x7c\x00"
    assert cbor.encode(-float("inf")) == b"\xf9\xfc\x00"
    assert cbor.encode(float("nan")) == b"\xf9\x7e\x00"
    assert cbor.encode(-float("nan")) == b"\xf9\x7e\x00"
    value = cbor.decode(b"\xf9\x7e\x00")
    assert value != value


def test_floats_where_each_width_ends() -> None:
    assert cbor.encode(65504.0)[0] == 0xF9
    assert cbor.encode(65536.0)[0] == 0xFA
    assert cbor.encode(2.0**-24)[0] == 0xF9
    assert cbor.encode(2.0**-25)[0] == 0xFA
    assert cbor.encode(1.0 + 2.0**-10)[0] == 0xF9
    assert cbor.encode(1.0 + 2.0**-11)[0] == 0xFA
