"""The Modbus server: every function, every refusal, all framings, and whatever a hostile client sends."""

from edgelite_drivers.modbus.rtu import seal
from edgelite_drivers.modbus_server.answers import answer_all
from edgelite_drivers.modbus_server.framings import QUIET_MS, SKIPS_MAX, AsciiRequests, RtuRequests, TcpRequests
from edgelite_drivers.modbus_server.own_echo import SOON_MS, SURE, OwnEcho
from edgelite_drivers.modbus_server.server import OUTPUT_BYTES_MAX, Server
from edgelite_drivers.modbus_server.table_unit import Range, TableUnit
from edgelite_drivers.modbus_server.unit import Units


def make_unit(one_range_only=False):
    ranges = [
        Range(1, 0, b"\1\0\1" + b"\0" * 13, True),
        Range(2, 10, b"\1" * 16),
        Range(3, 0, bytes(range(40)), True),
        Range(3, 20, b"\xaa\xbb" * 4, True),
        Range(3, 100, b"\0\7" * 125),
        Range(4, 65534, b"\x12\x34\x56\x78"),
    ]
    return TableUnit(ranges, one_range_only)


def serve(request, unit=None, number=1):
    return answer_all(Units({1: unit or make_unit()}, False), number, request, 0)


ANSWERS = (
    # read coils: 0 to 9 of which 0 and 2 are set
    ("0100000000a", None),
    ("010000000a", "01020500"),
    ("02000a0010", "0202ffff"),
    ("0300000002", "030400010203"),
    ("0300120004", "030824252627aabbaabb"),
    ("04fffe0002", "040412345678"),
    ("050003ff00", "050003ff00"),
    ("0500030000", "0500030000"),
    ("0600017fff", "0600017fff"),
    ("0f0000000a02cd01", "0f0000000a"),
    ("10000100020400000102", "1000010002"),
    ("16000000f20025", "16000000f20025"),
    ("17000000020001000102beef", "17040001beef"),
    ("07", "0700"),
    ("080000a537", "080000a537"),
    ("11", "1109" + "656467656c697465" + "ff"),
    # refusals: the function
    ("14", "9401"),
    ("63", "e301"),
    ("2b0d0100", "ab01"),
    ("080015" + "0000", "8801"),
    ("0800040000", "8801"),
    # the quantity, and what else cannot be
    ("0100000000", "8103"),
    ("01000007d1", "8103"),
    ("030000007e", "8303"),
    ("0300000000", "8303"),
    ("03000000", "8303"),
    ("030000000100", "8303"),
    ("050000ff01", "8503"),
    ("0600", "8603"),
    ("0f0000000a0100", "8f03"),
    ("0f000007b1", "8f03"),
    ("10000000020300000102", "9003"),
    ("1000000000" + "00", "9003"),
    ("100000007cf8" + "00" * 248, "9003"),
    ("1600000000", "9603"),
    ("1700000001000000" + "0000", "9703"),
    ("0711", "8703"),
    ("2b0e0500", "ab03"),
    ("0800000000" + "00", "8803"),
    # the address
    ("0100100001", "8102"),
    ("010008000a", "8102"),
    ("0300180001", "8302"),
    ("04ffff0002", "8402"),
    ("0400000001", "8402"),
    ("0600640001", "8602"),
    ("10001700020400000000", "9002"),
    ("1700000001006400" + "01020000", "9702"),
    ("2b0e0442", "ab02"),
)


def test_each_function_and_each_refusal():
    for request, answer in ANSWERS:
        if answer is not None:
            found = serve(bytes.fromhex(request))
            assert found is not None and found.hex() == answer, (request, found)


def test_writes_are_there_afterwards_and_refused_ones_change_nothing():
    unit = make_unit()
    serve(bytes.fromhex("0f0000000a02cd01"), unit)
    assert serve(bytes.fromhex("010000000a"), unit) == bytes.fromhex("0102cd01")
    serve(bytes.fromhex("100012000408" + "1111222233334444"), unit)
    assert serve(bytes.fromhex("0300120004"), unit).hex() == "0308" + "1111222233334444"
    assert serve(bytes.fromhex("10001700020455556666"), unit) == b"\x90\x02"
    assert serve(bytes.fromhex("0300170001"), unit).hex() == "0302aabb"
    serve(bytes.fromhex("060000" + "0012"), unit)
    serve(bytes.fromhex("16000000f20025"), unit)
    assert serve(bytes.fromhex("0300000001"), unit).hex() == "03020017", "the example of section 6.16"


def test_a_unit_of_blocks_refuses_a_read_across_two():
    assert serve(bytes.fromhex("0300120004"), make_unit(True)) == b"\x83\x02"
    assert serve(bytes.fromhex("0300120002"), make_unit(True)) == bytes.fromhex("030424252627")


def test_a_range_may_refuse_with_any_code():
    unit = make_unit()
    unit.ranges[-1].exception = 6
    assert serve(bytes.fromhex("04fffe0001"), unit) == b"\x84\x06"
    assert unit.busy == 1 and unit.exceptions == 1


def test_identification_in_pieces():
    unit = make_unit()
    unit.identification = {number: bytes([65 + number]) * 100 for number in range(6)}
    first = serve(bytes.fromhex("2b0e0200"), unit)
    assert first[:7].hex() == "2b0e0282ff0202"
    assert first[7:] == b"\0" + bytes([100]) + b"A" * 100 + b"\1" + bytes([100]) + b"B" * 100
    second = serve(bytes.fromhex("2b0e0202"), unit)
    assert second[:7].hex() == "2b0e0282ff0402"
    last = serve(bytes.fromhex("2b0e0204"), unit)
    assert last[:7].hex() == "2b0e0282000002"
    assert serve(bytes.fromhex("2b0e0401"), unit)[6:9] == b"\1\1" + bytes([100])
    assert serve(bytes.fromhex("2b0e0109"), unit)[6] == 2, "an id that is not there begins anew"
    unit.identification = {0: b"x" * 250}
    assert len(serve(bytes.fromhex("2b0e0100"), unit)) <= 253
    unit.identification = {}
    assert serve(bytes.fromhex("2b0e0100"), unit).hex() == "2b0e0181000000"


def test_who_answers_to_which_number():
    tcp = Units({1: make_unit(), 2: make_unit()}, False, 11)
    assert answer_all(tcp, 2, b"\7", 0) == b"\7\0"
    assert answer_all(tcp, 3, b"\7", 0) == b"\x87\x0b"
    assert answer_all(tcp, 255, b"\7", 0) == b"\x87\x0b"
    assert answer_all(tcp, 0, bytes.fromhex("0600000042"), 0) is None
    for unit in tcp.units.values():
        assert unit.read_registers(3, 0, 1) == b"\0\x42"
    alone = Units({7: make_unit()}, False, 11)
    assert answer_all(alone, 255, b"\7", 0) == b"\7\0"
    assert answer_all(alone, 0, b"\7", 0) == b"\7\0"
    serial = Units({7: make_unit()}, True)
    assert answer_all(serial, 0, b"\7", 0) is None
    assert answer_all(serial, 255, b"\7", 0) is None
    assert answer_all(serial, 7, b"", 0) is None


def test_diagnosis_counts_and_only_listening():
    units = Units({1: make_unit()}, True)

    def ask(request):
        return answer_all(units, 1, bytes.fromhex(request), 0)

    ask("0300000001")
    ask("03ffff0002")
    assert ask("08000b0000") == bytes.fromhex("08000b0003")
    assert ask("08000d0000") == bytes.fromhex("08000d0001")
    assert ask("08000e0000") == bytes.fromhex("08000e0005")
    assert ask("0800020000") == bytes.fromhex("0800020000")
    assert ask("08000a0000") == bytes.fromhex("08000a0000")
    assert ask("08000b0000") == bytes.fromhex("08000b0001")
    assert ask("0800040000") is None
    assert ask("0300000001") is None
    assert ask("080001ff00") is None, "the restart that ends it is not answered"
    assert ask("0300000001") is not None
    assert ask("0800010000") == bytes.fromhex("0800010000")


# ---- framings


def rtu(data):
    return seal(data[0], data[1:])


def test_the_check_of_the_specification():
    assert rtu(b"\2\7") == bytes.fromhex("02074112")


def requests_of(framing, pieces, gap_ms=0):
    found = []
    now_ms = 1000
    for piece in pieces:
        framing.feed(piece, now_ms)
        now_ms += gap_ms
        request = framing.next_request()
        while request is not None:
            found.append(request[1:])
            request = framing.next_request()
    return found


def pieces_of(data):
    return [data[index : index + 1] for index in range(len(data))]


PDUS = [bytes.fromhex(request) for request, answer in ANSWERS if answer is not None and len(request) // 2 <= 253]
KNOWN = (1, 2, 3, 4, 5, 6, 7, 8, 15, 16, 17, 22, 23, 43)


def test_requests_whole_and_byte_by_byte():
    rtu_pdus = [pdu for pdu in PDUS if pdu[0] in KNOWN and serve(pdu)[0] == pdu[0]]
    assert len(rtu_pdus) > 12
    for make, encode, pdus in (
        (TcpRequests, lambda pdu: b"\0\1\0\0\0" + bytes([len(pdu) + 1, 9]) + pdu, PDUS),
        (AsciiRequests, lambda pdu: AsciiRequests().frame(0, 9, pdu), PDUS),
        (lambda: RtuRequests({9: None}), lambda pdu: rtu(b"\x09" + pdu), rtu_pdus),
    ):
        stream = b"".join([encode(pdu) for pdu in pdus])
        expected = [(9, pdu) for pdu in pdus]
        assert requests_of(make(), [stream]) == expected
        assert requests_of(make(), pieces_of(stream)) == expected


def test_rtu_finds_its_requests_among_what_others_say():
    mine = rtu(bytes.fromhex("09" + "0300000002"))
    others = (
        rtu(bytes.fromhex("050300000001")) + rtu(bytes.fromhex("0503021234"))  # a read of another, and its answer
        + rtu(bytes.fromhex("058302")) + rtu(bytes.fromhex("05060001ffff")) * 2
        + rtu(bytes.fromhex("050f000000030107")) + rtu(bytes.fromhex("050f00000003"))
    )  # fmt: skip
    for pieces in ([others + mine], pieces_of(others + mine)):
        found = requests_of(RtuRequests({9: None}), pieces)
        assert found[-1] == (9, mine[1:-2]) and [unit for unit, _ in found if unit == 9] == [9]


def test_rtu_gets_over_noise():
    mine = rtu(bytes.fromhex("09" + "0300000002"))
    for noise in (b"\xff", b"\0", b"\x09", b"\x55" * 20, mine[:5], b"\xff" * 300, bytes(range(256)) * 4):
        framing = RtuRequests({9: None})
        requests_of(framing, [noise])
        assert requests_of(framing, [b"", mine], QUIET_MS)[-1:] == [(9, mine[1:-2])], noise
        assert framing.errors <= 2 + len(noise) // SKIPS_MAX
    assert requests_of(RtuRequests({9: None}), [b"\xff" + mine]) == [(9, mine[1:-2])], "no quiet before it"
    bad = mine[:-1] + b"\0"
    assert requests_of(RtuRequests({9: None}), [bad, mine], QUIET_MS) == [(9, mine[1:-2])]


def test_rtu_answers_a_function_that_it_does_not_know():
    assert requests_of(RtuRequests({9: None}), [rtu(b"\x09\x63\1\2\3")]) == [(9, b"\x63\1\2\3")]
    assert requests_of(RtuRequests({9: None}), [rtu(bytes.fromhex("09" + "0800001122334455"))]) == [
        (9, bytes.fromhex("0800001122334455"))
    ]


def test_ascii_begins_anew_and_drops_what_is_wrong():
    good = AsciiRequests().frame(0, 9, b"\7")
    assert good == b":0907F0\r\n"
    for bad in (b":0907F1\r\n", b":0907\r\n", b":09", b"noise", b":zz07F0\r\n", b":" * 3, b":" + b"0" * 2000, b"\r\n"):
        assert requests_of(AsciiRequests(), [bad + good]) == [(9, b"\7")], bad
        assert requests_of(AsciiRequests(), pieces_of(bad + good)) == [(9, b"\7")], bad
    assert requests_of(AsciiRequests(), [b":0907f0\n"]) == [(9, b"\7")]


# ---- the channel


def tcp_server(absent=11):
    return Server(TcpRequests(), Units({1: make_unit()}, False, absent))


def test_a_server_answers_with_the_transaction_and_unit_of_the_request():
    server = tcp_server()
    server.opened(0)
    server.received(bytes.fromhex("abcd000000060103000000011122"), 5)
    assert server.data_to_send(4096).hex() == "abcd000000050103020001"
    server.received(bytes.fromhex("0000000201") + b"\7", 6)
    assert server.data_to_send(4).hex() == "11220000"
    assert server.data_to_send(4096).hex() == "0003010700"


def test_a_stream_that_is_not_modbus_ends_the_connection():
    for garbage in (b"GET / HTTP/1.1\r\n", b"\0\1\0\0\0\1\1", b"\0\1\0\0\1\0\1", b"\0\1\0\1\0\6\1\3"):
        server = tcp_server()
        server.received(garbage, 0)
        assert server.close_reason, garbage


def test_a_client_that_reads_no_answers_is_cut_off():
    server = tcp_server()
    server.received(bytes.fromhex("0001000000060103" + "0064007d") * 200, 0)
    assert server.close_reason
    assert len(server.data_to_send(1000000)) <= OUTPUT_BYTES_MAX


def test_a_serial_line_rests_before_the_answer():
    server = Server(RtuRequests({1: None}), Units({1: make_unit()}, True), 4)
    server.received(rtu(bytes.fromhex("010300000001")), 100)
    assert server.step(100) == 104 and server.data_to_send(100) == b""
    assert server.step(104) is None and server.data_to_send(100) == rtu(bytes.fromhex("0103020001"))


class TwoWires:
    """A serial line whose adapter may hear itself; counts the answers to each request."""

    def __init__(self, has_echo, piece_bytes=100):
        self.server = Server(RtuRequests({1: None}), Units({1: make_unit()}, True), 4, OwnEcho())
        self.has_echo = has_echo
        self.piece_bytes = piece_bytes
        self.now_ms = 0

    def ask(self, request, pause_ms=20):
        self.now_ms += pause_ms
        self.hear(rtu(bytes.fromhex(request)))
        answers = []
        for _ in range(10):
            self.now_ms += 5
            self.server.step(self.now_ms)
            answer = self.server.data_to_send(300)
            if answer:
                answers.append(answer[:-2].hex())
                if self.has_echo:
                    self.hear(answer)
        return answers

    def hear(self, data):
        for index in range(0, len(data), self.piece_bytes):
            self.server.received(data[index : index + self.piece_bytes], self.now_ms)


WRITE, READ, REFUSED = "0106000100ff", "010300000001", "0103ffff0002"


def test_a_server_that_hears_itself_answers_once():
    for piece_bytes in (1, 5, 100):
        for order in ((WRITE, WRITE, READ, WRITE), (READ, WRITE, REFUSED, WRITE), (REFUSED, READ, WRITE, "0107")):
            line = TwoWires(True, piece_bytes)
            for request in order * 3:
                assert len(line.ask(request)) == 1, (piece_bytes, order, request)


def test_a_client_that_asks_the_same_again_is_answered_where_there_is_no_echo():
    line = TwoWires(False)
    for _ in range(SURE + 1):  # by then it is known
        assert len(line.ask(READ)) == 1
    assert [len(line.ask(WRITE)) for _ in range(5)] == [1] * 5
    line = TwoWires(False)
    assert [len(line.ask(WRITE, SOON_MS + 1)) for _ in range(5)] == [1] * 5


def test_an_exception_answer_is_no_request():
    assert serve(b"\x83\2") is None


def test_nothing_that_a_client_sends_raises():
    seed = 12345
    for _ in range(3000):
        data = bytearray()
        for _ in range(seed % 24):
            seed = (seed * 1103515245 + 12345) % 2147483648
            data.append(seed >> 16 & 255)
        seed = (seed * 1103515245 + 12345) % 2147483648
        units = Units({1: make_unit()}, True)
        for function in (seed >> 16 & 255, seed >> 8 & 63):
            answer = answer_all(units, 1, bytes([function]) + bytes(data), 0)
            assert answer is None or 2 <= len(answer) <= 253
        for framing in (RtuRequests({1: None}), AsciiRequests(), TcpRequests()):
            Server(framing, units).received(bytes(data), seed)
