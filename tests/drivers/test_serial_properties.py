"""Whatever a template writes, the pattern of the same words reads; and whatever a frame holds, it is found however the
bytes are cut, with noise around it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from edgelite_drivers.serial import checksum, framing
from edgelite_drivers.serial.conversion import BINARY
from edgelite_drivers.serial.pattern import Pattern, Template


@some.composite
def written(draw: some.DrawFn) -> tuple[str, Any]:
    """(the words of a field, a value that it holds)"""
    word = draw(some.sampled_from([*sorted(BINARY), "int", "float", "hex 8", "bcd 4", "bcd 4 le", "int 12", "text"]))
    order = draw(some.sampled_from(["", " le"])) if word in BINARY else ""
    if word[0] in "ui" and word in BINARY:
        bits = int(word[1:])
        low = 0 if word[0] == "u" else -(1 << (bits - 1))
        return word + order, draw(some.integers(low, low + (1 << bits) - 1))
    if word in ("f32", "f64", "float"):
        return word + order, draw(some.floats(allow_nan=False, allow_infinity=False, width=32))
    if word == "text":
        letters = some.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=";")
        return word, draw(some.text(letters, min_size=1, max_size=20))
    return word, draw(some.integers(0, 99_999_999))


@settings(max_examples=500, deadline=None)
@given(written())
def test_what_was_written_is_read(field: tuple[str, Any]) -> None:
    words, value = field
    text = "V={value:%s};" % words
    data = Template(text, "write").data({"value": value})
    assert Pattern(text, "pattern").match(data) == ({"value": value}, {})


CONTENTS = some.lists(
    some.binary(max_size=20).map(lambda data: data.replace(b"\x02", b"").replace(b"\x03", b"")), max_size=4
)
NOISE = some.binary(max_size=10).map(lambda data: data.replace(b"\x02", b""))


@settings(max_examples=300, deadline=None)
@given(CONTENTS, some.data())
def test_frames_are_found_however_they_are_cut(contents: list[bytes], draw: some.DataObject) -> None:
    made = framing.check({"start": "\x02", "end": "\x03", "trailer": 2}, "framing")
    made.checksum = checksum.check({"name": "crc16-x25", "from": 1}, "checksum")
    stream = b""
    for content in contents:
        frame = b"\x02" + content + b"\x03"
        stream += draw.draw(NOISE) + frame + made.checksum.encoded(frame + b"xx")
    framer = framing.Framer(made)
    found = []
    while stream:
        size_bytes = draw.draw(some.integers(1, len(stream)))
        framer.feed(stream[:size_bytes], 0)
        stream = stream[size_bytes:]
        content_or_none = framer.next_frame(0)
        while content_or_none is not None:
            found.append(content_or_none)
            content_or_none = framer.next_frame(0)
    assert found == contents
