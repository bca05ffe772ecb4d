"""JSON as strangers write it: what is taken, what is refused and where, what is written."""

from edgelite.bus import json_text
from edgelite_protocol.errors import MisuseError, ProtocolError


def refusal(data):
    try:
        json_text.decode(data)
    except ProtocolError as error:
        assert error.code == "json"
        return error.text
    return ""


def test_what_is_taken():
    for data, value in (
        (
            b'{"a":{"b":[1,-2,0.5,1e3,true,false,null]},"":""}',
            {"a": {"b": [1, -2, 0.5, 1e3, True, False, None]}, "": ""},
        ),
        (b" \t\r\n[ ] ", []),
        (b"{ }", {}),
        (b'"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00"', '"\\/\b\f\n\r\t\u00e9\U0001f600'),
        (b'"\xc3\xa9x\\n"', "\u00e9x\n"),
        (b"-0", 0),
        (b"0", 0),
        (b"12345678901234567890", 12345678901234567890),
        (b"-0.5E-1", -0.05),
        (b"[" * 8 + b"]" * 8, [[[[[[[[]]]]]]]]),
    ):
        assert json_text.decode(data) == value, data


def test_what_is_refused_and_where():
    for data, text in (
        (b"", "at 0: no value"),
        (b"  ", "at 2: no value"),
        (b"nul", "at 0: no value"),
        (b"NaN", "at 0: no value"),
        (b"Infinity", "at 0: no value"),
        (b"-", "at 0: no value"),
        (b"+1", "at 0: no value"),
        (b"01", "at 0: a number begins with 0"),
        (b"-01", "at 0: a number begins with 0"),
        (b"1.", "at 0: no value"),
        (b"1e", "at 0: no value"),
        (b".5", "at 0: no value"),
        (b"1e400", "at 5: a number that is too large"),
        (b"1 2", "at 2: something follows the value"),
        (b"[1 2]", "at 3: a comma or ] is missing"),
        (b"[1,]", "at 3: no value"),
        (b"[,1]", "at 1: no value"),
        (b'{"a":1,}', "at 7: a key in quotes is missing"),
        (b"{a:1}", "at 1: a key in quotes is missing"),
        (b'{"a" 1}', "at 5: a colon is missing"),
        (b'{"a":1,"a":2}', "at 10: the key a comes twice"),
        (b'"abc', "at 1: a string has no end"),
        (b'"a\\', "at 1: a string has no end"),
        (b'"\\x41"', "at 1: no such escape"),
        (b'"\\u12g4"', "at 1: \\u needs four hexadecimal digits"),
        (b'"\\uD83D"', "at 7: half of a surrogate pair"),
        (b'"\\uDE00\\uD83D"', "at 7: half of a surrogate pair"),
        (b'"a\nb"', "at 1: a control character in a string"),
        (b'"\xff"', "not UTF-8"),
        (b'"\xed\xa0\x80"', "not UTF-8"),
        (b"\xef\xbb\xbf1", "at 0: no value"),
        (b"[" * 9, "at 8: more than 8 lists and objects inside one another"),
        (b"1" * 33, "at 0: a number of more than 32 characters"),
        (b"[" + b"1," * 256 + b"1]", "at 511: more than 256 values, keys and escapes"),
        (b'"' + b"\\n" * 256 + b'"', "at 511: more than 256 values, keys and escapes"),
        (b" " * 4097, "4097 bytes, where at most 4096 are taken"),
    ):
        assert refusal(data) == text, (data, refusal(data))


def test_what_is_written_is_read_again():
    for value in (
        {"a": [1, -5, None, True, False], "b": {}, 'q"\\': "\x00\x1f\n\u00e9\U0001f600"},
        [],
        "",
        [[], {}],
        7,
    ):
        assert json_text.decode(json_text.encode(value)) == value, value
    assert json_text.encode({"a": ["x\x01", None]}) == b'{"a":["x\\u0001",null]}'
    for value in (1.5, b"x", {1: 2}):
        try:
            json_text.encode(value)
        except (MisuseError, TypeError):
            continue
        raise AssertionError(value)
