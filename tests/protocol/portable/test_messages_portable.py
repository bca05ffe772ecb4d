"""Messages against the vectors: each valid one is taken and given back, each malformed one is refused by name."""

from protocol_vectors import from_hex, load

from edgelite_protocol import cbor, message
from edgelite_protocol import messages as m
from edgelite_protocol.errors import MisuseError, ProtocolError
from edgelite_protocol.message_tables import MESSAGES

REPORT_GONE = {m.REPORT: m.REPORT_WORKLOAD_GONE, 1: "uid"}


def refused(payload: bytes) -> str:
    try:
        message.decode_message(payload)
    except ProtocolError as error:
        return error.code
    return ""


def test_valid_vectors_are_taken_and_given_back() -> None:
    for row in load("messages_valid.json"):
        payload = from_hex(row["hex"])
        decoded = message.decode_message(payload)
        assert message.encode_message(decoded) == payload, row


def test_every_message_has_a_valid_vector() -> None:
    seen = [message.decode_message(from_hex(row["hex"]))[m.TYPE] for row in load("messages_valid.json")]
    for number in MESSAGES:
        assert number in seen, number


def test_malformed_vectors_are_refused_by_name() -> None:
    for row in load("messages_malformed.json"):
        assert refused(from_hex(row["hex"])) == row["error"], row


def test_garbage_behind_a_message_is_refused() -> None:
    for row in load("messages_valid.json"):
        payload = from_hex(row["hex"])
        assert refused(payload + b"\x00") == "cbor_trailing_bytes", row
        assert refused(payload[:-1]) == "cbor_truncated", row


def test_each_required_field_is_missed_by_name() -> None:
    for row in load("messages_valid.json"):
        decoded = message.decode_message(from_hex(row["hex"]))
        for key, _name, required, _spec in MESSAGES[decoded[m.TYPE]][2]:
            if required:
                without = dict(decoded)
                del without[key]
                assert refused(cbor.encode(without)) == "missing_field", (row, key)


def test_unknown_keys_are_skipped_and_kept() -> None:
    for row in load("messages_valid.json"):
        decoded = message.decode_message(from_hex(row["hex"]))
        decoded[99] = "of a newer version"
        assert refused(cbor.encode(decoded)) == "", row
        decoded[-5] = 1
        assert refused(cbor.encode(decoded)) == "must_understand", row


def test_must_understand_names_the_key() -> None:
    try:
        message.decode_message(cbor.encode({m.TYPE: m.PING, 1: 1, -7: 1}))
    except ProtocolError as error:
        assert error.text == "ping: key -7"
    else:
        raise AssertionError("taken")


def test_unknown_types_are_skipped_from_128_on() -> None:
    assert message.decode_message(cbor.encode({m.TYPE: 128, 1: [1]})) == {m.TYPE: 128, 1: [1]}
    assert refused(cbor.encode({m.TYPE: 127})) == "unknown_message"


def test_reports_of_unknown_kinds_pass() -> None:
    assert message.check_report(m.LANE_STATE, {m.REPORT: 900, 1: "newer"}) is False
    assert message.check_report(m.LANE_STATE, REPORT_GONE) is True


def test_embedded_cbor_is_what_the_whole_encoder_gives() -> None:
    body = cbor.encode(REPORT_GONE)
    items = [message.encode_item(7, body), message.encode_item(300, REPORT_GONE)]
    whole = {m.TYPE: m.REPORTS, 1: 0, 2: 5, 3: [[7, REPORT_GONE], [300, REPORT_GONE]]}
    assert message.encode_reports(0, 5, items, None) == cbor.encode(whole)
    whole[4] = b"journal0"
    assert message.encode_reports(0, 5, items, b"journal0") == cbor.encode(whole)


def test_long_arrays_have_the_shortest_head() -> None:
    for count in (1, 23, 24, 255, 256, 4096):
        assert message.array_head(count) == cbor.encode([0] * count)[: -count or None], count


def test_entries_with_embedded_values() -> None:
    for row in load("messages_valid.json"):
        decoded = message.decode_message(from_hex(row["hex"]))
        if decoded[m.TYPE] == m.ENTRY:
            value = None if 4 not in decoded else cbor.encode(decoded[4])
            payload = message.encode_entry(decoded[1], decoded[2], decoded[3], value)
            assert payload == from_hex(row["hex"]), row
            assert message.entry_value(decoded, payload) == value, row
            decoded[9] = 1  # of a newer version, behind the value
            assert message.entry_value(decoded, cbor.encode(decoded)) == value, row


def test_own_faulty_messages_are_misuse() -> None:
    try:
        message.encode_message({m.TYPE: m.PING})
    except MisuseError:
        return
    raise AssertionError("encoded")
