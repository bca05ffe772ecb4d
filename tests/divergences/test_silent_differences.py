"""What both runtimes do without a word, but differently. Portable code may rely on neither."""

import subprocess

import pytest
import runtime
from micropython_probe import INTERPRETERS, outcomes

# code, what it leaves in `a` under CPython, and under MicroPython (an exception's name where it raises one)
DIFFERENCES = [
    ("True is no int", "a = isinstance(True, int)", "True", "False"),
    ("struct.pack does not check ranges", "import struct\na = struct.pack('>B', 256)", "error", r"b'\x00'"),
    (
        "struct.pack overflows to infinity",
        "import struct\na = struct.pack('>f', 1e300)",
        "OverflowError",
        r"b'\x7f\x80\x00\x00'",
    ),
    ("struct.pack does not count", "import struct\na = struct.pack('>BB', 1)", "error", None),
    ("surrogates decode", r"a = len(b'\xed\xa0\x80'.decode())", "UnicodeDecodeError", "1"),
    ("overlong forms decode", r"a = len(b'\xc0\x80'.decode())", "UnicodeDecodeError", "1"),
    ("dicts have no order", "a = list({i: 0 for i in (3, 1, 2)}) == [3, 1, 2]", "True", None),
    (
        "a cause is lost",
        "try:\n    raise ValueError from KeyError()\nexcept ValueError as e:\n    a = getattr(e, '__cause__', None)",
        "KeyError()",
        "None",
    ),
    ("recursion ends early", "def f(n):\n    return n and 1 + f(n - 1)\na = f(900)", "900", "RuntimeError"),
    ("join refuses memoryviews", "a = b''.join([memoryview(b'x')])", "b'x'", "TypeError"),
    (
        "digest ends the hash",
        "import hashlib\nh = hashlib.sha256(b'x')\nh.digest()\na = len(h.digest())",
        "32",
        "ValueError",
    ),
    ("decoding knows one way", r"a = b'\xff'.decode('utf-8', 'replace')", "'\ufffd'", "UnicodeError"),
    ("an OSError has no words", "a = hasattr(OSError(2, 'x'), 'strerror')", "True", "False"),
    (
        "await asks __iter__",
        "class A:\n def __await__(self):\n  yield 1\nasync def f():\n await A()\nb = f()\na = b.send(None)\nb.close()",
        "1",
        "TypeError",
    ),
    (
        "an OSError has no text",
        "import os\ntry:\n    os.stat('/nonexistent')\nexcept OSError as e:\n    a = getattr(e, 'strerror', None)",
        "'No such file or directory'",
        "None",
    ),
    ("a socket does not tell its error", "import socket\na = hasattr(socket.socket, 'getsockopt')", "True", "False"),
    ("__slots__ are ignored", "class A:\n    __slots__ = ()\nb = A()\nb.c = 1\na = b.c", "AttributeError", "1"),
]


def under_cpython(code: str) -> str:
    names: dict[str, object] = {}
    try:
        exec(code, names)
    except Exception as error:  # noqa: BLE001 - its name is the outcome
        return type(error).__name__
    return repr(names.get("a"))


@pytest.fixture(scope="module", params=INTERPRETERS)
def found(request: pytest.FixtureRequest) -> dict[str, str]:
    return outcomes([(name, code) for name, code, _, _ in DIFFERENCES], request.param)


@pytest.mark.parametrize(("name", "code", "cpython", "micropython"), DIFFERENCES, ids=[row[0] for row in DIFFERENCES])
def test_difference(name: str, code: str, cpython: str, micropython: str | None, found: dict[str, str]) -> None:
    assert under_cpython(code) == cpython
    assert found[name] == micropython if micropython is not None else found[name] != cpython


def test_a_cause_is_lost_with_a_line_each_time() -> None:
    """`raise ... from` writes to standard error whenever it runs: not where something may fail again and again."""
    try:
        command = runtime.command()
    except runtime.UnavailableError as error:
        if "pinned" in str(error):
            raise
        pytest.skip(str(error))
    code = "try:\n    raise ValueError from KeyError()\nexcept ValueError:\n    pass\n" * 2
    told = subprocess.run([*command, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert told.stderr.count("exception chaining not supported") == 2
