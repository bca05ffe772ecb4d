"""The log of a task: a ring, read by positions that survive what is overwritten."""

from edgelite_ports.micropython.ring_log import RingLog, RingLogs
from edgelite_protocol.errors import PlatformError


def read_all(reader, size_bytes_max=7):
    pieces = []
    while True:
        piece = reader.read(size_bytes_max)
        assert len(piece) <= size_bytes_max
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def test_it_keeps_the_last_bytes_whatever_the_sizes_of_the_writes():
    for size in (1, 3, 8, 10, 50):
        ring = RingLog(10)
        written = b""
        for number in range(40):
            data = bytes([(number * 7 + index) & 0x7F for index in range(size * number % 13)])
            ring.write(data)
            written += data
            reader_text = b""
            position = ring.oldest
            while position < ring.end:
                piece = ring.read(position, 4)
                reader_text += piece
                position += len(piece)
            assert reader_text == written[-10:]
            assert ring.end == len(written)


def test_the_last_lines():
    logs = RingLogs()
    logs.begin("u1/main").write(b"one\ntwo\nthree\n")
    for lines, expected in (
        (0, b""),
        (1, b"three\n"),
        (2, b"two\nthree\n"),
        (9, b"one\ntwo\nthree\n"),
        (-1, b"one\ntwo\nthree\n"),
    ):
        assert read_all(logs.open("u1", "main", lines, False, 0)) == expected
    logs.begin("u1/main").write(b"open")
    assert read_all(logs.open("u1", "main", 1, False, 0)) == b"open"
    assert read_all(logs.open("u1", "main", -1, False, 0)) == b"open"


def test_the_previous_instance_is_read_as_far_as_it_is_still_there():
    logs = RingLogs(ring_bytes=12)
    logs.begin("u1/main").write(b"first\nlast\n")
    logs.begin("u1/main").write(b"new\n")
    assert read_all(logs.open("u1", "main", -1, True, 0)) == b"st\nlast\n"
    assert read_all(logs.open("u1", "main", 1, True, 0)) == b"last\n"
    logs.begin("u1/main").write(b"x" * 50)
    assert read_all(logs.open("u1", "main", -1, True, 0)) == b""


def test_a_reader_follows_and_skips_what_was_overwritten():
    logs = RingLogs(ring_bytes=8)
    ring = logs.begin("u1/main")
    reader = logs.open("u1", "main", -1, False, 0)
    ring.write(b"ab")
    assert read_all(reader) == b"ab"
    ring.write(b"0123456789")
    assert read_all(reader) == b"23456789"
    assert reader.read(10) == b""


def test_what_is_no_task_is_asked_for_beyond():
    class Beyond(RingLogs):
        def open(self, uid, container, tail_lines, previous, since_ms):
            return (uid, container, tail_lines, previous, since_ms)

    logs = RingLogs(Beyond())
    assert logs.open("u2", "a", 1, True, 5) == ("u2", "a", 1, True, 5)
    logs.begin("u2/a")
    assert read_all(logs.open("u2", "a", -1, False, 0)) == b""
    logs.remove("u2")
    assert logs.open("u2", "a", 1, True, 5) == ("u2", "a", 1, True, 5)
    try:
        RingLogs().open("u2", "a", 1, False, 0)
    except PlatformError:
        return
    raise AssertionError("a log of nobody")
