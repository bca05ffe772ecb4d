"""DNS messages: what servers really send, and what a hostile one might."""

from edgelite_ports.micropython import dns
from edgelite_protocol.errors import ProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

NUMBER = 0x1234


def name(text: str) -> bytes:
    return dns.encode_name(text)


def record(owner: bytes, kind: int, data: bytes, in_class: int = 1) -> bytes:
    fixed = kind.to_bytes(2, "big") + in_class.to_bytes(2, "big") + (300).to_bytes(4, "big")
    return owner + fixed + len(data).to_bytes(2, "big") + data


def answer(asked: str, kind: int, records: "list[bytes]", flags: int = 0x8180, number: int = NUMBER) -> bytes:
    counts = [number, flags, 1, len(records), 0, 0]
    header = b"".join([one.to_bytes(2, "big") for one in counts])
    return header + name(asked) + kind.to_bytes(2, "big") + b"\0\1" + b"".join(records)


def parse(data: bytes, kind: int = dns.A) -> "list[bytes] | None":
    return dns.parse_answer(data, NUMBER, "hub.example", kind)


def refused(call: "Callable[[], object]") -> bool:
    try:
        call()
    except ProtocolError:
        return True
    return False


POINTER = b"\xc0\x0c"  # to the question's name


def test_a_question() -> None:
    query = dns.encode_query(NUMBER, "hub.example", dns.AAAA)
    assert query == b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + b"\3hub\7example\0" + b"\0\x1c\0\1"
    assert dns.encode_name("hub.example.") == dns.encode_name("hub.example")


def test_what_is_no_hosts_name() -> None:
    for text in ("", ".", "a..b", "a" * 64, ".".join(["a" * 60] * 5), "h\xfcb.example", "a b"):
        try:
            dns.encode_query(1, text, dns.A)
        except ValueError:
            continue
        raise AssertionError(text)


def test_addresses_of_both_kinds() -> None:
    four, six = bytes([192, 0, 2, 7]), bytes([0x20, 1, 13, 0xB8] + [0] * 11 + [7])
    assert parse(answer("hub.example", dns.A, [record(POINTER, dns.A, four)])) == [four]
    assert parse(answer("hub.example", dns.AAAA, [record(POINTER, dns.AAAA, six)]), dns.AAAA) == [six]
    assert parse(answer("HUB.Example", dns.A, [record(name("hub.EXAMPLE"), dns.A, four)])) == [four]
    assert parse(answer("hub.example", dns.A, [])) == []


def test_an_alias_is_followed() -> None:
    four = bytes([192, 0, 2, 7])
    rows = [
        record(POINTER, dns.CNAME, b"\3web" + b"\xc0\x10"),  # web.example, by a pointer into the question
        record(name("web.example"), dns.CNAME, name("last.example")),
        record(name("other.example"), dns.A, bytes(4)),
        record(name("last.example"), dns.A, four),
    ]
    assert parse(answer("hub.example", dns.A, rows)) == [four]


def test_aliases_in_a_circle_end() -> None:
    rows = [record(POINTER, dns.CNAME, name("b.example")), record(name("b.example"), dns.CNAME, name("hub.example"))]
    assert parse(answer("hub.example", dns.A, rows)) == []


def test_answers_to_something_else_are_none() -> None:
    good = record(POINTER, dns.A, bytes(4))
    assert parse(answer("hub.example", dns.A, [good], number=NUMBER + 1)) is None
    assert parse(answer("hub.example", dns.A, [good], flags=0x0100)) is None
    assert parse(answer("bank.example", dns.A, [good])) is None
    assert parse(answer("hub.example", dns.AAAA, [good])) is None


def test_a_server_without_an_answer_says_why() -> None:
    for code in (2, dns.NO_SUCH_NAME, 5):
        try:
            parse(answer("hub.example", dns.A, [], flags=0x8180 | code))
        except dns.NoAnswerError as error:
            assert error.number == code
        else:
            raise AssertionError(code)
    header_only = (NUMBER).to_bytes(2, "big") + b"\x81\x84" + bytes(8)
    assert refused(lambda: parse(header_only))


def test_an_answer_that_was_cut_short_gives_what_it_has() -> None:
    four = bytes([192, 0, 2, 7])
    whole = answer("hub.example", dns.A, [record(POINTER, dns.A, four), record(POINTER, dns.A, four)], flags=0x8380)
    assert parse(whole[: -len(record(POINTER, dns.A, four))]) == [four]
    assert refused(lambda: parse(answer("hub.example", dns.A, [], flags=0x8380)))


def test_addresses_of_a_wrong_size_are_left_out() -> None:
    rows = [record(POINTER, dns.A, bytes(5)), record(POINTER, dns.A, bytes(4))]
    assert parse(answer("hub.example", dns.A, rows)) == [bytes(4)]
    assert parse(answer("hub.example", dns.A, [record(POINTER, dns.A, bytes(4), in_class=3)])) == []


def test_malformed_names_are_refused() -> None:
    for owner in (
        b"\xc0",  # a pointer without its second half
        b"\xc0\xff",  # forwards
        b"\xc0\x1d",  # to itself: the record begins at 29
        b"\x40hub\0",  # a label of a kind that there is not
        b"\x3fhub",  # longer than what is there
        b"\4h.ub\0",
        b"\3h\xffb\0",
    ):
        data = answer("hub.example", dns.A, [record(owner, dns.A, bytes(4))])
        assert refused(lambda data=data: parse(data)), owner  # type: ignore[misc]


def test_every_cut_and_every_flipped_byte_is_an_answer_or_an_error() -> None:
    rows = [record(POINTER, dns.CNAME, b"\3web" + b"\xc0\x10"), record(name("web.example"), dns.A, bytes(4))]
    whole = answer("hub.example", dns.A, rows)
    for end in range(len(whole)):
        assert refused(lambda end=end: parse(whole[:end])), end  # type: ignore[misc]
    for at in range(len(whole)):
        for bits in (1, 0x40, 0x80, 0xC0, 0xFF):
            changed = bytearray(whole)
            changed[at] ^= bits
            try:
                parse(bytes(changed))
            except ProtocolError:
                continue
