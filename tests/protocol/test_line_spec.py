"""SPEC.md's sections on lines and relays say what the program does."""

import re
from pathlib import Path

from edgelite_protocol import line, relay
from edgelite_protocol.oscore import ends

SPEC = (Path(line.__file__).parents[1] / "SPEC.md").read_text()
KINDS = {"OPEN": line.OPEN, "OPENED": line.OPENED, "DATA": line.DATA, "ACKNOWLEDGE": line.ACKNOWLEDGE,
         "CLOSE": line.CLOSE}  # fmt: skip
STATES = ("OPENING", "ESTABLISHED", "FINISHING", "ENDED")


def test_the_table_is_the_programs() -> None:
    text = SPEC.split("<!-- table: line -->")[1].split("<!-- end -->")[0]
    head, _, *rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in text.strip().splitlines()]
    assert tuple(head[1:]) == STATES and {row[0] for row in rows} == set(KINDS)
    for row in rows:
        for state, cell in zip(STATES, row[1:], strict=True):
            assert line.TABLE[getattr(line, state)][KINDS[row[0]] - line.OPEN] == cell, (row[0], state)


def test_numbers() -> None:
    for text in (
        f"at most {line.PACKET_BYTES_MAX} bytes, so that it is one COBS block",
        f"({line.LINE_BYTES_MAX} bytes of 10 bits)",
        f"{line.timeout_ms(115200)} ms at 115,200 baud",
        f"| tries | {line.TRIES_MAX}:",
        f"at most {line.BACKOFF_MAX} times the first",
        f"after {line.KEEPALIVE_MS // 1000} s in which nothing arrived; {line.PROBE_MS // 1000} s where",
        f"{line.QUEUE_MAX} to be sent, {line.QUEUE_MAX} to be taken",
        f"at most {line.FINISH_MS // 1000} s later",
        f"A message has at most {ends.MESSAGE_BYTES_MAX} bytes",
        f"pieces of 1 to {ends.PIECE_BYTES_MAX} bytes",
        f"never has more than {relay.CREDIT_MAX};",
    ):
        assert text in SPEC, text
    assert line.MESSAGE_BYTES_MAX == ends.MESSAGE_BYTES_MAX


def test_kinds() -> None:
    for name, number in KINDS.items():
        assert re.search(rf"^\| {number} {name} \|", SPEC, re.MULTILINE), name
    for name in ("PROTECTED", "BEGIN", "CHALLENGE"):
        assert f"| {getattr(ends, name)} {name} |" in SPEC
    for name in ("RELAY", "MESSAGE", "CREDIT", "END"):
        assert f"| {getattr(relay, name)} {name} |" in SPEC


def test_all_tries_together_take_as_long_as_said() -> None:
    first = line.timeout_ms(115200)
    waits = [first * min(1 << number, line.BACKOFF_MAX) for number in range(line.TRIES_MAX)]
    assert round(sum(waits) / 1000, 1) == 4.5 and "4.5 s after the first" in SPEC
